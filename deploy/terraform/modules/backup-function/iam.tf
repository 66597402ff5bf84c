resource "aws_iam_role" "function" {
  name               = "${var.function_name}-role"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = var.tags
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "function" {
  name   = "backup"
  role   = aws_iam_role.function.id
  policy = data.aws_iam_policy_document.function.json
}

# What a backup needs, by the function or by a task.
data "aws_iam_policy_document" "backup" {
  # Without a condition on the prefix: looking at an object that is not there asks for the same right, without a prefix,
  # and would be refused instead of answered.
  statement {
    sid       = "ListBackups"
    actions   = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [local.bucket.arn]
  }

  statement {
    sid       = "WriteBackups"
    actions   = ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"]
    resources = ["${local.bucket.arn}/${local.folder}*"]
  }

  # A run removes its mark at its end, and what a run before it left unfinished.
  statement {
    sid       = "RemoveWhatIsUnfinished"
    actions   = ["s3:DeleteObject"]
    resources = ["${local.bucket.arn}/${local.folder}*"]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]
    content {
      sid       = "UseKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = length(local.secret_arns) > 0 ? [1] : []
    content {
      sid       = "ReadSecrets"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = local.secret_arns
    }
  }

  dynamic "statement" {
    for_each = var.rds_describe ? [1] : []
    content {
      sid       = "FindDatabases"
      actions   = ["rds:DescribeDBInstances", "rds:DescribeDBClusters"]
      resources = ["*"]
    }
  }
}

data "aws_iam_policy_document" "function" {
  source_policy_documents = [data.aws_iam_policy_document.backup.json]

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function.arn}:*"]
  }

  statement {
    sid       = "TellWhatWasGivenUp"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failed.arn]
  }

  dynamic "statement" {
    for_each = var.fan_out > 0 ? [1] : []
    content {
      sid       = "FanOut"
      actions   = ["lambda:InvokeFunction"]
      resources = [local.function_arn]
    }
  }

  dynamic "statement" {
    for_each = aws_ecs_task_definition.this
    content {
      sid       = "StartTasks"
      actions   = ["ecs:RunTask"]
      resources = [statement.value.arn]

      condition {
        test     = "ArnEquals"
        variable = "ecs:cluster"
        values   = [aws_ecs_cluster.this[0].arn]
      }
    }
  }

  dynamic "statement" {
    for_each = aws_ecs_task_definition.this
    content {
      sid       = "PassRoles"
      actions   = ["iam:PassRole"]
      resources = [statement.value.task_role_arn, statement.value.execution_role_arn]

      condition {
        test     = "StringEquals"
        variable = "iam:PassedToService"
        values   = ["ecs-tasks.amazonaws.com"]
      }
    }
  }

  # Lambda itself makes and removes the interfaces of a function in a VPC, with the function's role. These actions know no
  # narrower resource; the function's own code is denied them (Lambda Developer Guide, "Giving Lambda functions access to
  # resources in an Amazon VPC", "Security best practices").
  dynamic "statement" {
    for_each = local.in_vpc ? [1] : []
    content {
      sid       = "BeInTheVpc"
      actions   = local.vpc_actions
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = local.in_vpc ? [1] : []
    content {
      sid       = "NotByItself"
      effect    = "Deny"
      actions   = local.vpc_actions
      resources = ["*"]

      condition {
        test     = "ArnEquals"
        variable = "lambda:SourceFunctionArn"
        values   = [local.function_arn]
      }
    }
  }
}

data "aws_partition" "this" {}
data "aws_region" "this" {}
data "aws_caller_identity" "this" {}

locals {
  # Written out: the function itself waits for this policy.
  function_arn = "arn:${data.aws_partition.this.partition}:lambda:${data.aws_region.this.name}:${data.aws_caller_identity.this.account_id}:function:${var.function_name}"
  vpc_actions = [
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
  ]
}
