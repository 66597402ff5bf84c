# Further Python packages for tests, beside the AWS emulator's: aiosmtpd, a mail server (atpublic belongs to it), and
# standardwebhooks to judge signatures by. Sourced after aws.sh, installed after it.

python_wanted='aiosmtpd==1.4.6 atpublic==9.0.0 standardwebhooks==1.1.0'

install_python_packages() {
    [ "$(cat "$aws_packages/.more-version" 2>/dev/null)" = "$python_wanted" ] && return
    say "a mail server ($python_wanted)"
    # shellcheck disable=SC2086
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
        --target "$aws_packages" $python_wanted >"$cache/python.log" 2>&1 ||
        { tail -n 20 "$cache/python.log" >&2; die "installing the mail server failed"; }
    echo "$python_wanted" >"$aws_packages/.more-version"
}
