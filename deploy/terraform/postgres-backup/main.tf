# Several PostgreSQL databases into a bucket every three hours. See docs/lambda-postgres.md.

provider "aws" {
  region = var.aws_region
}

locals {
  # deploy.sh asks for it.
  bucket_name = var.backup_bucket_name
}

module "backup" {
  source = "../modules/backup-function"

  function_name = var.function_name
  package_file  = var.package_file
  architecture  = var.architecture
  memory_size   = var.memory_size
  timeout       = var.timeout

  reserved_concurrency = var.reserved_concurrency

  bucket_name            = local.bucket_name
  protect_bucket         = var.protect_bucket
  prefix                 = var.backup_prefix
  retention_days         = var.backup_retention_days
  version_retention_days = var.version_retention_days
  kms_key_arn            = var.kms_key_arn

  environment = {
    PGKEEP_FORMAT    = var.backup_format
    PGKEEP_COMPRESS  = var.backup_format == "plain" ? "none" : "zstd:3"
    PGKEEP_KEY       = "daily"
    PGKEEP_LOG_LEVEL = var.log_level
  }
  secrets                = { PGKEEP_DATABASES = jsonencode(var.databases) }
  secrets_in_environment = var.secrets_in_environment

  fan_out = var.fan_out
  fargate = var.fargate

  schedule_expression = var.schedule_expression
  subnet_ids          = var.subnet_ids
  security_group_ids  = var.security_group_ids
  log_retention_days  = var.log_retention_days
  alarm_topic_arns    = var.alarm_sns_topic_arn == null ? [] : [var.alarm_sns_topic_arn]
  tags                = var.tags
}
