# A Supabase database into a bucket every week, with an e-mail when it fails. See docs/aws/supabase-backup.md.

provider "aws" {
  region = var.aws_region
}

module "backup" {
  source = "../modules/backup-function"

  function_name = "${var.project}_db_backup"
  package_file  = var.package_file
  architecture  = var.architecture
  memory_size   = var.memory_size
  timeout       = var.timeout

  bucket_name    = coalesce(var.bucket_name, "${var.project}-db-backups")
  retention_days = var.retention_days

  environment = {
    PGKEEP_FORMAT   = var.backup_format
    PGKEEP_COMPRESS = var.backup_format == "plain" ? "none" : "zstd:3"
    PGKEEP_KEY      = "flat"
    PGKEEP_PRESET   = "supabase"
  }
  secrets                = { PGKEEP_DATABASE_URL = var.supabase_db_url }
  secrets_in_environment = var.secrets_in_environment

  schedule_expression    = var.backup_schedule
  log_retention_days     = var.log_retention_days
  alarm_topic_arns       = [aws_sns_topic.alerts.arn]
  duration_alarm_seconds = 0
  throttle_alarm         = true
  tags                   = var.tags
}

resource "aws_sns_topic" "alerts" {
  name              = "${var.project}-db-backup-alerts"
  kms_master_key_id = aws_kms_key.alerts.arn
  tags              = var.tags
}

# Alarms cannot use SNS's own key (CloudWatch User Guide, "Notify users on alarm changes").
resource "aws_kms_key" "alerts" {
  description             = "Messages of ${var.project}-db-backup-alerts"
  enable_key_rotation     = true
  deletion_window_in_days = 7
  policy                  = data.aws_iam_policy_document.alerts_key.json
  tags                    = var.tags
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

data "aws_iam_policy_document" "alerts_key" {
  statement {
    sid       = "Administer"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:root"]
    }
  }

  statement {
    sid       = "AlarmsPublish"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
  }
}

resource "aws_sns_topic_subscription" "email" {
  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = var.alert_email
}
