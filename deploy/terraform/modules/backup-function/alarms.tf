locals {
  alarms = merge(
    {
      errors = {
        metric      = "Errors"
        statistic   = "Sum"
        threshold   = 0
        description = "A backup failed: see the log group /aws/lambda/${var.function_name}."
      }
    },
    var.duration_alarm_seconds == 0 ? {} : {
      duration = {
        metric      = "Duration"
        statistic   = "Maximum"
        threshold   = var.duration_alarm_seconds * 1000
        description = "Backups take more than ${var.duration_alarm_seconds} s, and end at ${var.timeout} s: give the function more memory, or use Fargate."
      }
    },
    !var.throttle_alarm ? {} : {
      throttles = {
        metric      = "Throttles"
        statistic   = "Sum"
        threshold   = 0
        description = "An invocation was throttled: the account's concurrency is used up."
      }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.function_name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  # Between two runs there is no data, and nothing wrong.
  treat_missing_data = "notBreaching"
  alarm_actions      = var.alarm_topic_arns
  ok_actions         = var.alarm_topic_arns
  tags               = var.tags
}

# A failed task has no metric of its own; but it ends in the queue.
resource "aws_cloudwatch_metric_alarm" "given_up" {
  count = local.tasks

  alarm_name          = "${var.function_name}-given-up"
  alarm_description   = "A task failed, or an event was given up: it is in the queue ${aws_sqs_queue.failed.name}, and the log group /aws/lambda/${var.function_name} says why."
  namespace           = "AWS/SQS"
  metric_name         = "NumberOfMessagesSent"
  dimensions          = { QueueName = aws_sqs_queue.failed.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}
