variable "project_name" {
  description = "Name of the project. Everything that is made is named after it and the environment."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,24}$", var.project_name))
    error_message = "project_name begins with a lower-case letter and has up to 25 lower-case letters, digits and hyphens, since a bucket is named after it."
  }
}

variable "environment" {
  description = "Name of the environment, such as staging or production."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}$", var.environment))
    error_message = "environment begins with a lower-case letter and has up to 15 lower-case letters, digits and hyphens."
  }
}

variable "rds_instance_ids" {
  description = "Identifiers of the RDS instances, and of Aurora clusters, to back up."
  type        = list(string)

  validation {
    condition     = length(var.rds_instance_ids) > 0
    error_message = "rds_instance_ids names no instance: there would be nothing to back up."
  }
  validation {
    condition     = alltrue([for id in var.rds_instance_ids : can(regex("^[a-z][a-z0-9-]{0,62}$", id))])
    error_message = "rds_instance_ids are identifiers as RDS shows them, in lower case, and no ARNs or endpoints."
  }
  validation {
    condition     = length(distinct(var.rds_instance_ids)) == length(var.rds_instance_ids)
    error_message = "rds_instance_ids names an instance twice."
  }
}

# Backup

variable "backup_retention_days" {
  description = "Days that snapshots are kept, counted back from the newest of each database, which always stays."
  type        = number
  default     = 30

  validation {
    condition     = var.backup_retention_days >= 1 && floor(var.backup_retention_days) == var.backup_retention_days
    error_message = "backup_retention_days is a whole number of days, 1 or more."
  }
}

variable "backup_schedule" {
  description = "When snapshots are made: an EventBridge schedule expression, in UTC."
  type        = string
  default     = "cron(0 2 * * ? *)"

  validation {
    condition     = can(regex("^(cron|rate)\\(.+\\)$", var.backup_schedule))
    error_message = "backup_schedule is cron(minutes hours day-of-month month day-of-week year), such as cron(0 2 * * ? *), or rate(1 day)."
  }
}

variable "backup_window" {
  description = "The window (UTC) in which a snapshot is to begin; its length counts, from backup_schedule on. An instance that is busy for longer fails."
  type        = string
  default     = "02:00-03:00"

  validation {
    condition     = can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$", var.backup_window))
    error_message = "backup_window is written like 02:00-03:00."
  }
}

variable "enable_cross_region_copy" {
  description = "Copy each snapshot, and what is in the bucket, to another region."
  type        = bool
  default     = false
}

variable "cross_region_destination" {
  description = "The other region, such as us-west-2."
  type        = string
  default     = null

  validation {
    condition     = var.cross_region_destination == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", coalesce(var.cross_region_destination, "-")))
    error_message = "cross_region_destination is a region such as us-west-2."
  }
}

variable "cross_region_retention_days" {
  description = "Days that copies are kept there; as many as backup_retention_days by default."
  type        = number
  default     = null
}

variable "source_kms_key_arns" {
  description = "ARNs of the KMS keys by which the databases themselves are encrypted, where those are your own keys."
  type        = list(string)
  default     = []
}

# S3

variable "s3_bucket_name" {
  description = "Name of the bucket; made of project, environment and account where it is null."
  type        = string
  default     = null
}

variable "s3_storage_class" {
  description = "Storage class of what lies in the bucket. S3 moves objects into the IA classes after 30 days at the earliest, into others at once."
  type        = string
  default     = "STANDARD"

  validation {
    condition     = contains(["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"], var.s3_storage_class)
    error_message = "s3_storage_class is one of STANDARD, STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING, GLACIER_IR, GLACIER, DEEP_ARCHIVE."
  }
}

variable "enable_s3_versioning" {
  description = "Keep old versions of objects. Replication to another region needs them."
  type        = bool
  default     = true
}

variable "s3_lifecycle_rules" {
  description = "After how many days exports move to cheaper storage, and are deleted."
  type = object({
    transition_to_ia_days           = optional(number, 30)
    transition_to_glacier_days      = optional(number, 90)
    transition_to_deep_archive_days = optional(number, 365)
    expiration_days                 = optional(number, 2555)
  })
  default = {}

  validation {
    condition     = var.s3_lifecycle_rules.transition_to_ia_days >= 30
    error_message = "transition_to_ia_days is 30 or more: S3 moves nothing into STANDARD_IA before."
  }
  validation {
    condition = (
      var.s3_lifecycle_rules.transition_to_ia_days + 30 <= var.s3_lifecycle_rules.transition_to_glacier_days &&
      var.s3_lifecycle_rules.transition_to_glacier_days < var.s3_lifecycle_rules.transition_to_deep_archive_days &&
      var.s3_lifecycle_rules.transition_to_deep_archive_days < var.s3_lifecycle_rules.expiration_days
    )
    error_message = "s3_lifecycle_rules go from IA (30 days at least) to Glacier, Deep Archive and expiration, each later than the one before."
  }
}

variable "export_schedule" {
  description = "When the newest snapshot of each database is exported to the bucket as Parquet files, such as cron(0 6 1 * ? *); null for never."
  type        = string
  default     = null
}

# Lambda

variable "package_file" {
  description = "The function's package, made by pgkeep lambda package."
  type        = string
  default     = "pgkeep-lambda.zip"
}

variable "lambda_architecture" {
  description = "The package's processor: x86_64 or arm64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.lambda_architecture)
    error_message = "lambda_architecture is x86_64 or arm64."
  }
}

variable "lambda_timeout" {
  description = "Seconds that an invocation may take. It waits for the snapshots; what is not done then is taken up by the event's next try."
  type        = number
  default     = 300

  validation {
    condition     = var.lambda_timeout >= 60 && var.lambda_timeout <= 900
    error_message = "lambda_timeout is 60 to 900 seconds, which is the most that Lambda gives."
  }
}

variable "lambda_memory_size" {
  description = "Memory of the function in MB. It only waits for RDS."
  type        = number
  default     = 256

  validation {
    condition     = var.lambda_memory_size >= 128 && var.lambda_memory_size <= 10240
    error_message = "lambda_memory_size is 128 to 10240 MB."
  }
}

# tflint-ignore: terraform_unused_declarations
variable "lambda_runtime" {
  description = "Obsolete, and without effect: the function is a program of its own and runs on provided.al2023. Accepted so that calls need not be changed."
  type        = string
  default     = "python3.9"
}

variable "lambda_reserved_concurrency" {
  description = "Invocations that may run at once, taken from the account's; -1 for no limit."
  type        = number
  default     = 1
}

# Monitoring

variable "enable_cloudwatch_logs" {
  description = "Let the function write logs."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 14

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is one of the numbers that CloudWatch takes: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653."
  }
}

variable "enable_detailed_monitoring" {
  description = "Further alarms (age of the newest snapshot, duration), hourly figures, and traces by X-Ray."
  type        = bool
  default     = false
}

variable "metric_namespace" {
  description = "Namespace of the metrics."
  type        = string
  default     = "CustomMetrics/DatabaseBackup"
}

variable "snapshot_age_alarm_hours" {
  description = "Age of a newest snapshot from which on there is an alarm, with detailed monitoring."
  type        = number
  default     = 26
}

# Notifications

variable "notification_email" {
  description = "Who is told by e-mail; the address has to confirm it."
  type        = string
  default     = null
}

variable "slack_webhook_url" {
  description = "Slack's incoming webhook. It is kept in Secrets Manager, and in Terraform's state."
  type        = string
  default     = null
  sensitive   = true
}

variable "sns_topic_arn" {
  description = "An SNS topic that there is already; one is made where it is null."
  type        = string
  default     = null
}

variable "create_sns_topic" {
  description = "Whether an SNS topic is made; where sns_topic_arn is null, by default. Say false where sns_topic_arn comes from a resource that the same apply makes."
  type        = bool
  default     = null
}

# Security

variable "kms_key_id" {
  description = "Id or ARN of the KMS key for bucket, logs and secrets; one is made where it is null."
  type        = string
  default     = null
}

variable "create_kms_key" {
  description = "Whether a KMS key is made; where kms_key_id is null, by default. Say false where kms_key_id comes from a resource that the same apply makes: Terraform must know beforehand."
  type        = bool
  default     = null
}

variable "enable_s3_encryption" {
  description = "Encrypt the bucket by the KMS key; else by S3's own."
  type        = bool
  default     = true
}

variable "enable_s3_access_logging" {
  description = "Write down who reads the bucket, into a bucket of its own."
  type        = bool
  default     = true
}

# Network

variable "vpc_id" {
  description = "VPC of the function. It talks to AWS alone, and needs none."
  type        = string
  default     = null
}

variable "subnet_ids" {
  description = "Subnets of the function in the VPC, with a way to AWS: a NAT gateway, or VPC endpoints."
  type        = list(string)
  default     = []
}

variable "enable_vpc_endpoints" {
  description = "Make the VPC endpoints by which the function reaches AWS without the internet."
  type        = bool
  default     = false
}

variable "additional_tags" {
  description = "Tags for everything that is made, snapshots among it."
  type        = map(string)
  default     = {}
}
