# Two instances every night, kept for 30 days.

module "database_backup" {
  source = "../../modules/database-backup"

  # Required Variables
  project_name = "nestedphoenix"
  environment  = "production"

  # Database Configuration
  rds_instance_ids = [
    "prod-database-1",
    "prod-database-2"
  ]

  # Backup Configuration
  backup_retention_days = 30
  backup_schedule       = "cron(0 2 * * ? *)" # Daily at 2 AM

  # Notification
  notification_email = "dba-team@company.com"
}

output "lambda_function_name" {
  description = "The function: aws lambda invoke tries it."
  value       = module.database_backup.lambda_function_name
}
