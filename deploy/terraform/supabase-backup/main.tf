# A Supabase database into a bucket every week, with an e-mail when it fails. See docs/lambda-supabase.md.

provider "aws" {
  region = var.aws_region
}

locals {
  bucket_name = coalesce(var.bucket_name, "${var.project}-db-backups")
}

module "backup" {
  source = "../modules/backup-function"

  function_name = coalesce(var.function_name, "${var.project}_db_backup")
  package_file  = var.package_file
  architecture  = var.architecture
  memory_size   = var.memory_size
  timeout       = var.timeout

  bucket_name            = local.bucket_name
  protect_bucket         = var.protect_bucket
  retention_days         = var.retention_days
  version_retention_days = var.version_retention_days
  kms_key_arn            = var.kms_key_arn

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
  #checkov:skip=CKV_AWS_26:Alarms cannot use SNS's own key (CloudWatch User Guide, "Notify users on alarm changes"), and tell no secret. kms_key_arn encrypts.
  name              = "${var.project}-db-backup-alerts"
  kms_master_key_id = var.kms_key_arn
  tags              = var.tags
}

resource "aws_sns_topic_subscription" "email" {
  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = var.alert_email
}
