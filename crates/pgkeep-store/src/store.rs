//! The store as callers see it.

use bytes::Bytes;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::backend::Backend;
use crate::backend::folder::Folder;
use crate::backend::object::{azure, google, memory};
use crate::backend::s3;
use crate::error::Result;
use crate::key;
use crate::open::OpenOptions;
use crate::types::{Capabilities, ObjectInfo, PendingUpload, UploadPlan};
use crate::upload::Upload;
use crate::url::StoreUrl;

/// A place for objects. Cloning is cheap; every method blocks and can be called from any thread.
#[derive(Clone)]
pub struct Store {
    url: Arc<StoreUrl>,
    backend: Arc<dyn Backend>,
}

impl Store {
    /// Opens the store at `url`; see [`StoreUrl`] for what that can be.
    ///
    /// Nothing is created: a folder comes with the first object, a bucket must be there. Credentials
    /// and the bucket are tried at the first call, not here, with one exception: for a bucket at AWS
    /// whose region is named nowhere, AWS is asked for it.
    pub fn open(url: &str) -> Result<Store> {
        Store::open_with(url, &OpenOptions::default())
    }

    /// As [`open`](Self::open), with time budgets or credentials of the caller's own.
    pub fn open_with(url: &str, options: &OpenOptions) -> Result<Store> {
        let url: StoreUrl = url.parse()?;
        let backend: Arc<dyn Backend> = match &url {
            StoreUrl::Folder(root) => Arc::new(Folder::new(root.clone(), url.base())),
            StoreUrl::S3 { bucket, prefix, options: own } => {
                Arc::new(s3::open(url.clone(), bucket, prefix, own, options)?)
            }
            StoreUrl::Azure { container, prefix, options: own } => {
                Arc::new(azure::open(url.clone(), container, prefix, own, options)?)
            }
            StoreUrl::Google { bucket, prefix, options: own } => {
                Arc::new(google::open(url.clone(), bucket, prefix, own, options)?)
            }
            StoreUrl::Memory(name) => Arc::new(memory::open(url.clone(), name)),
        };
        Ok(Store { url: Arc::new(url), backend })
    }

    /// The same place behind another backend.
    pub(crate) fn around(inner: &Store, backend: Arc<dyn Backend>) -> Store {
        Store { url: inner.url.clone(), backend }
    }

    /// The URL, options included, with which the store can be opened again.
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// The URL of the object under `key`, without the store's options.
    pub fn url_of(&self, key: &str) -> String {
        self.url.of(key)
    }

    /// What this store can do.
    pub fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    /// Writes an object, replacing one of the same name. Readers see the old or the new one, whole.
    ///
    /// When this returns, the object is durable: in a folder the file and its name are synced.
    pub fn put(&self, key: &str, body: Bytes) -> Result<ObjectInfo> {
        self.backend.put(self.check(key)?, body)
    }

    /// Writes an object unless there is one: [`StoreError::AlreadyExists`](crate::StoreError::AlreadyExists).
    ///
    /// Where [`Capabilities::conditional_put`] holds, exactly one of several concurrent calls wins.
    /// Elsewhere the store is asked first, and two writers at the same moment can both believe that
    /// they won: use unique names there.
    pub fn put_if_absent(&self, key: &str, body: Bytes) -> Result<ObjectInfo> {
        self.backend.put_if_absent(self.check(key)?, body)
    }

    /// The whole object, in memory.
    ///
    /// For small ones such as manifests: it must come within one request's time. Read large ones by
    /// [`get_range`](Self::get_range), some megabytes at a time, of which each is tried again on its own.
    pub fn get(&self, key: &str) -> Result<Bytes> {
        self.backend.get(self.check(key)?)
    }

    /// The bytes of `range`. An end behind that of the object is cut to it; a start there is
    /// [`StoreError::OutOfRange`](crate::StoreError::OutOfRange). An empty range is answered without asking the store.
    pub fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let key = self.check(key)?;
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        self.backend.get_range(key, range)
    }

    /// What is known of the object without its bytes.
    pub fn head(&self, key: &str) -> Result<ObjectInfo> {
        self.backend.head(self.check(key)?)
    }

    /// All objects whose keys begin with `prefix`, however deep, in the byte order of their keys.
    ///
    /// `prefix` is text and may end within a name: `daily/2026-` is fine. The listing is fetched as the
    /// iterator goes; objects that come or go meanwhile may or may not be in it. A store that has
    /// nothing, or does not exist yet as a folder, lists nothing.
    pub fn list(&self, prefix: &str) -> Result<impl Iterator<Item = Result<ObjectInfo>> + Send + use<>> {
        key::check_prefix(&self.url.base(), prefix)?;
        self.backend.list(prefix)
    }

    /// Removes an object. That there is none is fine.
    pub fn delete(&self, key: &str) -> Result<()> {
        self.backend.delete(self.check(key)?)
    }

    /// Begins an object whose beginning is known last; see [`Upload`].
    pub fn start_upload(&self, key: &str, plan: UploadPlan) -> Result<Upload> {
        let sink = self.backend.start_upload(self.check(key)?, &plan)?;
        Ok(Upload::new(self.url_of(key), plan.head_len, sink))
    }

    /// Uploads below `prefix` that were begun and neither finished nor aborted.
    ///
    /// See [`Capabilities::pending_are_dead`] for whether those still being worked on are among them.
    pub fn pending_uploads(&self, prefix: &str) -> Result<Vec<PendingUpload>> {
        key::check_prefix(&self.url.base(), prefix)?;
        self.backend.pending_uploads(prefix)
    }

    /// Removes what such an upload left behind. That it is gone already is fine.
    pub fn abort_upload(&self, pending: &PendingUpload) -> Result<()> {
        self.backend.abort_upload(pending)
    }

    fn check<'k>(&self, key: &'k str) -> Result<&'k str> {
        key::check(&self.url.base(), key)?;
        Ok(key)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.url)
    }
}
