//! The store as callers see it.

use bytes::Bytes;
use jiff::Timestamp;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::backend::Backend;
use crate::backend::folder::Folder;
use crate::backend::object::{azure, google, memory};
use crate::backend::s3;
use crate::error::{Result, StoreError};
use crate::key;
use crate::lock::Lock;
use crate::open::OpenOptions;
use crate::pace::{PacedSink, Paces};
use crate::types::{Capabilities, ObjectInfo, PendingUpload, ServerCopy, UploadPlan, Version};
use crate::upload::Upload;
use crate::url::StoreUrl;

/// A place for objects. Cloning is cheap; every method blocks and can be called from any thread.
#[derive(Clone)]
pub struct Store {
    url: Arc<StoreUrl>,
    backend: Arc<dyn Backend>,
    paces: Arc<Paces>,
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
        let rates = url.rates();
        let paces = Arc::new(Paces::new(rates.upload, rates.download));
        Ok(Store { url: Arc::new(url), backend, paces })
    }

    /// The same place behind another backend.
    pub(crate) fn around(inner: &Store, backend: Arc<dyn Backend>) -> Store {
        Store { backend, ..inner.clone() }
    }

    /// What is behind it.
    #[cfg(feature = "faults")]
    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.backend
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
        let key = self.check(key)?;
        self.paces.upload(body.len());
        self.backend.put(key, body)
    }

    /// Writes an object unless there is one: [`StoreError::AlreadyExists`](crate::StoreError::AlreadyExists).
    ///
    /// Where [`Capabilities::conditional_put`] holds, exactly one of several concurrent calls wins.
    /// Elsewhere the store is asked first, and two writers at the same moment can both believe that
    /// they won: use unique names there.
    pub fn put_if_absent(&self, key: &str, body: Bytes) -> Result<ObjectInfo> {
        let key = self.check(key)?;
        self.paces.upload(body.len());
        self.backend.put_if_absent(key, body)
    }

    /// The whole object, in memory.
    ///
    /// For small ones such as manifests: it must come within one request's time. Read large ones by
    /// [`get_range`](Self::get_range), some megabytes at a time, of which each is tried again on its own.
    pub fn get(&self, key: &str) -> Result<Bytes> {
        let body = self.backend.get(self.check(key)?)?;
        self.paces.download(body.len());
        Ok(body)
    }

    /// The bytes of `range`. An end behind that of the object is cut to it; a start there is
    /// [`StoreError::OutOfRange`](crate::StoreError::OutOfRange). An empty range is answered without asking the store.
    pub fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let key = self.check(key)?;
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let body = self.backend.get_range(key, range)?;
        self.paces.download(body.len());
        Ok(body)
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
        let mut sink = self.backend.start_upload(self.check(key)?, &plan)?;
        if self.paces.limits_uploads() {
            sink = Box::new(PacedSink { sink, paces: self.paces.clone() });
        }
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

    /// What keeps the object from being deleted; `None` where nothing does, or the store has no such thing.
    ///
    /// S3 shows a lock only to those with the rights `s3:GetObjectRetention` and `s3:GetObjectLegalHold`.
    pub fn retention(&self, key: &str) -> Result<Option<Lock>> {
        self.backend.retention(self.check(key)?)
    }

    /// Puts a legal hold on the object, or takes it off.
    pub fn set_legal_hold(&self, key: &str, on: bool) -> Result<()> {
        self.backend.set_legal_hold(self.check(key)?, on)
    }

    /// The same store, where all that is written from now on gets the lock that the URL asks for, counted from
    /// `from`; without such options it is this store.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`](crate::StoreError::Unsupported) for a bucket that has no Object Lock: ask before
    /// there is anything to lose. A write whose lock does not come about is
    /// [`StoreError::Unkept`](crate::StoreError::Unkept), and its object is removed.
    pub fn locking(&self, from: Timestamp) -> Result<Store> {
        let locking = self.backend.locking(from)?;
        Ok(Store { backend: locking.unwrap_or_else(|| self.backend.clone()), ..self.clone() })
    }

    /// The versions of all objects whose keys begin with `prefix`, by key and from the newest to the oldest, those
    /// that are current among them.
    ///
    /// Where [`Capabilities::versions`] does not hold there are none. A bucket without versioning lists its objects.
    pub fn versions(&self, prefix: &str) -> Result<impl Iterator<Item = Result<Version>> + Send + use<>> {
        key::check_prefix(&self.url.base(), prefix)?;
        self.backend.versions(prefix)
    }

    /// Removes one version of an object for good, or one delete marker. That it is gone already is fine.
    ///
    /// # Errors
    /// [`StoreError::Locked`](crate::StoreError::Locked) says until when.
    pub fn delete_version(&self, version: &Version) -> Result<()> {
        self.check(&version.key)?;
        self.backend.delete_version(version)
    }

    /// Whether [`copy_from`](Self::copy_from) can copy what is in `source`: both are folders, or buckets of one
    /// S3 server. The right to read there is another matter.
    pub fn can_copy_from(&self, source: &Store) -> bool {
        matches!(source.backend.place("any"), Ok(Some(place)) if self.backend.can_copy_from(&place))
    }

    /// Copies the object `from` of `source` to `key`, replacing what is there, without its bytes passing through
    /// this process: within the S3 server, or by the kernel from folder to folder.
    ///
    /// A large object is copied in parts of `part_size`, or of a planned size; with that of the original's upload the
    /// copy gets the same checksums. That the copy has the size of its original is checked, and told whether the store
    /// vouches for its bytes.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`](crate::StoreError::Unsupported) where it is not possible;
    /// [`StoreError::Unkept`](crate::StoreError::Unkept) for a copy that differs, which is removed.
    pub fn copy_from(
        &self,
        key: &str,
        source: &Store,
        from: &str,
        part_size: Option<u64>,
    ) -> Result<ServerCopy> {
        self.check(key)?;
        let place =
            source.backend.place(source.check(from)?)?.filter(|place| self.backend.can_copy_from(place));
        let Some(place) = place else {
            return Err(StoreError::new(
                StoreError::Unsupported,
                self.url_of(key),
                format_args!("the store cannot copy from {} by itself", source.url_of(from)),
                "read it and write it",
            ));
        };
        let original = source.head(from)?;
        let copy = self.backend.copy_from(key, &place, original.size, part_size)?;
        if copy.size != original.size {
            self.delete(key)?;
            let why = format_args!("the copy has {} bytes and the original {}", copy.size, original.size);
            let hint = "the original may have been replaced meanwhile: try again";
            return Err(StoreError::new(StoreError::Unkept, self.url_of(key), why, hint));
        }
        let is_equal = copy.etag.is_some() && copy.etag == original.etag;
        Ok(ServerCopy { info: copy, is_equal })
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
