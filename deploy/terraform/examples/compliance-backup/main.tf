# Long-term archives: snapshots for a year, copies for three, and every month an export that is kept for ten.

module "database_backup" {
  source = "../../modules/database-backup"

  project_name     = "nestedphoenix"
  environment      = "compliance"
  rds_instance_ids = ["ledger"]

  backup_retention_days       = 365
  enable_cross_region_copy    = true
  cross_region_destination    = "eu-west-1"
  cross_region_retention_days = 1095

  export_schedule  = "cron(0 6 1 * ? *)"
  s3_storage_class = "STANDARD_IA"
  s3_lifecycle_rules = {
    transition_to_ia_days           = 30
    transition_to_glacier_days      = 90
    transition_to_deep_archive_days = 365
    expiration_days                 = 3650
  }

  log_retention_days         = 3653
  enable_detailed_monitoring = true
  notification_email         = "compliance@company.com"

  additional_tags = {
    Compliance      = "SOX"
    RetentionPolicy = "10-years"
  }
}
