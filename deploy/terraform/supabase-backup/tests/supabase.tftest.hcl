mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  supabase_db_url = "postgres://postgres.ref:planted@aws-0-us-east-1.pooler.supabase.com:5432/postgres"
  alert_email     = "you@example.com"
  # Terraform asks for the file's hash.
  package_file = "versions.tf"
}

run "defaults_are_those_of_the_guide" {
  command = plan
  assert {
    condition     = var.aws_region == "us-east-1" && var.backup_schedule == "rate(7 days)" && var.retention_days == 30
    error_message = "Region, schedule or retention."
  }
  assert {
    condition     = local.bucket_name == "pana-db-backups" && output.function_name == "pana_db_backup" && output.log_group_name == "/aws/lambda/pana_db_backup"
    error_message = "Names."
  }
  assert {
    condition     = aws_sns_topic_subscription.email.protocol == "email" && aws_sns_topic_subscription.email.endpoint == "you@example.com"
    error_message = "Nobody is told."
  }
}

run "values_that_make_no_sense_are_refused" {
  command = plan
  variables {
    supabase_db_url = "aws-0-us-east-1.pooler.supabase.com"
    alert_email     = "you"
    backup_format   = "tar"
  }
  expect_failures = [var.supabase_db_url, var.alert_email, var.backup_format]
}
