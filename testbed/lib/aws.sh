# moto, an emulator of AWS's control plane (tests start one each), botocore to judge signatures by, cfn-lint to judge
# CloudFormation by, jsonschema to judge the configuration's schema by. Sourced after common.sh.

aws_packages=$cache/aws
aws_wanted='moto[server]==5.2.5 cfn-lint==1.58.0 jsonschema==4.25.1'

install_aws() {
    [ "$(cat "$aws_packages/.version" 2>/dev/null)" = "$aws_wanted" ] && return
    say "an AWS emulator ($aws_wanted)"
    local stage
    stage=$(mktemp -d "$cache/stage.XXXXXX")
    # shellcheck disable=SC2086
    pip_into "$stage/aws" "$cache/aws.log" --only-binary=:all: $aws_wanted
    echo "$aws_wanted" >"$stage/aws/.version"
    rm -rf "$aws_packages"
    mv "$stage/aws" "$aws_packages"
    rm -rf "$stage"
}
