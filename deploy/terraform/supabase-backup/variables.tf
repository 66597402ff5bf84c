variable "supabase_db_url" {
  description = "Connection string of the database: the session pooler's, since Lambda has no IPv6 to the database itself."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^postgres(ql)?://[^:@/]+:[^@]+@", var.supabase_db_url))
    error_message = "supabase_db_url is written like postgres://postgres.<project>:<password>@aws-0-<region>.pooler.supabase.com:5432/postgres."
  }
}

variable "alert_email" {
  description = "Who is told by e-mail when a backup fails."
  type        = string

  validation {
    condition     = can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", var.alert_email))
    error_message = "alert_email is an e-mail address."
  }
}

variable "aws_region" {
  description = "Region of all of it."
  type        = string
  default     = "us-east-1"
}

variable "backup_schedule" {
  description = "When the backup runs, in UTC: rate(…) or cron(…)."
  type        = string
  default     = "rate(7 days)"
}

variable "project" {
  description = "Prefix of all names."
  type        = string
  default     = "pana"
}

variable "function_name" {
  description = "Name of the function [default: <project>_db_backup]."
  type        = string
  default     = null
}

variable "bucket_name" {
  description = "Bucket for the backups [default: <project>-db-backups]."
  type        = string
  default     = null
}

variable "protect_bucket" {
  description = "Whether `terraform destroy` refuses to delete the bucket, and with it everything. Without it S3 still refuses while there is a backup in it, after all else is gone."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "KMS key for bucket, secret, environment, queue, logs and alerts; AWS's own keys without it. Its policy has to let CloudWatch and CloudWatch Logs use it."
  type        = string
  default     = null
}

variable "retention_days" {
  description = "Days after which a backup is deleted."
  type        = number
  default     = 30
}

variable "version_retention_days" {
  description = "Days for which the bucket keeps what was deleted or overwritten."
  type        = number
  default     = 30
}

variable "backup_format" {
  description = "plain: SQL scripts, for psql. custom: archives, for pg_restore and for restoring single tables."
  type        = string
  default     = "plain"

  validation {
    condition     = contains(["plain", "custom"], var.backup_format)
    error_message = "backup_format is plain or custom."
  }
}

variable "package_file" {
  description = "Zip with the function, as `pgkeep lambda package` makes it."
  type        = string
  default     = "pgkeep-lambda.zip"
}

variable "architecture" {
  description = "Processor that the package was made for: x86_64 or arm64."
  type        = string
  default     = "x86_64"
}

variable "memory_size" {
  description = "Memory in MB."
  type        = number
  default     = 512
}

variable "timeout" {
  description = "Seconds that an invocation may take."
  type        = number
  default     = 900
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps the log."
  type        = number
  default     = 14
}

variable "secrets_in_environment" {
  description = "Put the connection string into the function's environment instead of Secrets Manager."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
  default     = {}
}
