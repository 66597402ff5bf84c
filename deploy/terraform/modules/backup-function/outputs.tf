output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "function_arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = aws_iam_role.function.arn
}

output "bucket_name" {
  description = "Bucket of the backups."
  value       = local.bucket.id
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = local.bucket.arn
}

output "store" {
  description = "The store's URL: pgkeep list --store <this>."
  value       = local.store
}

output "log_group_name" {
  description = "Log group of the function."
  value       = aws_cloudwatch_log_group.function.name
}

output "dead_letter_queue_url" {
  description = "Queue with the events that Lambda gave up on."
  value       = aws_sqs_queue.failed.url
}

output "alarm_names" {
  description = "The alarms."
  value       = concat([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name], aws_cloudwatch_metric_alarm.given_up[*].alarm_name)
}
