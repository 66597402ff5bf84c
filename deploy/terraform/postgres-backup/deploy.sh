#!/usr/bin/env bash
# Sets up the backup function of this folder, and looks after it: ./deploy.sh deploy | invoke | logs | status | destroy
set -euo pipefail
cd "$(dirname "$0")"

package=${PGKEEP_PACKAGE:-pgkeep-lambda.zip}

usage() {
    cat <<TEXT
usage: ./deploy.sh <command>
  deploy   make or update everything in AWS (asks before it does)
  invoke   run a backup now and print the answer
  logs     follow the function's log
  status   what is deployed, the newest backups, the alarms
  destroy  remove everything but the bucket with the backups
More words go to Terraform (deploy, destroy), are the event (invoke), or say how far back (logs, such as 3h).
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

# What is deployed, in variables of these names. Without any outputs Terraform prints a warning, and calls it success.
outputs() {
    local name value
    for name in "$@"; do
        value=$(terraform output -raw "$name" 2>/dev/null) || value=
        case $value in
        '' | *'No outputs found'*) die "nothing is deployed from here: run ./deploy.sh deploy" ;;
        esac
        printf -v "$name" %s "$value"
    done
}

# The AWS CLI is to look where Terraform works, whatever its own region is. Its versions read one of these each.
use_region() {
    export AWS_REGION=$1 AWS_DEFAULT_REGION=$1
}

# The bucket outlives a destroy; the next deploy takes it back.
adopt_bucket() {
    local name=$1 address=module.backup.aws_s3_bucket.unprotected
    if [ "$2" = true ]; then address=module.backup.aws_s3_bucket.backups; fi
    if terraform state list 2>/dev/null | grep -q "^$address"; then return; fi
    if aws s3api head-bucket --bucket "$name" >/dev/null 2>&1; then
        echo "The bucket $name is there already: it is taken over."
        terraform import -input=false "$address[0]" "$name"
    fi
}

deploy() {
    need terraform aws
    [ -f terraform.tfvars ] || env | grep -q ^TF_VAR_ ||
        die "terraform.tfvars is missing: cp terraform.tfvars.example terraform.tfvars, and edit it"
    if [ ! -f "$package" ]; then
        need pgkeep
        pgkeep lambda package --out "$package"
    fi
    terraform init -input=false
    local values region bucket protected
    values=$(echo '"${var.aws_region} ${local.bucket_name} ${var.protect_bucket}"' | terraform console | tr -d '"')
    read -r region bucket protected <<<"$values"
    use_region "$region"
    adopt_bucket "$bucket" "$protected"
    terraform apply "$@"
}

invoke() {
    need terraform aws
    local aws_region function_name folder failed
    outputs aws_region function_name
    use_region "$aws_region"
    folder=$(mktemp -d)
    # shellcheck disable=SC2064 # the name as it is now: the variable is gone by then
    trap "rm -rf '$folder'" EXIT
    # In a file, since versions of the AWS CLI disagree about words on the command line.
    printf '%s' "${1:-{\}}" >"$folder/event"
    # The client waits for as long as the function may run.
    failed=$(aws lambda invoke --function-name "$function_name" --payload "fileb://$folder/event" \
        --cli-read-timeout 910 --query FunctionError --output text "$folder/answer")
    cat "$folder/answer"
    echo
    [ "$failed" = None ] || die "the invocation failed"
}

logs() {
    need terraform aws
    local aws_region log_group_name
    outputs aws_region log_group_name
    use_region "$aws_region"
    aws logs tail "$log_group_name" --since "${1:-1h}" --follow
}

status() {
    need terraform aws
    local aws_region function_name bucket_name
    outputs aws_region function_name bucket_name
    use_region "$aws_region"
    aws lambda get-function-configuration --function-name "$function_name" \
        --query '{Function:FunctionName,State:State,Memory:MemorySize,Timeout:Timeout,Modified:LastModified}' --output table
    echo "Newest objects in $bucket_name:"
    aws s3 ls "s3://$bucket_name" --recursive | sort | tail -10
    aws cloudwatch describe-alarms --alarm-name-prefix "$function_name-" \
        --query 'MetricAlarms[].{Alarm:AlarmName,State:StateValue}' --output table
}

destroy() {
    need terraform
    # Terraform forgets the bucket first: a protected one would keep it from destroying anything.
    local kept
    kept=$(terraform state list | grep '^module\.backup\.aws_s3_bucket' || true)
    # shellcheck disable=SC2086 # a word for each
    if [ -n "$kept" ]; then terraform state rm $kept; fi
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
