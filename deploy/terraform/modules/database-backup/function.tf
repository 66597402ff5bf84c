# The function and its schedules.

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_116:Events that were given up on go to the topic, with the function's answer.
  #checkov:skip=CKV_AWS_117:It talks to AWS alone; vpc_id puts it into a VPC.
  #checkov:skip=CKV_AWS_272:The package comes from whoever applies this. A signing profile is theirs to make.
  #checkov:skip=CKV_AWS_50:enable_detailed_monitoring does it.
  function_name = local.function
  description   = "RDS snapshots of ${local.name} by pgkeep"
  role          = aws_iam_role.function.arn

  filename         = var.package_file
  source_code_hash = filebase64sha256(var.package_file)
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.lambda_architecture]

  memory_size                    = var.lambda_memory_size
  timeout                        = var.lambda_timeout
  reserved_concurrent_executions = var.lambda_reserved_concurrency
  kms_key_arn                    = local.kms_key_arn

  environment {
    variables = {
      PGKEEP_CONFIG = "s3://${aws_s3_bucket.backups.id}/${aws_s3_object.config.key}"
      # A new configuration makes new containers, which read it.
      PGKEEP_CONFIG_VERSION = sha256(local.config)
    }
  }

  dynamic "vpc_config" {
    for_each = local.in_vpc ? [1] : []
    content {
      subnet_ids         = var.subnet_ids
      security_group_ids = [aws_security_group.function[0].id]
    }
  }

  tracing_config {
    mode = var.enable_detailed_monitoring ? "Active" : "PassThrough"
  }

  tags       = local.tags
  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]

  lifecycle {
    precondition {
      condition     = (var.vpc_id != null) == local.in_vpc
      error_message = "vpc_id and subnet_ids go together: give both, or neither."
    }
    precondition {
      condition     = !var.enable_vpc_endpoints || local.in_vpc
      error_message = "enable_vpc_endpoints needs vpc_id and subnet_ids."
    }
  }
}

resource "aws_lambda_function_event_invoke_config" "this" {
  function_name          = aws_lambda_function.this.function_name
  maximum_retry_attempts = 2
  # Another try for the same time takes up what was begun. A day later the next snapshot comes.
  maximum_event_age_in_seconds = 21600

  destination_config {
    on_failure {
      destination = local.topic_arn
    }
  }
}

locals {
  schedules = merge(
    {
      create = {
        when = var.backup_schedule
        # Two tries for one time make one snapshot.
        event = "{\"command\":\"rds snapshot create\",\"options\":{\"at\":<time>}}"
      }
    },
    var.export_schedule == null ? {} : {
      export = {
        when  = var.export_schedule
        event = "{\"command\":\"rds snapshot export\",\"options\":{\"no_wait\":true}}"
      }
    },
    !var.enable_detailed_monitoring ? {} : {
      status = {
        when  = "rate(1 hour)"
        event = "{\"command\":\"rds snapshot status\"}"
      }
    },
  )
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.schedules

  name                = "${local.function}-${each.key}"
  description         = "RDS snapshots of ${local.name}: ${each.key}"
  schedule_expression = each.value.when
  tags                = local.tags
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.schedules

  rule = aws_cloudwatch_event_rule.this[each.key].name
  arn  = aws_lambda_function.this.arn

  input_transformer {
    input_paths    = { time = "$.time" }
    input_template = each.value.event
  }
}

resource "aws_lambda_permission" "schedule" {
  for_each = local.schedules

  statement_id  = each.key
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.this[each.key].arn
}
