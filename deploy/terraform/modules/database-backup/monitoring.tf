# Logs, alarms, the dashboard, and who is told.

resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_338:log_retention_days keeps it for longer.
  count             = var.enable_cloudwatch_logs ? 1 : 0
  name              = "/aws/lambda/${local.function}"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.kms_key_arn
  tags              = local.tags
}

resource "aws_sns_topic" "this" {
  count             = local.makes_topic ? 1 : 0
  name              = "${local.function}-notifications"
  kms_master_key_id = local.kms_key_arn
  tags              = local.tags
}

locals {
  topic_arn = local.makes_topic ? aws_sns_topic.this[0].arn : var.sns_topic_arn
}

resource "aws_sns_topic_subscription" "email" {
  count     = var.notification_email == null ? 0 : 1
  topic_arn = local.topic_arn
  protocol  = "email"
  endpoint  = var.notification_email
}

resource "aws_secretsmanager_secret" "slack" {
  #checkov:skip=CKV2_AWS_57:Slack gives the address out; nothing here can make another one.
  count       = var.slack_webhook_url == null ? 0 : 1
  name        = "${local.function}/slack"
  description = "Slack's incoming webhook"
  kms_key_id  = local.kms_key_arn
  tags        = local.tags
}

resource "aws_secretsmanager_secret_version" "slack" {
  count         = var.slack_webhook_url == null ? 0 : 1
  secret_id     = aws_secretsmanager_secret.slack[0].id
  secret_string = var.slack_webhook_url
}

locals {
  alarms = merge(
    {
      backup-failure = {
        namespace   = var.metric_namespace
        metric      = "BackupFailure"
        dimensions  = {}
        statistic   = "Sum"
        period      = 300
        threshold   = 0
        description = "Database backup failure detected"
      }
      function-errors = {
        namespace   = "AWS/Lambda"
        metric      = "Errors"
        dimensions  = { FunctionName = local.function }
        statistic   = "Sum"
        period      = 300
        threshold   = 0
        description = "The function of the database backups failed: see /aws/lambda/${local.function}."
      }
    },
    !var.enable_detailed_monitoring ? {} : {
      function-duration = {
        namespace   = "AWS/Lambda"
        metric      = "Duration"
        dimensions  = { FunctionName = local.function }
        statistic   = "Maximum"
        period      = 300
        threshold   = var.lambda_timeout * 900
        description = "Snapshots take nine tenths of lambda_timeout: give the function more time."
      }
    },
    !var.enable_detailed_monitoring ? {} : {
      for id in var.rds_instance_ids : "snapshot-age-${id}" => {
        namespace   = var.metric_namespace
        metric      = "SnapshotAge"
        dimensions  = { Database = id, Kind = "rds-snapshot" }
        statistic   = "Maximum"
        period      = 3600
        threshold   = var.snapshot_age_alarm_hours
        description = "The newest snapshot of ${id} is more than ${var.snapshot_age_alarm_hours} hours old."
      }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  # Between two runs there is no data, and nothing wrong.
  treat_missing_data = "notBreaching"
  alarm_actions      = [local.topic_arn]
  ok_actions         = [local.topic_arn]
  tags               = local.tags
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = local.function

  dashboard_body = jsonencode({
    widgets = [
      {
        type = "metric", x = 0, y = 0, width = 12, height = 6
        properties = {
          metrics = [[var.metric_namespace, "BackupSuccess"], [".", "BackupFailure"]]
          period  = 300, stat = "Sum", region = local.region, title = "Database Backup Status"
        }
      },
      {
        type = "metric", x = 12, y = 0, width = 12, height = 6
        properties = {
          metrics = [for id in var.rds_instance_ids : [var.metric_namespace, "BackupDuration", "Database", id, "Kind", "rds-snapshot"]]
          period  = 300, stat = "Maximum", region = local.region, title = "Duration (seconds)"
        }
      },
      {
        type = "metric", x = 0, y = 6, width = 12, height = 6
        properties = {
          metrics = [for id in var.rds_instance_ids : [var.metric_namespace, "SnapshotAge", "Database", id, "Kind", "rds-snapshot"]]
          period  = 3600, stat = "Maximum", region = local.region, title = "Age of the newest snapshot (hours)"
        }
      },
      {
        type = "metric", x = 12, y = 6, width = 12, height = 6
        properties = {
          metrics = [["AWS/Lambda", "Invocations", "FunctionName", local.function], [".", "Errors", ".", "."], [".", "Throttles", ".", "."]]
          period  = 300, stat = "Sum", region = local.region, title = "Function"
        }
      },
    ]
  })
}
