# moto, an emulator of AWS's control plane (tests start one each), botocore to judge signatures by, jsonschema to judge
# the configuration's schema by. Sourced after common.sh.

aws_packages=$cache/aws
aws_wanted='moto[server]==5.2.5 jsonschema==4.25.1'

install_aws() {
    [ "$(cat "$aws_packages/.version" 2>/dev/null)" = "$aws_wanted" ] && return
    say "an AWS emulator ($aws_wanted)"
    local stage
    stage=$(mktemp -d "$cache/stage.XXXXXX")
    # --target also keeps clear of PEP 668: nothing is put into the system's Python.
    # shellcheck disable=SC2086
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --only-binary=:all: \
        --target "$stage/aws" $aws_wanted >"$cache/aws.log" 2>&1 ||
        { tail -n 20 "$cache/aws.log" >&2; die "installing the AWS emulator failed"; }
    echo "$aws_wanted" >"$stage/aws/.version"
    rm -rf "$aws_packages"
    mv "$stage/aws" "$aws_packages"
    rm -rf "$stage"
}
