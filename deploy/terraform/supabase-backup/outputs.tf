output "function_name" {
  description = "Name of the function: aws lambda invoke --function-name <this> --payload '{}' response.json"
  value       = module.backup.function_name
}

output "bucket_name" {
  description = "Bucket of the backups."
  value       = module.backup.bucket_name
}

output "store" {
  description = "The store's URL: pgkeep list --store <this>."
  value       = module.backup.store
}

output "log_group_name" {
  description = "Log group of the function."
  value       = module.backup.log_group_name
}

output "alert_topic_arn" {
  description = "SNS topic of the alerts; the e-mail subscription has to be confirmed."
  value       = aws_sns_topic.alerts.arn
}

output "aws_region" {
  description = "Region of all of it."
  value       = var.aws_region
}

output "dead_letter_queue_url" {
  description = "Queue with the events that Lambda gave up on."
  value       = module.backup.dead_letter_queue_url
}
