//! A bucket of S3, beyond what `object_store` makes of it.

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use object_store::aws::AmazonS3;
use std::sync::Arc;

use super::open::Opener;
use super::requests::Requests;
use super::{copy, lock, look, uploads, versions};
use crate::backend::object::beyond::{Beyond, CopySource, Kept, Locking, Next, VersionPage};
use crate::backend::object::error::meaning;
use crate::error::{Result, StoreError};
use crate::lock::Lock;
use crate::types::PendingUpload;

/// The bucket.
#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) requests: Requests,
    pub(super) opener: Arc<Opener>,
    /// The lock that all writes ask for.
    pub(super) lock: Lock,
}

impl Bucket {
    fn no_lock(&self) -> StoreError {
        StoreError::new(
            StoreError::Unsupported,
            &self.requests.shown,
            "a lock is asked for, and the bucket has no Object Lock",
            "make a bucket with it (aws s3api create-bucket --object-lock-enabled-for-bucket …), turn it on with \
             aws s3api put-object-lock-configuration where the server lets you, or take lock and legal-hold out of the URL",
        )
    }

    /// The headers of an object that the server makes without our sending it.
    fn attributes(&self) -> HeaderMap {
        let options = &self.opener.options;
        let mut headers = lock::headers(&self.lock);
        let text = [
            ("x-amz-storage-class", options.storage_class.clone()),
            ("x-amz-server-side-encryption", options.sse.map(|s| s.to_string())),
            ("x-amz-server-side-encryption-aws-kms-key-id", options.kms_key.clone()),
            ("x-amz-server-side-encryption-bucket-key-enabled", options.bucket_key.map(|b| b.to_string())),
            ("x-amz-checksum-algorithm", self.opener.checksum().map(|c| c.to_string().to_uppercase())),
        ];
        for (name, value) in text {
            if let Some(value) = value.and_then(|v| HeaderValue::from_str(&v).ok()) {
                headers.insert(name, value);
            }
        }
        headers
    }
}

#[async_trait]
impl Beyond for Bucket {
    async fn reach(&self) -> Result<()> {
        self.requests.reach().await
    }

    async fn uploads(&self, prefix: &str) -> object_store::Result<Vec<PendingUpload>> {
        uploads::list(&self.requests, prefix).await
    }

    async fn look(&self, key: &str, version: Option<&str>) -> object_store::Result<Kept> {
        look::look(&self.requests, key, version).await
    }

    async fn has_locks(&self) -> object_store::Result<bool> {
        lock::is_enabled(&self.requests).await
    }

    async fn locking(&self, from: Timestamp) -> Result<Option<Locking>> {
        let lock = self.opener.options.lock.at(from);
        if lock == Lock::default() {
            return Ok(None);
        }
        if !lock::is_enabled(&self.requests).await.map_err(|e| meaning(&self.requests.shown, &e))? {
            return Err(self.no_lock());
        }
        let client: Arc<AmazonS3> = self.opener.data(lock::headers(&lock))?;
        let beyond = Arc::new(Bucket { lock, ..self.clone() });
        Ok(Some(Locking { puts: client.clone(), begins: client, beyond, lock }))
    }

    async fn lock(&self, key: &str, lock: &Lock) -> object_store::Result<()> {
        if let Some(retention) = &lock.retention {
            lock::retain(&self.requests, key, retention).await?;
        }
        if lock.legal_hold {
            lock::set_legal_hold(&self.requests, key, true).await?;
        }
        Ok(())
    }

    async fn set_legal_hold(&self, key: &str, on: bool) -> object_store::Result<()> {
        lock::set_legal_hold(&self.requests, key, on).await
    }

    async fn versions(&self, prefix: &str, from: &Next) -> object_store::Result<VersionPage> {
        versions::page(&self.requests, prefix, from).await
    }

    async fn delete_version(&self, key: &str, version: &str) -> object_store::Result<()> {
        versions::delete(&self.requests, key, version).await
    }

    async fn copy(&self, source: &CopySource, key: &str, part_size: u64) -> object_store::Result<()> {
        copy::copy(&self.requests, source, key, part_size, &self.attributes()).await
    }
}
