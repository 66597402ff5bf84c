mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/chat-backup-role" }
  }
  mock_resource "aws_backup_vault" {
    defaults = { arn = "arn:aws:backup:eu-central-1:123456789012:backup-vault:chat-backup-vault" }
  }
}

variables {
  name      = "chat"
  resources = ["arn:aws:rds:eu-central-1:123456789012:db:chat"]
}

run "production" {
  variables {
    preset = "prod"
  }
  assert {
    condition     = length(aws_backup_plan.this.rule) == 2 && output.backup_vault.name == "chat-backup-vault"
    error_message = "Production has two rules."
  }
}

run "development" {
  variables {
    preset = "dev"
  }
  assert {
    condition     = one(aws_backup_plan.this.rule).enable_continuous_backup == false && one(one(aws_backup_plan.this.rule).lifecycle).delete_after == 7
    error_message = "Development keeps seven days and is not continuous."
  }
}

run "no_rules" {
  command         = plan
  expect_failures = [aws_backup_plan.this]
}

run "continuous_for_too_long" {
  command = plan
  variables {
    preset = "prod"
    rules  = { daily-backup = { delete_after = 36 } }
  }
  expect_failures = [aws_backup_plan.this]
}

run "a_window_that_is_too_short" {
  command = plan
  variables {
    preset = "dev"
    rules  = { daily-backup = { completion_window = 119 } }
  }
  expect_failures = [aws_backup_plan.this]
}

run "cold_for_too_short" {
  command = plan
  variables {
    preset = "prod"
    rules  = { weekly-backup = { cold_after = 1 } }
  }
  expect_failures = [aws_backup_plan.this]
}

run "a_lock_that_the_rules_do_not_keep_to" {
  command = plan
  variables {
    preset     = "prod"
    vault_lock = { mode = "governance", max_days = 60 }
  }
  expect_failures = [aws_backup_plan.this]
}

run "nothing_selected" {
  command = plan
  variables {
    preset    = "dev"
    resources = []
  }
  expect_failures = [aws_backup_selection.this]
}

run "wrong_words" {
  command = plan
  variables {
    name       = "with spaces"
    preset     = "dev"
    vault_lock = { mode = "compliance" }
  }
  expect_failures = [var.name, var.vault_lock]
}
