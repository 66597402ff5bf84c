//! What a kind of store can do where the `object_store` crate ends. Keys here include the store's prefix.

use async_trait::async_trait;
use jiff::Timestamp;
use object_store::ObjectStore;
use object_store::multipart::MultipartStore;
use std::sync::Arc;

use crate::error::Result;
use crate::lock::Lock;
use crate::types::{PendingUpload, Version};

/// The clients that put what asks for a lock.
pub(crate) struct Locking {
    pub(crate) puts: Arc<dyn ObjectStore>,
    pub(crate) begins: Arc<dyn MultipartStore>,
    pub(crate) beyond: Arc<dyn Beyond>,
    pub(crate) lock: Lock,
}

/// How an object is kept, as the store tells it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The version that was looked at, where the bucket keeps versions.
    pub(crate) version: Option<String>,
    /// `AES256`, `aws:kms` …
    pub(crate) sse: Option<String>,
    /// The key's id or ARN.
    pub(crate) kms_key: Option<String>,
    pub(crate) bucket_key: bool,
    /// The SHA-256 in base64, with `-` and the number of parts behind it if it is one over their digests.
    pub(crate) sha256: Option<String>,
    pub(crate) lock: Lock,
}

/// One page of versions, and where the next begins.
pub(crate) struct VersionPage {
    pub(crate) versions: Vec<Version>,
    pub(crate) next: Option<Next>,
}

/// Where a page of versions begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) key: String,
    pub(crate) version: String,
}

/// An object to be copied within the server.
#[derive(Debug, Clone)]
pub(crate) struct CopySource {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) size: u64,
}

/// The further abilities. Errors are `object_store`'s, so that they get their meaning in one place.
#[async_trait]
pub(crate) trait Beyond: Send + Sync {
    /// Fails quickly if the server cannot be reached at all.
    async fn reach(&self) -> Result<()>;
    /// The multipart uploads in progress whose keys begin with `prefix`.
    async fn uploads(&self, prefix: &str) -> object_store::Result<Vec<PendingUpload>>;
    /// Looks at an object, or at one version of it.
    async fn look(&self, key: &str, version: Option<&str>) -> object_store::Result<Kept>;
    /// Whether the bucket was made with Object Lock.
    async fn has_locks(&self) -> object_store::Result<bool>;
    /// Clients for objects that are locked from `from` on; `None` where the URL asks for no lock.
    async fn locking(&self, from: Timestamp) -> Result<Option<Locking>>;
    /// Locks an object that is there: the current version.
    async fn lock(&self, key: &str, lock: &Lock) -> object_store::Result<()>;
    /// Puts a legal hold on an object, or takes it off.
    async fn set_legal_hold(&self, key: &str, on: bool) -> object_store::Result<()>;
    /// A page of the versions of all objects whose keys begin with `prefix`.
    async fn versions(&self, prefix: &str, from: &Next) -> object_store::Result<VersionPage>;
    /// Removes one version.
    async fn delete_version(&self, key: &str, version: &str) -> object_store::Result<()>;
    /// Copies an object within the server, parts of `part_size` bytes at a time where it is larger than that.
    async fn copy(&self, source: &CopySource, key: &str, part_size: u64) -> object_store::Result<()>;
}
