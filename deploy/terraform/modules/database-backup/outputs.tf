output "s3_bucket_name" {
  description = "Name of the backup S3 bucket"
  value       = aws_s3_bucket.backups.id
}

output "s3_bucket_arn" {
  description = "ARN of the backup S3 bucket"
  value       = aws_s3_bucket.backups.arn
}

output "s3_bucket_region" {
  description = "Region of the backup S3 bucket"
  value       = local.region
}

output "lambda_function_name" {
  description = "Name of the backup Lambda function"
  value       = aws_lambda_function.this.function_name
}

output "lambda_function_arn" {
  description = "ARN of the backup Lambda function"
  value       = aws_lambda_function.this.arn
}

output "lambda_role_arn" {
  description = "ARN of the Lambda execution role"
  value       = aws_iam_role.function.arn
}

output "cloudwatch_log_group_name" {
  description = "Name of the CloudWatch Log Group; null without logs"
  value       = one(aws_cloudwatch_log_group.function[*].name)
}

output "cloudwatch_log_group_arn" {
  description = "ARN of the CloudWatch Log Group; null without logs"
  value       = one(aws_cloudwatch_log_group.function[*].arn)
}

output "sns_topic_arn" {
  description = "ARN of the SNS topic for notifications"
  value       = local.topic_arn
}

output "sns_topic_name" {
  description = "Name of the SNS topic"
  value       = element(split(":", local.topic_arn), 5)
}

output "kms_key_id" {
  description = "ID of the KMS key used for encryption"
  value       = local.kms_key_id
}

output "kms_key_arn" {
  description = "ARN of the KMS key"
  value       = local.kms_key_arn
}
