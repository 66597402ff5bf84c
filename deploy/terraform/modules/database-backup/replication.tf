# The bucket's replica in the other region.

resource "aws_s3_bucket" "replica" {
  #checkov:skip=CKV_AWS_18:Its originals' bucket has the log.
  #checkov:skip=CKV_AWS_144:It is the copy.
  #checkov:skip=CKV2_AWS_62:Nothing waits for new objects.
  count    = local.crosses ? 1 : 0
  provider = aws.destination
  bucket   = "${local.bucket_name}-replica"
  tags     = local.tags
}

resource "aws_s3_bucket_versioning" "replica" {
  count    = local.crosses ? 1 : 0
  provider = aws.destination
  bucket   = aws_s3_bucket.replica[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "replica" {
  count                   = local.crosses ? 1 : 0
  provider                = aws.destination
  bucket                  = aws_s3_bucket.replica[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "replica" {
  count    = local.crosses ? 1 : 0
  provider = aws.destination
  bucket   = aws_s3_bucket.replica[0].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.destination[0].arn
    }
  }
}

resource "aws_s3_bucket_policy" "replica" {
  count      = local.crosses ? 1 : 0
  provider   = aws.destination
  bucket     = aws_s3_bucket.replica[0].id
  policy     = data.aws_iam_policy_document.tls_only["replica"].json
  depends_on = [aws_s3_bucket_public_access_block.replica]
}

resource "aws_s3_bucket_lifecycle_configuration" "replica" {
  count      = local.crosses ? 1 : 0
  provider   = aws.destination
  bucket     = aws_s3_bucket.replica[0].id
  depends_on = [aws_s3_bucket_versioning.replica]

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = var.s3_lifecycle_rules.expiration_days
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_replication_configuration" "backups" {
  count      = local.crosses ? 1 : 0
  bucket     = aws_s3_bucket.backups.id
  role       = aws_iam_role.replication[0].arn
  depends_on = [aws_s3_bucket_versioning.backups, aws_s3_bucket_versioning.replica]

  rule {
    id     = "all"
    status = "Enabled"

    filter {}

    delete_marker_replication {
      status = "Disabled"
    }

    dynamic "source_selection_criteria" {
      for_each = var.enable_s3_encryption ? [1] : []
      content {
        sse_kms_encrypted_objects {
          status = "Enabled"
        }
      }
    }

    destination {
      bucket        = aws_s3_bucket.replica[0].arn
      storage_class = var.s3_storage_class

      encryption_configuration {
        replica_kms_key_id = aws_kms_key.destination[0].arn
      }
    }
  }

  lifecycle {
    precondition {
      condition     = var.enable_s3_versioning
      error_message = "enable_cross_region_copy needs enable_s3_versioning: S3 replicates versions."
    }
  }
}

resource "aws_iam_role" "replication" {
  count              = local.crosses ? 1 : 0
  name               = "${local.function}-replication"
  assume_role_policy = data.aws_iam_policy_document.assume["s3"].json
  tags               = local.tags
}

resource "aws_iam_role_policy" "replication" {
  count  = local.crosses ? 1 : 0
  name   = "replicate"
  role   = aws_iam_role.replication[0].id
  policy = data.aws_iam_policy_document.replication[0].json
}

data "aws_iam_policy_document" "replication" {
  count = local.crosses ? 1 : 0

  statement {
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [aws_s3_bucket.backups.arn]
  }

  statement {
    actions   = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"]
    resources = ["${aws_s3_bucket.backups.arn}/*"]
  }

  statement {
    actions   = ["s3:ReplicateObject", "s3:ReplicateTags"]
    resources = ["${aws_s3_bucket.replica[0].arn}/*"]
  }

  statement {
    actions   = ["kms:Decrypt"]
    resources = [local.kms_key_arn]
  }

  statement {
    actions   = ["kms:Encrypt"]
    resources = [aws_kms_key.destination[0].arn]
  }
}
