variable "name" {
  description = "What names begin with: <name>-backup-vault, -backup-plan, -backup-selection, -backup-role."
  type        = string
  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,33}$", var.name))
    error_message = "name is 1 to 33 letters, digits, - and _: AWS allows 50 for <name>-backup-selection."
  }
}

variable "preset" {
  description = "The rules to begin with: dev (daily, kept 7 days), prod (daily and continuous, kept 35 days; weekly, kept 90), or null for none."
  type        = string
  default     = null
  validation {
    condition     = var.preset == null || contains(["dev", "prod"], coalesce(var.preset, "dev"))
    error_message = "preset is \"dev\", \"prod\" or null."
  }
}

variable "rules" {
  description = "Rules by name. What one leaves out is as the preset's rule of that name has it, else AWS's own default; enabled = false leaves a rule out. Windows in minutes, the rest in days."
  type = map(object({
    schedule          = optional(string)
    start_window      = optional(number)
    completion_window = optional(number)
    delete_after      = optional(number)
    cold_after        = optional(number)
    continuous        = optional(bool)
    copy = optional(list(object({
      vault        = string
      delete_after = optional(number)
      cold_after   = optional(number)
    })))
    tags    = optional(map(string))
    enabled = optional(bool)
  }))
  default = {}
}

variable "resources" {
  description = "ARNs of what is backed up, such as arn:aws:rds:*:*:db:* for all RDS instances."
  type        = list(string)
  default     = []
}

variable "not_resources" {
  description = "ARNs of what is left out."
  type        = list(string)
  default     = []
}

variable "selection_tags" {
  description = "Tags of which one is enough for a resource to be backed up."
  type        = map(string)
  default     = {}
}

variable "conditions" {
  description = "Conditions on tags that all have to hold. A key without a colon is the name of a tag."
  type = object({
    string_equals     = optional(map(string), {})
    string_not_equals = optional(map(string), {})
    string_like       = optional(map(string), {})
    string_not_like   = optional(map(string), {})
  })
  default = {}
}

variable "kms_key" {
  description = "ARN of a customer's key for the vault; null: AWS's own. The key of a vault cannot be changed."
  type        = string
  default     = null
}

variable "role" {
  description = "ARN of a role for AWS Backup that is there already; null: one is made."
  type        = string
  default     = null
}

variable "time_zone" {
  description = "The time zone of schedules."
  type        = string
  default     = "UTC"
}

variable "vault_lock" {
  description = "A lock against deletion. mode = \"compliance\" is for good after changeable_for_days (3 or more): nobody can remove it then."
  type = object({
    mode                = string
    min_days            = optional(number)
    max_days            = optional(number)
    changeable_for_days = optional(number)
  })
  default = null
  validation {
    condition = var.vault_lock == null ? true : (
      var.vault_lock.mode == "governance" && var.vault_lock.changeable_for_days == null ||
      var.vault_lock.mode == "compliance" && coalesce(var.vault_lock.changeable_for_days, 0) >= 3
    )
    error_message = "vault_lock: mode is \"governance\", or \"compliance\" with changeable_for_days of 3 or more."
  }
}

variable "access_policy" {
  description = "The vault's access policy, JSON."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of vault, plan and role."
  type        = map(string)
  default     = {}
}
