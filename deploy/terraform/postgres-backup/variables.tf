variable "databases" {
  description = "The databases to back up."
  type = list(object({
    host     = string
    port     = optional(number, 5432)
    username = string
    password = string
    database = string
    ssl_mode = optional(string, "require")
    name     = optional(string)
  }))
  sensitive = true

  validation {
    condition     = length(var.databases) > 0
    error_message = "databases is empty: name one at least."
  }
  validation {
    condition     = alltrue([for d in var.databases : contains(["disable", "allow", "prefer", "require", "verify-ca", "verify-full"], d.ssl_mode)])
    error_message = "ssl_mode is disable, allow, prefer, require, verify-ca or verify-full."
  }
}

variable "fan_out" {
  description = "How many invocations for a database each may run at once; 0: one after the other in one invocation. They count against reserved_concurrency."
  type        = number
  default     = 0
}

variable "fargate" {
  description = "Where databases go that do not fit into an invocation by their size, and those named in databases: image (of deploy/container), subnet_ids, security_group_ids; repository_arn if the image is in ECR, assign_public_ip, cpu (1024 is one processor), memory in MB."
  type = object({
    image              = string
    subnet_ids         = list(string)
    security_group_ids = list(string)
    repository_arn     = optional(string)
    assign_public_ip   = optional(bool, false)
    cpu                = optional(number, 1024)
    memory             = optional(number, 2048)
    databases          = optional(list(string), [])
  })
  default = null
}

variable "backup_bucket_name" {
  description = "Bucket for the backups; it is made here, and kept when all else is destroyed."
  type        = string
}

variable "backup_retention_days" {
  description = "Days after which a backup is deleted."
  type        = number
  default     = 2
}

variable "version_retention_days" {
  description = "Days for which the bucket keeps what was deleted or overwritten."
  type        = number
  default     = 30
}

variable "backup_prefix" {
  description = "Folder in the bucket."
  type        = string
  default     = "postgres-backup"
}

variable "protect_bucket" {
  description = "Whether `terraform destroy` refuses to delete the bucket, and with it everything; ./deploy.sh destroy keeps the bucket."
  type        = bool
  default     = true
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

variable "function_name" {
  description = "Name of the function."
  type        = string
  default     = "postgres-backup-service"
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

variable "reserved_concurrency" {
  description = "How many invocations may run at once; -1 for no limit of the function's own."
  type        = number
  default     = -1
}

variable "log_level" {
  description = "error, warn, info or debug."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["error", "warn", "info", "debug"], var.log_level)
    error_message = "log_level is error, warn, info or debug."
  }
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps the log."
  type        = number
  default     = 14
}

variable "schedule_expression" {
  description = "When the backups run, in UTC."
  type        = string
  default     = "rate(3 hours)"
}

variable "subnet_ids" {
  description = "Subnets of the function, for databases in a VPC."
  type        = list(string)
  default     = []
}

variable "security_group_ids" {
  description = "Security groups of the function in the VPC."
  type        = list(string)
  default     = []
}

variable "alarm_sns_topic_arn" {
  description = "SNS topic that the alarms tell."
  type        = string
  default     = null
}

variable "kms_key_arn" {
  description = "KMS key for bucket, secrets and logs; AWS's own keys without it."
  type        = string
  default     = null
}

variable "secrets_in_environment" {
  description = "Put the databases with their passwords into the function's environment instead of Secrets Manager."
  type        = bool
  default     = false
}

variable "aws_region" {
  description = "Region of all of it."
  type        = string
  default     = "us-east-1"
}

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
  default     = {}
}
