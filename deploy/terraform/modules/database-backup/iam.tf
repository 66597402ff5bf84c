# Who may do what.

data "aws_iam_policy_document" "assume" {
  for_each = { lambda = "lambda.amazonaws.com", s3 = "s3.amazonaws.com", export = "export.rds.amazonaws.com" }

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value]
    }

    # S3 and RDS act for this account alone.
    dynamic "condition" {
      for_each = each.key == "lambda" ? [] : [1]
      content {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }
}

resource "aws_iam_role" "function" {
  name               = "${local.function}-role"
  assume_role_policy = data.aws_iam_policy_document.assume["lambda"].json
  tags               = local.tags
}

resource "aws_iam_role_policy" "function" {
  name   = "snapshots"
  role   = aws_iam_role.function.id
  policy = data.aws_iam_policy_document.function.json
}

locals {
  rds       = "arn:${local.partition}:rds:${local.region}:${local.account}"
  rds_there = "arn:${local.partition}:rds:${local.destination}:${local.account}"

  # A snapshot's name is that of its database and a time; a cluster's long name is cut.
  databases = flatten([for id in var.rds_instance_ids : ["${local.rds}:db:${id}", "${local.rds}:cluster:${id}"]])
  snapshots = flatten([for id in var.rds_instance_ids : [
    "${local.rds}:snapshot:${id}-*", "${local.rds}:cluster-snapshot:${substr(id, 0, 48)}-*",
  ]])
  copies = !local.crosses ? [] : flatten([for id in var.rds_instance_ids : [
    "${local.rds_there}:snapshot:${id}-*", "${local.rds_there}:cluster-snapshot:${substr(id, 0, 48)}-*",
  ]])
  snapshot_keys = concat(var.source_kms_key_arns, local.crosses ? [aws_kms_key.destination[0].arn] : [])

  # Without a narrower resource: the role needs them where the function is in a VPC.
  vpc_actions = [
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
  ]
}

data "aws_iam_policy_document" "function" {
  #checkov:skip=CKV_AWS_356:What stands with "*" knows no narrower resource; the reasons are beside it.
  #checkov:skip=CKV_AWS_111:As above.

  statement {
    sid = "Look"
    actions = [
      "rds:DescribeDBInstances",
      "rds:DescribeDBClusters",
      "rds:DescribeDBSnapshots",
      "rds:DescribeDBClusterSnapshots",
      "rds:DescribeDBInstanceAutomatedBackups",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "MakeSnapshots"
    actions   = ["rds:CreateDBSnapshot", "rds:CreateDBClusterSnapshot", "rds:AddTagsToResource"]
    resources = concat(local.databases, local.snapshots)
  }

  # Only what has pgkeep's tag; which of these pgkeep has made for which database, it looks at itself.
  statement {
    sid       = "DeleteItsOwn"
    actions   = ["rds:DeleteDBSnapshot", "rds:DeleteDBClusterSnapshot"]
    resources = concat(local.snapshots, local.copies)

    condition {
      test     = "Null"
      variable = "aws:ResourceTag/pgkeep:snapshot"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = local.crosses ? [1] : []
    content {
      sid       = "Copy"
      actions   = ["rds:CopyDBSnapshot", "rds:CopyDBClusterSnapshot", "rds:AddTagsToResource"]
      resources = concat(local.snapshots, local.copies)
    }
  }

  dynamic "statement" {
    for_each = length(local.snapshot_keys) > 0 ? [1] : []
    content {
      sid       = "UseKeysOfSnapshots"
      actions   = ["kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext"]
      resources = local.snapshot_keys
    }
  }

  dynamic "statement" {
    for_each = length(local.snapshot_keys) > 0 ? [1] : []
    content {
      sid       = "LetRdsUseThem"
      actions   = ["kms:CreateGrant"]
      resources = local.snapshot_keys

      condition {
        test     = "Bool"
        variable = "kms:GrantIsForAWSResource"
        values   = ["true"]
      }
    }
  }

  statement {
    sid       = "ReadItsConfiguration"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.backups.arn}/config/*"]
  }

  statement {
    sid       = "UseTheKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.kms_key_arn]
  }

  statement {
    sid       = "Tell"
    actions   = ["sns:Publish"]
    resources = [local.topic_arn]
  }

  # CloudWatch has no resources for metrics; the namespace is what there is.
  statement {
    sid       = "TellFigures"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = [var.metric_namespace]
    }
  }

  dynamic "statement" {
    for_each = var.enable_cloudwatch_logs ? [1] : []
    content {
      sid       = "Log"
      actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      resources = ["${aws_cloudwatch_log_group.function[0].arn}:*"]
    }
  }

  dynamic "statement" {
    for_each = var.slack_webhook_url == null ? [] : [1]
    content {
      sid       = "ReadSlacksAddress"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [aws_secretsmanager_secret.slack[0].arn]
    }
  }

  dynamic "statement" {
    for_each = var.export_schedule == null ? [] : [1]
    content {
      sid       = "Export"
      actions   = ["rds:StartExportTask", "rds:DescribeExportTasks"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = var.export_schedule == null ? [] : [1]
    content {
      sid       = "HandOverTheExportRole"
      actions   = ["iam:PassRole"]
      resources = [aws_iam_role.export[0].arn]
    }
  }

  # RDS encrypts the export by a grant on the key.
  dynamic "statement" {
    for_each = var.export_schedule == null ? [] : [1]
    content {
      sid       = "LetRdsEncryptExports"
      actions   = ["kms:CreateGrant", "kms:DescribeKey"]
      resources = [local.kms_key_arn]
    }
  }

  dynamic "statement" {
    for_each = var.enable_detailed_monitoring ? [1] : []
    content {
      sid       = "Trace"
      actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      resources = ["*"]
    }
  }

  # Lambda itself makes and removes the interfaces of a function in a VPC, with the function's role.
  dynamic "statement" {
    for_each = local.in_vpc ? [1] : []
    content {
      sid       = "BeInTheVpc"
      actions   = local.vpc_actions
      resources = ["*"]
    }
  }
}

# By this one RDS writes exports.
resource "aws_iam_role" "export" {
  count              = var.export_schedule == null ? 0 : 1
  name               = "${local.function}-export"
  assume_role_policy = data.aws_iam_policy_document.assume["export"].json
  tags               = local.tags
}

resource "aws_iam_role_policy" "export" {
  count  = var.export_schedule == null ? 0 : 1
  name   = "export"
  role   = aws_iam_role.export[0].id
  policy = data.aws_iam_policy_document.export[0].json
}

# RDS User Guide, "Providing access to an Amazon S3 bucket using an IAM role".
data "aws_iam_policy_document" "export" {
  count = var.export_schedule == null ? 0 : 1

  statement {
    actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
    resources = [aws_s3_bucket.backups.arn]
  }

  statement {
    actions   = ["s3:PutObject*", "s3:GetObject*", "s3:DeleteObject*"]
    resources = ["${aws_s3_bucket.backups.arn}/exports/*"]
  }
}
