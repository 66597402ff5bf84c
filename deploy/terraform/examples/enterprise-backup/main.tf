# Instances and a replica, copied to another region, in a VPC without the internet, with all alarms.

variable "slack_webhook_url" {
  description = "Slack's incoming webhook."
  type        = string
  sensitive   = true
}

# What the rest of an account's code would bring.
resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_11:An example's network.
  #checkov:skip=CKV2_AWS_12:An example's network.
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
}

resource "aws_subnet" "private" {
  count      = 2
  vpc_id     = aws_vpc.this.id
  cidr_block = cidrsubnet(aws_vpc.this.cidr_block, 8, count.index)
}

resource "aws_kms_key" "security_baseline" {
  #checkov:skip=CKV2_AWS_64:The default policy; logs.amazonaws.com and sns need to be let use it in a real one.
  description         = "The account's key"
  enable_key_rotation = true
}

resource "aws_sns_topic" "notifications" {
  name              = "dba-notifications"
  kms_master_key_id = aws_kms_key.security_baseline.arn
}

module "database_backup" {
  source = "../../modules/database-backup"

  # Required Variables
  project_name = "nestedphoenix"
  environment  = "production"

  # Database Configuration
  rds_instance_ids = [
    "prod-database-1",
    "prod-database-2",
    "prod-read-replica-1"
  ]

  # Backup Configuration
  backup_retention_days    = 90
  backup_schedule          = "cron(0 2 * * ? *)" # Daily at 2 AM
  enable_cross_region_copy = true
  cross_region_destination = "us-west-2"

  # S3 Configuration
  s3_bucket_name       = "nestedphoenix-prod-db-backups"
  s3_storage_class     = "STANDARD_IA"
  enable_s3_versioning = true
  s3_lifecycle_rules = {
    transition_to_ia_days           = 30
    transition_to_glacier_days      = 90
    transition_to_deep_archive_days = 365
    expiration_days                 = 2555 # 7 years
  }

  # Encryption Configuration
  kms_key_id           = aws_kms_key.security_baseline.key_id
  create_kms_key       = false # It is made by the same apply.
  enable_s3_encryption = true

  # Lambda Configuration
  lambda_timeout     = 900 # 15 minutes
  lambda_memory_size = 512
  lambda_runtime     = "python3.9"

  # Monitoring Configuration
  enable_cloudwatch_logs     = true
  log_retention_days         = 30
  enable_detailed_monitoring = true

  # Notification Configuration
  notification_email = "dba-team@company.com"
  slack_webhook_url  = var.slack_webhook_url
  sns_topic_arn      = aws_sns_topic.notifications.arn
  create_sns_topic   = false

  # Network Configuration
  vpc_id               = aws_vpc.this.id
  subnet_ids           = aws_subnet.private[*].id
  enable_vpc_endpoints = true

  # Additional Tags
  additional_tags = {
    Owner           = "DBA Team"
    BackupType      = "Automated"
    Compliance      = "SOX"
    RetentionPolicy = "7-years"
  }
}
