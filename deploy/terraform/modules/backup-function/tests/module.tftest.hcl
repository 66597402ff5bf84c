# What the module makes of its variables, without AWS: terraform test (1.7 or newer).

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:made" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::some-backups" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/made" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:made" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-central-1:123456789012:made" }
  }
  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:eu-central-1:123456789012:task-definition/made:1" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-central-1:123456789012:rule/made" }
  }
}

variables {
  function_name = "keep"
  # A protected one could not be taken down at the end.
  protect_bucket = false
  bucket_name    = "some-backups"
  image_uri      = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/pgkeep:1"
  secrets        = { PGKEEP_DATABASES = "[\"postgres://u:planted@h/d\"]" }
}

run "a_secret_is_not_in_the_environment" {
  assert {
    condition     = !strcontains(jsonencode(aws_lambda_function.this.environment), "planted")
    error_message = "The environment holds a secret."
  }
  assert {
    condition     = aws_lambda_function.this.environment[0].variables["PGKEEP_DATABASES_SECRET"] == aws_secretsmanager_secret.this["PGKEEP_DATABASES"].arn
    error_message = "The environment does not say where the secret is."
  }
  assert {
    condition     = aws_secretsmanager_secret_version.this["PGKEEP_DATABASES"].secret_string == "[\"postgres://u:planted@h/d\"]"
    error_message = "The secret is not kept."
  }
}

run "unless_that_is_asked_for" {
  command = plan
  variables {
    secrets_in_environment = true
  }
  assert {
    condition     = var.secrets["PGKEEP_DATABASES"] == aws_lambda_function.this.environment[0].variables["PGKEEP_DATABASES"] && length(aws_secretsmanager_secret.this) == 0
    error_message = "It is not in the environment, or kept as well."
  }
}

run "defaults" {
  assert {
    condition     = aws_lambda_function.this.memory_size == 512 && aws_lambda_function.this.timeout == 900 && aws_lambda_function.this.architectures[0] == "x86_64"
    error_message = "Memory, timeout or processor."
  }
  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == -1 && aws_lambda_function.this.tracing_config[0].mode == "PassThrough"
    error_message = "Concurrency or tracing."
  }
  assert {
    condition     = length(aws_lambda_function.this.vpc_config) == 0
    error_message = "VPC."
  }
  assert {
    condition     = join(",", sort(keys(aws_cloudwatch_metric_alarm.this))) == "duration,errors"
    error_message = "Alarms."
  }
}

run "the_bucket_is_protected" {
  command = plan
  variables {
    protect_bucket = true
  }
  assert {
    condition     = length(aws_s3_bucket.backups) == 1 && length(aws_s3_bucket.unprotected) == 0
    error_message = "It is not."
  }
}

run "without_retention_nothing_expires" {
  variables {
    retention_days = 0
  }
  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.backups.rule[0].status == "Disabled"
    error_message = "Backups expire."
  }
}

run "a_key_of_ones_own_is_used_everywhere" {
  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
  }
  assert {
    condition = alltrue([for key in [
      aws_lambda_function.this.kms_key_arn,
      aws_secretsmanager_secret.this["PGKEEP_DATABASES"].kms_key_id,
      aws_cloudwatch_log_group.function.kms_key_id,
      aws_sqs_queue.failed.kms_master_key_id,
      one(one(aws_s3_bucket_server_side_encryption_configuration.backups.rule).apply_server_side_encryption_by_default).kms_master_key_id,
    ] : key == "arn:aws:kms:eu-central-1:123456789012:key/1"])
    error_message = "Something is not encrypted by it."
  }
}

run "a_package_or_an_image" {
  command = plan
  variables {
    image_uri = null
  }
  expect_failures = [aws_lambda_function.this]
}

run "subnets_need_security_groups" {
  command = plan
  variables {
    subnet_ids = ["subnet-1"]
  }
  expect_failures = [aws_lambda_function.this]
}

run "fan_out_needs_room" {
  command = plan
  variables {
    fan_out              = 2
    reserved_concurrency = 2
  }
  expect_failures = [aws_lambda_function.this]
}

run "values_that_make_no_sense_are_refused" {
  command = plan
  variables {
    function_name        = "a function"
    bucket_name          = "My_Bucket"
    architecture         = "ppc"
    memory_size          = 128
    timeout              = 901
    prefix               = "/a"
    retention_days       = -1
    log_retention_days   = 2
    schedule_expression  = "every day"
    retry_attempts       = 3
    reserved_concurrency = 0
  }
  expect_failures = [
    var.function_name, var.bucket_name, var.architecture, var.memory_size, var.timeout, var.prefix, var.retention_days,
    var.log_retention_days, var.schedule_expression, var.retry_attempts, var.reserved_concurrency,
  ]
}

run "a_task_has_what_the_function_has" {
  variables {
    environment = { PGKEEP_FORMAT = "plain" }
    fargate = {
      image              = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/pgkeep:1"
      subnet_ids         = ["subnet-1", "subnet-2"]
      security_group_ids = ["sg-1"]
    }
  }
  assert {
    condition     = strcontains(aws_ecs_task_definition.this[0].container_definitions, "PGKEEP_DATABASES_SECRET") && !strcontains(aws_ecs_task_definition.this[0].container_definitions, "planted")
    error_message = "A task does not know where the secret is, or has it."
  }
  assert {
    condition     = aws_lambda_function.this.environment[0].variables["PGKEEP_FARGATE"] == "too-big" && aws_lambda_function.this.environment[0].variables["PGKEEP_FARGATE_SUBNETS"] == "subnet-1,subnet-2"
    error_message = "The function does not know of tasks."
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.given_up) == 1
    error_message = "A failed task tells nobody."
  }
}
