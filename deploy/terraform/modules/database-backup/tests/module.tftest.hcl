mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

mock_provider "aws" {
  alias = "destination"
}

variables {
  project_name     = "phoenix"
  environment      = "staging"
  rds_instance_ids = ["prod-database-1"]
  package_file     = "tests/module.tftest.hcl"
}

run "defaults" {
  command = plan

  assert {
    condition     = aws_lambda_function.this.timeout == 300 && aws_lambda_function.this.memory_size == 256 && aws_lambda_function.this.reserved_concurrent_executions == 1
    error_message = "The function is not as documented."
  }
  assert {
    condition     = aws_cloudwatch_event_rule.this["create"].schedule_expression == "cron(0 2 * * ? *)" && length(aws_cloudwatch_event_rule.this) == 1
    error_message = "The schedule is not as documented."
  }
  assert {
    condition     = aws_cloudwatch_log_group.function[0].retention_in_days == 14
    error_message = "Logs are not kept as documented."
  }
  assert {
    condition     = aws_s3_bucket.backups.bucket == "phoenix-staging-db-backups-123456789012" && length(aws_s3_bucket.replica) == 0
    error_message = "The bucket is not as documented."
  }
  assert {
    condition     = length(aws_kms_key.this) == 1 && length(aws_sns_topic.this) == 1 && length(aws_security_group.function) == 0
    error_message = "Key, topic or network are not as documented."
  }
}

run "no_instances" {
  command = plan
  variables {
    rds_instance_ids = []
  }
  expect_failures = [var.rds_instance_ids]
}

run "an_arn_is_no_identifier" {
  command = plan
  variables {
    rds_instance_ids = ["arn:aws:rds:eu-central-1:123456789012:db:shop"]
  }
  expect_failures = [var.rds_instance_ids]
}

run "a_schedule_in_cron_s_own_form" {
  command = plan
  variables {
    backup_schedule = "0 2 * * *"
  }
  expect_failures = [var.backup_schedule]
}

run "a_window_without_an_end" {
  command = plan
  variables {
    backup_window = "02:00"
  }
  expect_failures = [var.backup_window]
}

run "a_lifecycle_that_goes_backwards" {
  command = plan
  variables {
    s3_lifecycle_rules = { transition_to_glacier_days = 20 }
  }
  expect_failures = [var.s3_lifecycle_rules]
}

run "days_that_cloudwatch_does_not_know" {
  command = plan
  variables {
    log_retention_days = 10
  }
  expect_failures = [var.log_retention_days]
}

run "a_timeout_beyond_lambdas" {
  command = plan
  variables {
    lambda_timeout = 1200
  }
  expect_failures = [var.lambda_timeout]
}

run "a_copy_to_nowhere" {
  command = plan
  variables {
    enable_cross_region_copy = true
  }
  expect_failures = [aws_kms_key.destination]
}

run "a_vpc_without_subnets" {
  command = plan
  variables {
    vpc_id = "vpc-1"
  }
  expect_failures = [aws_lambda_function.this]
}
