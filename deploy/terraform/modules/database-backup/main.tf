# Snapshots of RDS instances by a schedule: made, copied, pruned and told of by pgkeep as a Lambda function.

data "aws_partition" "this" {}
data "aws_region" "this" {}
data "aws_caller_identity" "this" {}

locals {
  name        = "${var.project_name}-${var.environment}"
  function    = "${local.name}-db-backup"
  account     = data.aws_caller_identity.this.account_id
  partition   = data.aws_partition.this.partition
  region      = data.aws_region.this.name
  crosses     = var.enable_cross_region_copy
  destination = coalesce(var.cross_region_destination, data.aws_region.this.name)
  in_vpc      = length(var.subnet_ids) > 0
  makes_key   = var.create_kms_key != null ? var.create_kms_key : var.kms_key_id == null
  makes_topic = var.create_sns_topic != null ? var.create_sns_topic : var.sns_topic_arn == null
  tags        = merge(var.additional_tags, { Project = var.project_name, Environment = var.environment })

  window = [for time in split("-", var.backup_window) : tonumber(split(":", time)[0]) * 60 + tonumber(split(":", time)[1])]
  # One that ends on the next day is as long as it seems on a clock.
  window_minutes = (local.window[1] - local.window[0] + 1440) % 1440

  # Tags of snapshots take letters, digits, spaces and these signs; a key or value with others would be refused by RDS at night.
  snapshot_tags = [for key, value in local.tags : "${key}=${value}"]

  config = join("\n", concat(
    [
      "# Written by Terraform.",
      "[defaults]",
      "rds_prune = true",
      "rds_keep_within = \"${var.backup_retention_days}d\"",
      "rds_start_window = \"${local.window_minutes}m\"",
      "rds_metrics = ${jsonencode(var.metric_namespace)}",
      "rds_tag = ${jsonencode(local.snapshot_tags)}",
      "notify = ${jsonencode(concat(["sns"], var.slack_webhook_url == null ? [] : ["slack"]))}",
    ],
    local.crosses ? [
      "rds_copy_to = ${jsonencode(["${local.destination}=${aws_kms_key.destination[0].arn}"])}",
      "rds_copy_keep = ${jsonencode(["within=${coalesce(var.cross_region_retention_days, var.backup_retention_days)}d"])}",
    ] : [],
    var.export_schedule == null ? [] : [
      "rds_export_bucket = ${jsonencode(aws_s3_bucket.backups.id)}",
      "rds_export_prefix = \"exports\"",
      "rds_export_role = ${jsonencode(aws_iam_role.export[0].arn)}",
      "rds_export_kms_key = ${jsonencode(local.kms_key_arn)}",
    ],
    ["", "[notify.sns]", "type = \"sns\"", "topic = ${jsonencode(local.topic_arn)}"],
    var.slack_webhook_url == null ? [] : [
      "", "[notify.slack]", "type = \"slack\"", "url = { secret = ${jsonencode(aws_secretsmanager_secret.slack[0].arn)} }",
    ],
    flatten([for id in var.rds_instance_ids : ["", "[databases.\"${id}\"]", "url = \"rds:${id}\""]]),
    [""],
  ))
}

resource "aws_kms_key" "this" {
  count                   = local.makes_key ? 1 : 0
  description             = "Database backups of ${local.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key[0].json
  tags                    = local.tags
}

resource "aws_kms_alias" "this" {
  count         = local.makes_key ? 1 : 0
  name          = "alias/${local.name}-db-backup"
  target_key_id = aws_kms_key.this[0].key_id
}

data "aws_kms_key" "given" {
  count  = local.makes_key ? 0 : 1
  key_id = var.kms_key_id
}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:A key's policy is about this key alone, and the account must be able to manage it.
  #checkov:skip=CKV_AWS_111:As above.
  #checkov:skip=CKV_AWS_356:As above; "*" is the key.
  count = local.makes_key ? 1 : 0

  statement {
    sid       = "TheAccountDecides"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account}:root"]
    }
  }

  statement {
    sid       = "LogsAndTopics"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${local.region}.amazonaws.com", "cloudwatch.amazonaws.com", "sns.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

# Keys are of one region: copies of snapshots and the replica's objects have their own.
resource "aws_kms_key" "destination" {
  #checkov:skip=CKV2_AWS_64:The default policy: the account decides.
  count                   = local.crosses ? 1 : 0
  provider                = aws.destination
  description             = "Copies of database backups of ${local.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = local.tags

  lifecycle {
    precondition {
      condition     = var.cross_region_destination != null && local.destination != local.region
      error_message = "enable_cross_region_copy needs cross_region_destination, another region than this one."
    }
  }
}

locals {
  kms_key_arn = local.makes_key ? aws_kms_key.this[0].arn : data.aws_kms_key.given[0].arn
  kms_key_id  = local.makes_key ? aws_kms_key.this[0].key_id : data.aws_kms_key.given[0].id
}
