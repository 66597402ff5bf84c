output "backup_vault" {
  description = "The vault: name and ARN."
  value       = { name = aws_backup_vault.this.name, arn = aws_backup_vault.this.arn }
}

output "backup_plan" {
  description = "The plan: id, ARN and name."
  value       = { id = aws_backup_plan.this.id, arn = aws_backup_plan.this.arn, name = aws_backup_plan.this.name }
}

output "backup_selection" {
  description = "The selection: id and name."
  value       = { id = aws_backup_selection.this.id, name = aws_backup_selection.this.name }
}

output "role_arn" {
  description = "The role by which AWS Backup works."
  value       = local.role
}
