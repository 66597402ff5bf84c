# The backup function with all that it needs. The roots beside modules/ give it interfaces of their own.

locals {
  bucket = one(concat(aws_s3_bucket.backups, aws_s3_bucket.unprotected))

  folder = var.prefix == "" ? "" : "${var.prefix}/"
  store  = "s3://${local.bucket.id}${var.prefix == "" ? "" : "/${var.prefix}"}"
  in_vpc = length(var.subnet_ids) > 0

  settings = merge(
    { PGKEEP_STORE = local.store },
    var.environment,
    var.secrets_in_environment ? var.secrets : {},
    { for name, secret in aws_secretsmanager_secret.this : "${name}_SECRET" => secret.arn },
  )
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:A limit is set by reserved_concurrency. None by default: it is taken from the account's, of which a new account has 10.
  #checkov:skip=CKV_AWS_116:Events that were given up on go to a queue as a destination, which keeps the answer, too. A dead-letter queue has the event alone.
  #checkov:skip=CKV_AWS_272:The package comes from whoever applies this. A signing profile is theirs to make.
  function_name = var.function_name
  description   = "PostgreSQL backups by pgkeep into ${local.store}"
  role          = aws_iam_role.function.arn

  package_type     = var.image_uri == null ? "Zip" : "Image"
  image_uri        = var.image_uri
  filename         = var.image_uri == null ? var.package_file : null
  source_code_hash = var.image_uri == null && var.package_file != null ? filebase64sha256(var.package_file) : null
  runtime          = var.image_uri == null ? "provided.al2023" : null
  handler          = var.image_uri == null ? "bootstrap" : null
  architectures    = [var.architecture]

  memory_size                    = var.memory_size
  timeout                        = var.timeout
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = var.kms_key_arn

  environment {
    variables = merge(local.settings, local.to_fargate, var.fan_out == 0 ? {} : { PGKEEP_FAN_OUT = tostring(var.fan_out) })
  }

  dynamic "vpc_config" {
    for_each = local.in_vpc ? [1] : []
    content {
      subnet_ids         = var.subnet_ids
      security_group_ids = var.security_group_ids
    }
  }

  # X-Ray sees only invocations of callers that trace.
  tracing_config {
    mode = "PassThrough"
  }

  tags       = var.tags
  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]

  lifecycle {
    precondition {
      condition     = (var.package_file == null) != (var.image_uri == null)
      error_message = "Give either package_file or image_uri."
    }
    precondition {
      condition     = var.fan_out == 0 || var.reserved_concurrency == -1 || var.reserved_concurrency > var.fan_out
      error_message = "fan_out needs a reserved_concurrency of one more than itself: the invocation that waits is one."
    }
    precondition {
      condition     = !local.in_vpc || length(var.security_group_ids) > 0
      error_message = "subnet_ids need security_group_ids."
    }
  }
}

resource "aws_lambda_function_event_invoke_config" "this" {
  function_name          = aws_lambda_function.this.function_name
  maximum_retry_attempts = var.retry_attempts
  # A backup that comes an hour late is as good as the next one.
  maximum_event_age_in_seconds = 3600

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failed.arn
    }
  }
}

# The dead letters: events that Lambda gave up on, with the function's last answer.
resource "aws_sqs_queue" "failed" {
  name                      = "${var.function_name}-failed"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
  tags                      = var.tags
}

resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_338:What a run did is of use for days; log_retention_days keeps it for longer.
  name              = "/aws/lambda/${var.function_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}
