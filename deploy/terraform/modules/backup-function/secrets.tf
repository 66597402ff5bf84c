# What the function must not have in its environment.

locals {
  kept_secrets = var.secrets_in_environment ? {} : var.secrets
  secret_arns  = concat([for secret in aws_secretsmanager_secret.this : secret.arn], var.secret_arns)
}

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57:Passwords of databases elsewhere cannot be rotated from here.
  for_each    = nonsensitive(toset(keys(local.kept_secrets)))
  name_prefix = "${var.function_name}-${each.key}-"
  description = "${each.key} of the backup function ${var.function_name}"
  kms_key_id  = var.kms_key_arn
  tags        = var.tags
}

resource "aws_secretsmanager_secret_version" "this" {
  for_each      = nonsensitive(toset(keys(local.kept_secrets)))
  secret_id     = aws_secretsmanager_secret.this[each.key].id
  secret_string = local.kept_secrets[each.key]
}
