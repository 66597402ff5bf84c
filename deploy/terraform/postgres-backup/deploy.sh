#!/usr/bin/env bash
# Sets up the backup function, and looks after it: ./deploy.sh deploy | logs | invoke | status | destroy
set -euo pipefail
cd "$(dirname "$0")"

package=${PGKEEP_PACKAGE:-pgkeep-lambda.zip}
bucket_address=module.backup.aws_s3_bucket.backups

usage() {
    cat <<TEXT
usage: ./deploy.sh <command>
  deploy   make or update everything in AWS (asks before it does)
  invoke   run a backup now and print the answer
  logs     follow the function's log
  status   what is deployed, the last backups, the alarms
  destroy  remove everything but the bucket with the backups
TEXT
}

die() {
    printf 'deploy.sh: %s\n' "$*" >&2
    exit 1
}

need() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null || die "$tool is not installed"
    done
}

output() {
    terraform output -raw "$1" 2>/dev/null || die "nothing is deployed from here: run ./deploy.sh deploy"
}

# The bucket outlives a destroy; the next deploy takes it back.
adopt_bucket() {
    local name
    name=$(echo 'var.backup_bucket_name' | terraform console | tr -d '"')
    terraform state show "$bucket_address" >/dev/null 2>&1 && return
    if aws s3api head-bucket --bucket "$name" >/dev/null 2>&1; then
        echo "The bucket $name is there already: it is taken over."
        terraform import -input=false "$bucket_address" "$name"
    fi
}

deploy() {
    need terraform aws
    [ -f terraform.tfvars ] || die "terraform.tfvars is missing: cp terraform.tfvars.example terraform.tfvars, and edit it"
    if [ ! -f "$package" ]; then
        need pgkeep
        pgkeep lambda package --output "$package"
    fi
    terraform init -input=false
    adopt_bucket
    terraform apply "$@"
}

invoke() {
    need terraform aws
    local answer
    answer=$(mktemp)
    trap 'rm -f "$answer"' EXIT
    # The client waits as long as the function may run.
    local failed
    failed=$(aws lambda invoke --function-name "$(output function_name)" --cli-binary-format raw-in-base64-out \
        --payload "${1:-{\}}" --cli-read-timeout 910 --query FunctionError --output text "$answer")
    cat "$answer"
    echo
    [ "$failed" = None ] || die "the invocation failed"
}

logs() {
    need terraform aws
    aws logs tail "$(output log_group_name)" --since "${1:-1h}" --follow
}

status() {
    need terraform aws
    local function bucket
    function=$(output function_name)
    bucket=$(output bucket_name)
    aws lambda get-function-configuration --function-name "$function" \
        --query '{Function:FunctionName,State:State,Memory:MemorySize,Timeout:Timeout,Modified:LastModified}' --output table
    echo "Newest objects in $bucket:"
    aws s3 ls "s3://$bucket" --recursive | sort | tail -10
    aws cloudwatch describe-alarms --alarm-name-prefix "$function-" \
        --query 'MetricAlarms[].{Alarm:AlarmName,State:StateValue}' --output table
}

destroy() {
    need terraform
    # Terraform refuses to destroy the bucket, and everything with it: so it forgets the bucket first.
    local address
    terraform state list | grep -E '^module\.backup\.aws_s3_bucket' | while read -r address; do
        terraform state rm "$address"
    done
    terraform destroy "$@"
    echo "The bucket with the backups is still there; ./deploy.sh deploy takes it over again."
}

case ${1:-} in
deploy | invoke | logs | status | destroy)
    command=$1
    shift
    "$command" "$@"
    ;;
*)
    usage >&2
    exit 2
    ;;
esac
