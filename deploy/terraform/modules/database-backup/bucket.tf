# The bucket: the function's configuration, and exports of snapshots.

locals {
  bucket_name = coalesce(var.s3_bucket_name, "${local.name}-db-backups-${local.account}")
  # S3 moves objects into these at once.
  at_once = contains(["INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"], var.s3_storage_class)
}

resource "aws_s3_bucket" "backups" {
  #checkov:skip=CKV_AWS_18:enable_s3_access_logging does it.
  #checkov:skip=CKV_AWS_144:enable_cross_region_copy does it.
  #checkov:skip=CKV_AWS_145:enable_s3_encryption does it.
  #checkov:skip=CKV2_AWS_62:Nothing waits for new objects.
  bucket = local.bucket_name
  tags   = local.tags
}

resource "aws_s3_bucket_versioning" "backups" {
  #checkov:skip=CKV_AWS_21:enable_s3_versioning does it.
  bucket = aws_s3_bucket.backups.id

  versioning_configuration {
    status = var.enable_s3_versioning ? "Enabled" : "Suspended"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "backups" {
  bucket = aws_s3_bucket.backups.id

  rule {
    bucket_key_enabled = var.enable_s3_encryption

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.enable_s3_encryption ? "aws:kms" : "AES256"
      kms_master_key_id = var.enable_s3_encryption ? local.kms_key_arn : null
    }
  }
}

resource "aws_s3_bucket_public_access_block" "backups" {
  bucket                  = aws_s3_bucket.backups.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "backups" {
  bucket     = aws_s3_bucket.backups.id
  policy     = data.aws_iam_policy_document.tls_only["backups"].json
  depends_on = [aws_s3_bucket_public_access_block.backups]
}

data "aws_iam_policy_document" "tls_only" {
  for_each = merge(
    { backups = aws_s3_bucket.backups.arn },
    var.enable_s3_access_logging ? { logs = aws_s3_bucket.logs[0].arn } : {},
    local.crosses ? { replica = aws_s3_bucket.replica[0].arn } : {},
  )

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [each.value, "${each.value}/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "logs" ? [1] : []
    content {
      sid       = "AccessLogs"
      actions   = ["s3:PutObject"]
      resources = ["${each.value}/*"]

      principals {
        type        = "Service"
        identifiers = ["logging.s3.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "backups" {
  bucket     = aws_s3_bucket.backups.id
  depends_on = [aws_s3_bucket_versioning.backups]

  rule {
    id     = "exports"
    status = "Enabled"

    filter {
      prefix = "exports/"
    }

    dynamic "transition" {
      for_each = local.at_once ? [var.s3_storage_class] : []
      content {
        days          = 0
        storage_class = transition.value
      }
    }

    dynamic "transition" {
      for_each = local.at_once ? {} : {
        (var.s3_storage_class == "ONEZONE_IA" ? "ONEZONE_IA" : "STANDARD_IA") = var.s3_lifecycle_rules.transition_to_ia_days
        GLACIER                                                               = var.s3_lifecycle_rules.transition_to_glacier_days
        DEEP_ARCHIVE                                                          = var.s3_lifecycle_rules.transition_to_deep_archive_days
      }
      content {
        days          = transition.value
        storage_class = transition.key
      }
    }

    expiration {
      days = var.s3_lifecycle_rules.expiration_days
    }
  }

  rule {
    id     = "clean-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

# Who reads it.
resource "aws_s3_bucket" "logs" {
  #checkov:skip=CKV_AWS_18:A log of who reads the log would never end.
  #checkov:skip=CKV_AWS_144:Logs stay where they are.
  #checkov:skip=CKV_AWS_145:S3's log delivery writes into buckets with S3's own encryption.
  #checkov:skip=CKV_AWS_21:Logs are written once.
  #checkov:skip=CKV2_AWS_62:Nothing waits for them.
  count  = var.enable_s3_access_logging ? 1 : 0
  bucket = "${local.bucket_name}-logs"
  tags   = local.tags
}

resource "aws_s3_bucket_public_access_block" "logs" {
  count                   = var.enable_s3_access_logging ? 1 : 0
  bucket                  = aws_s3_bucket.logs[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "logs" {
  count  = var.enable_s3_access_logging ? 1 : 0
  bucket = aws_s3_bucket.logs[0].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_policy" "logs" {
  count      = var.enable_s3_access_logging ? 1 : 0
  bucket     = aws_s3_bucket.logs[0].id
  policy     = data.aws_iam_policy_document.tls_only["logs"].json
  depends_on = [aws_s3_bucket_public_access_block.logs]
}

resource "aws_s3_bucket_lifecycle_configuration" "logs" {
  count  = var.enable_s3_access_logging ? 1 : 0
  bucket = aws_s3_bucket.logs[0].id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = 365
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_logging" "backups" {
  count         = var.enable_s3_access_logging ? 1 : 0
  bucket        = aws_s3_bucket.backups.id
  target_bucket = aws_s3_bucket.logs[0].id
  target_prefix = "access/"
  depends_on    = [aws_s3_bucket_policy.logs]
}

# What the function does, by name.
resource "aws_s3_object" "config" {
  bucket       = aws_s3_bucket.backups.id
  key          = "config/pgkeep.toml"
  content      = local.config
  content_type = "application/toml"
  kms_key_id   = var.enable_s3_encryption ? local.kms_key_arn : null
  tags         = local.tags
  depends_on = [
    aws_s3_bucket_server_side_encryption_configuration.backups,
    aws_s3_bucket_public_access_block.backups,
    aws_s3_bucket_versioning.backups,
  ]
}
