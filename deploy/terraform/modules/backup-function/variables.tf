variable "function_name" {
  description = "Name of the Lambda function; the log group, the role and the alarms are named after it."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,50}$", var.function_name))
    error_message = "function_name has 1 to 50 letters, digits, hyphens and underscores: names of alarms and roles are made of it."
  }
}

variable "package_file" {
  description = "Zip with the function, as `pgkeep lambda package` makes it."
  type        = string
  default     = null
}

variable "image_uri" {
  description = "Container image with the function in ECR, instead of package_file."
  type        = string
  default     = null
}

variable "architecture" {
  description = "Processor of the function: arm64 costs a fifth less."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture is x86_64 or arm64, and the package must be made for it."
  }
}

variable "memory_size" {
  description = "Memory in MB. Lambda gives a whole processor at 1,769 MB."
  type        = number
  default     = 512

  validation {
    condition     = var.memory_size >= 256 && var.memory_size <= 10240
    error_message = "memory_size is 256 to 10240 MB: pgkeep needs 256."
  }
}

variable "timeout" {
  description = "Seconds that an invocation may take. A backup that does not end in time is stopped before, fails, and leaves nothing."
  type        = number
  default     = 900

  validation {
    condition     = var.timeout >= 30 && var.timeout <= 900
    error_message = "timeout is 30 to 900 seconds, which is the most that Lambda gives. Use Fargate beyond that."
  }
}

variable "reserved_concurrency" {
  description = "How many invocations may run at once; -1 for no limit of the function's own. Two schedules of one function need 2."
  type        = number
  default     = -1

  validation {
    condition     = var.reserved_concurrency == -1 || var.reserved_concurrency > 0
    error_message = "reserved_concurrency is 1 or more, or -1 for no limit: with 0 nothing would run."
  }
}

variable "environment" {
  description = "Environment of the function: any option of `pgkeep backup` as PGKEEP_<OPTION>. Nothing secret belongs here."
  type        = map(string)
  default     = {}
}

variable "secrets" {
  description = "Secrets by the variable that the function knows them by, such as PGKEEP_DATABASES. Each is kept in Secrets Manager, and the function gets its ARN in <NAME>_SECRET."
  type        = map(string)
  default     = {}
}

variable "secrets_in_environment" {
  description = "Put the secrets into the function's environment instead of Secrets Manager. Whoever may read the function's configuration can read them then."
  type        = bool
  default     = false
}

variable "secret_arns" {
  description = "Further secrets in Secrets Manager that the function may read."
  type        = list(string)
  default     = []
}

variable "bucket_name" {
  description = "Bucket for the backups; it is made here."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name has 3 to 63 lower case letters, digits, dots and hyphens, and is unique in all of AWS."
  }
}

variable "prefix" {
  description = "Folder in the bucket, without slashes at its ends; empty for none."
  type        = string
  default     = ""

  validation {
    condition     = !startswith(var.prefix, "/") && !endswith(var.prefix, "/")
    error_message = "prefix has no slash at its ends."
  }
}

variable "retention_days" {
  description = "Days after which the bucket deletes a backup; 0 for never."
  type        = number
  default     = 30

  validation {
    condition     = var.retention_days >= 0 && floor(var.retention_days) == var.retention_days
    error_message = "retention_days is a whole number of days, 0 for never."
  }
}

variable "version_retention_days" {
  description = "Days for which the bucket keeps what was deleted or overwritten."
  type        = number
  default     = 30
}

variable "protect_bucket" {
  description = "Whether `terraform destroy` refuses to delete the bucket. S3 itself refuses while there is anything in it."
  type        = bool
  default     = true
}

variable "kms_key_arn" {
  description = "KMS key for bucket, secrets, environment, queue and logs; AWS's own keys without it. Its policy has to let CloudWatch Logs use it."
  type        = string
  default     = null
}

variable "schedule_expression" {
  description = "When the function runs: rate(…) or cron(…), in UTC."
  type        = string
  default     = "rate(3 hours)"

  validation {
    condition     = can(regex("^(rate\\([1-9][0-9]* (minute|minutes|hour|hours|day|days)\\)|cron\\(.+\\))$", var.schedule_expression))
    error_message = "schedule_expression is written like rate(3 hours) or cron(0 2 * * ? *)."
  }
}

variable "subnet_ids" {
  description = "Subnets of the function, for databases in a VPC. They need a way to S3 and Secrets Manager: a NAT gateway or VPC endpoints."
  type        = list(string)
  default     = []
}

variable "security_group_ids" {
  description = "Security groups of the function in the VPC."
  type        = list(string)
  default     = []
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps the function's log."
  type        = number
  default     = 14

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653, 0], var.log_retention_days)
    error_message = "log_retention_days is one of the numbers that CloudWatch Logs takes: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 and more; 0 for ever."
  }
}

variable "alarm_topic_arns" {
  description = "SNS topics that the alarms tell."
  type        = list(string)
  default     = []
}

variable "duration_alarm_seconds" {
  description = "An invocation that takes longer raises an alarm; 0 for none."
  type        = number
  default     = 600
}

variable "throttle_alarm" {
  description = "Whether a throttled invocation raises an alarm."
  type        = bool
  default     = false
}

variable "retry_attempts" {
  description = "How often Lambda tries a failed scheduled invocation again."
  type        = number
  default     = 1

  validation {
    condition     = contains([0, 1, 2], var.retry_attempts)
    error_message = "retry_attempts is 0, 1 or 2."
  }
}

variable "rds_describe" {
  description = "Whether the function may look up RDS instances and clusters, for rds: names."
  type        = bool
  default     = false
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

variable "tags" {
  description = "Tags of everything that is made here."
  type        = map(string)
  default     = {}
}
