# The bucket with the backups. What protects it from `terraform destroy` cannot be a variable: so there are two of it, and one
# is made.

resource "aws_s3_bucket" "backups" {
  #checkov:skip=CKV_AWS_18:A log of who reads needs a bucket of its own. CloudTrail's data events tell the same.
  #checkov:skip=CKV_AWS_144:A copy elsewhere is made by `pgkeep sync`, which proves it.
  #checkov:skip=CKV2_AWS_62:Nothing waits for new objects.
  count  = var.protect_bucket ? 1 : 0
  bucket = var.bucket_name
  tags   = var.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket" "unprotected" {
  #checkov:skip=CKV_AWS_18:As above.
  #checkov:skip=CKV_AWS_144:As above.
  #checkov:skip=CKV2_AWS_62:As above.
  count  = var.protect_bucket ? 0 : 1
  bucket = var.bucket_name
  tags   = var.tags
}

resource "aws_s3_bucket_versioning" "backups" {
  bucket = local.bucket.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "backups" {
  bucket = local.bucket.id

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "backups" {
  bucket                  = local.bucket.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "backups" {
  bucket     = local.bucket.id
  policy     = data.aws_iam_policy_document.tls_only.json
  depends_on = [aws_s3_bucket_public_access_block.backups]
}

data "aws_iam_policy_document" "tls_only" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.bucket.arn, "${local.bucket.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "backups" {
  bucket     = local.bucket.id
  depends_on = [aws_s3_bucket_versioning.backups]

  rule {
    id     = "expire-backups"
    status = var.retention_days > 0 ? "Enabled" : "Disabled"

    filter {
      prefix = local.folder
    }

    expiration {
      days = max(var.retention_days, 1)
    }
  }

  rule {
    id     = "clean-versions"
    status = "Enabled"

    filter {}

    expiration {
      expired_object_delete_marker = true
    }

    noncurrent_version_expiration {
      noncurrent_days = var.version_retention_days
    }

    abort_incomplete_multipart_upload {
      # The longest upload of a function takes a quarter of an hour, of a task days.
      days_after_initiation = 7
    }
  }
}
