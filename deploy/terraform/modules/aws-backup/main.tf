locals {
  prod = var.preset == "prod"
  preset_rules = var.preset == null ? {} : merge(
    {
      daily-backup = {
        schedule          = "cron(0 3 * * ? *)"
        start_window      = 60
        completion_window = 180
        delete_after      = local.prod ? 35 : 7
        continuous        = local.prod
      }
    },
    { for name in(local.prod ? ["weekly-backup"] : []) : name => {
      schedule          = "cron(0 4 ? * SUN *)"
      start_window      = null
      completion_window = null
      delete_after      = 90
      continuous        = false
    } }
  )
  # What is left out is AWS's own default: at 5, within eight hours, done within seven days.
  rules = {
    for name in toset(concat(keys(local.preset_rules), keys(var.rules))) : name => {
      schedule          = try(coalesce(try(var.rules[name].schedule, null), try(local.preset_rules[name].schedule, null)), "cron(0 5 ? * * *)")
      start_window      = try(coalesce(try(var.rules[name].start_window, null), try(local.preset_rules[name].start_window, null)), 480)
      completion_window = try(coalesce(try(var.rules[name].completion_window, null), try(local.preset_rules[name].completion_window, null)), 10080)
      delete_after      = try(coalesce(try(var.rules[name].delete_after, null), try(local.preset_rules[name].delete_after, null)), null)
      cold_after        = try(var.rules[name].cold_after, null)
      continuous        = try(coalesce(try(var.rules[name].continuous, null), try(local.preset_rules[name].continuous, null)), false)
      copy              = coalesce(try(var.rules[name].copy, null), [])
      tags              = coalesce(try(var.rules[name].tags, null), {})
    } if try(var.rules[name].enabled, null) != false
  }
  role = var.role == null ? aws_iam_role.backup[0].arn : var.role
  # AWS wants the name of a tag with this before it in conditions, and without it among the selection's tags.
  conditions = {
    for kind, tags in var.conditions : kind => {
      for key, value in tags : strcontains(key, ":") ? key : "aws:ResourceTag/${key}" => value
    }
  }
}

data "aws_partition" "current" {}

resource "aws_backup_vault" "this" {
  name        = "${var.name}-backup-vault"
  kms_key_arn = var.kms_key
  tags        = var.tags
}

resource "aws_backup_vault_policy" "this" {
  count             = var.access_policy == null ? 0 : 1
  backup_vault_name = aws_backup_vault.this.name
  policy            = var.access_policy
}

resource "aws_backup_vault_lock_configuration" "this" {
  count               = var.vault_lock == null ? 0 : 1
  backup_vault_name   = aws_backup_vault.this.name
  min_retention_days  = var.vault_lock.min_days
  max_retention_days  = var.vault_lock.max_days
  changeable_for_days = var.vault_lock.changeable_for_days
}

resource "aws_iam_role" "backup" {
  count = var.role == null ? 1 : 0
  name  = "${var.name}-backup-role"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "backup.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "backup" {
  for_each   = toset(var.role == null ? ["AWSBackupServiceRolePolicyForBackup", "AWSBackupServiceRolePolicyForRestores"] : [])
  role       = aws_iam_role.backup[0].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/${each.key}"
}

resource "aws_backup_plan" "this" {
  name = "${var.name}-backup-plan"
  tags = var.tags

  dynamic "rule" {
    for_each = local.rules
    content {
      rule_name                    = rule.key
      target_vault_name            = aws_backup_vault.this.name
      schedule                     = rule.value.schedule
      schedule_expression_timezone = var.time_zone
      start_window                 = rule.value.start_window
      completion_window            = rule.value.completion_window
      enable_continuous_backup     = rule.value.continuous
      recovery_point_tags          = rule.value.tags

      lifecycle {
        cold_storage_after = rule.value.cold_after
        delete_after       = rule.value.delete_after
      }

      dynamic "copy_action" {
        for_each = rule.value.copy
        content {
          destination_vault_arn = copy_action.value.vault
          lifecycle {
            cold_storage_after = copy_action.value.cold_after
            delete_after       = copy_action.value.delete_after
          }
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.rules) > 0
      error_message = "There are no rules: set preset = \"dev\" or \"prod\", or write rules."
    }
    precondition {
      condition     = alltrue([for r in local.rules : r.start_window >= 60 && r.completion_window >= r.start_window + 60])
      error_message = "A start_window is 60 minutes at least, and a completion_window 60 more than it."
    }
    precondition {
      condition     = alltrue([for r in local.rules : !r.continuous || (r.cold_after == null && coalesce(r.delete_after, 36) <= 35)])
      error_message = "Continuous backups stay for 1 to 35 days and do not move to cold storage."
    }
    precondition {
      condition     = alltrue([for r in local.rules : r.cold_after == null || coalesce(r.delete_after, 36500) >= coalesce(r.cold_after, 0) + 90])
      error_message = "What moves to cold storage has to stay there for 90 days: delete_after is cold_after + 90 at least."
    }
    precondition {
      condition = var.vault_lock == null ? true : alltrue([for r in local.rules :
        coalesce(r.delete_after, 36501) >= coalesce(var.vault_lock.min_days, 0) && coalesce(r.delete_after, 36501) <= coalesce(var.vault_lock.max_days, 36501)
      ])
      error_message = "A rule keeps for less or for longer than the vault's lock allows: its jobs would fail."
    }
  }
}

resource "aws_backup_selection" "this" {
  name          = "${var.name}-backup-selection"
  plan_id       = aws_backup_plan.this.id
  iam_role_arn  = local.role
  resources     = var.resources
  not_resources = var.not_resources

  dynamic "selection_tag" {
    for_each = var.selection_tags
    content {
      type  = "STRINGEQUALS"
      key   = selection_tag.key
      value = selection_tag.value
    }
  }

  dynamic "condition" {
    for_each = anytrue([for tags in values(local.conditions) : length(tags) > 0]) ? [1] : []
    content {
      dynamic "string_equals" {
        for_each = local.conditions.string_equals
        content {
          key   = string_equals.key
          value = string_equals.value
        }
      }
      dynamic "string_not_equals" {
        for_each = local.conditions.string_not_equals
        content {
          key   = string_not_equals.key
          value = string_not_equals.value
        }
      }
      dynamic "string_like" {
        for_each = local.conditions.string_like
        content {
          key   = string_like.key
          value = string_like.value
        }
      }
      dynamic "string_not_like" {
        for_each = local.conditions.string_not_like
        content {
          key   = string_not_like.key
          value = string_not_like.value
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = length(var.resources) + length(var.selection_tags) + length(var.conditions.string_equals) + length(var.conditions.string_like) > 0
      error_message = "Nothing is selected: name resources, selection_tags or conditions."
    }
  }
}
