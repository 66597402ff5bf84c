mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  databases          = [{ host = "db", username = "u", password = "planted", database = "d" }]
  backup_bucket_name = "some-backups"
  # Terraform asks for the file's hash.
  package_file = "versions.tf"
}

run "defaults_are_those_of_the_guide" {
  command = plan
  assert {
    condition     = var.backup_retention_days == 2 && var.backup_prefix == "postgres-backup" && var.schedule_expression == "rate(3 hours)"
    error_message = "Retention, prefix or schedule."
  }
  assert {
    condition     = var.function_name == "postgres-backup-service" && var.log_level == "info" && var.log_retention_days == 14
    error_message = "Name or log."
  }
  assert {
    condition     = var.memory_size == 512 && var.timeout == 900 && var.protect_bucket
    error_message = "Memory, timeout or bucket."
  }
  assert {
    condition     = var.databases[0].port == 5432 && var.databases[0].ssl_mode == "require"
    error_message = "Port or TLS of a database."
  }
}

run "no_database" {
  command = plan
  variables {
    databases = []
  }
  expect_failures = [var.databases]
}

run "values_that_make_no_sense_are_refused" {
  command = plan
  variables {
    databases     = [{ host = "db", username = "u", password = "p", database = "d", ssl_mode = "maybe" }]
    log_level     = "loud"
    backup_format = "tar"
  }
  expect_failures = [var.databases, var.log_level, var.backup_format]
}
