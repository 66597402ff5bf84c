# Further Python packages for tests, beside the AWS emulator's: aiosmtpd, a mail server (atpublic belongs to it),
# standardwebhooks to judge signatures by, opentelemetry-proto to read OTLP, axe (in axe-playwright-python) to judge pages
# by, oidc-provider-mock, an identity provider (authlib to uvicorn belong to it). Sourced after aws.sh, installed after it.

python_wanted='aiosmtpd==1.4.6 atpublic==9.0.0 standardwebhooks==1.1.0 opentelemetry-proto==1.45.2 protobuf==7.36.2 axe-playwright-python==0.1.8 oidc-provider-mock==0.3.4 authlib==1.9.10 htpy==26.5.1 httpx==0.28.1 httpcore==1.0.9 anyio==4.16.0 h11==0.16.0 uvicorn==0.54.0'

install_python_packages() {
    [ "$(cat "$aws_packages/.more-version" 2>/dev/null)" = "$python_wanted" ] && return
    say "further Python packages ($python_wanted)"
    # shellcheck disable=SC2086
    pip_into "$aws_packages" "$cache/python.log" --no-deps $python_wanted
    echo "$python_wanted" >"$aws_packages/.more-version"
}
