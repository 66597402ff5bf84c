# The backup function with all that it needs. The modules beside it give it the interfaces of their own.


locals {
  objects = "${aws_s3_bucket.backups.arn}/${var.prefix == "" ? "" : "${var.prefix}/"}*"
  store   = "s3://${aws_s3_bucket.backups.id}${var.prefix == "" ? "" : "/${var.prefix}"}"
  in_vpc  = length(var.subnet_ids) > 0

  kept_secrets = var.secrets_in_environment ? {} : var.secrets
  environment = merge(
    { PGKEEP_STORE = local.store },
    var.environment,
    var.secrets_in_environment ? var.secrets : {},
    { for name, secret in aws_secretsmanager_secret.this : "${name}_SECRET" => secret.arn },
  )
  secret_arns = concat([for secret in aws_secretsmanager_secret.this : secret.arn], var.secret_arns)
}

resource "aws_lambda_function" "this" {
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

  memory_size = var.memory_size
  timeout     = var.timeout
  kms_key_arn = var.kms_key_arn

  environment {
    variables = local.environment
  }

  dynamic "vpc_config" {
    for_each = local.in_vpc ? [1] : []
    content {
      subnet_ids         = var.subnet_ids
      security_group_ids = var.security_group_ids
    }
  }

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
  name              = "/aws/lambda/${var.function_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_secretsmanager_secret" "this" {
  for_each    = nonsensitive(toset(keys(local.kept_secrets)))
  name_prefix = "${var.function_name}-${each.key}-"
  description = "${each.key} of the backup function ${var.function_name}"
  kms_key_id  = var.kms_key_arn
  tags        = var.tags
}

resource "aws_secretsmanager_secret_version" "this" {
  for_each      = aws_secretsmanager_secret.this
  secret_id     = each.value.id
  secret_string = local.kept_secrets[each.key]
}
