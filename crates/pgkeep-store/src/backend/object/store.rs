//! A bucket as a [`Backend`].

use bytes::Bytes;
use jiff::Timestamp;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    Attributes, GetOptions, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::beyond::{Beyond, CopySource};
use super::conditional;
use super::error::meaning;
use super::list::Pages;
use super::promises::{self, Promises};
use super::upload::PartsSink;
use super::versions::Versions;
use crate::backend::{Backend, Listing, Place, Sink, VersionListing};
use crate::error::{Result, StoreError};
use crate::lock::Lock;
use crate::runtime::{run, run_read};
use crate::types::{Capabilities, ObjectInfo, PendingUpload, UploadPlan, Version};
use crate::upload::plan;
use crate::url::StoreUrl;

/// Where a bucket is, for copies within one server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Its endpoint, or another name that all its buckets share.
    pub(crate) name: String,
    /// The bucket.
    pub(crate) bucket: String,
}

/// An opened bucket.
#[derive(Clone)]
pub(crate) struct Remote {
    /// The store's URL.
    pub(crate) url: StoreUrl,
    /// What all keys begin with, without slashes around it.
    pub(crate) prefix: String,
    /// For requests that are answered at once.
    pub(crate) control: Arc<dyn ObjectStore>,
    /// For requests that carry an object's bytes.
    pub(crate) data: Arc<dyn ObjectStore>,
    /// For parts.
    pub(crate) parts: Arc<dyn MultipartStore>,
    /// For puts, and for the beginning of a multipart upload: what may ask for a lock.
    pub(crate) puts: Arc<dyn ObjectStore>,
    pub(crate) begins: Arc<dyn MultipartStore>,
    /// For what `object_store` cannot do, where that is possible.
    pub(crate) beyond: Option<Arc<dyn Beyond>>,
    /// Where copies within the server are possible.
    pub(crate) server: Option<Server>,
    /// What all objects get: the storage class.
    pub(crate) attributes: Attributes,
    /// The server's name if its conditional put is not to be trusted untried.
    pub(crate) conditional: Option<String>,
    /// What the store must do with everything that is written.
    pub(crate) promises: Promises,
    /// What the store can do by its kind.
    pub(crate) capabilities: Capabilities,
}

impl Remote {
    pub(crate) fn path(&self, key: &str) -> Result<Path> {
        let full = match self.prefix.as_str() {
            "" => key.to_owned(),
            prefix => format!("{prefix}/{key}"),
        };
        if full.len() > crate::key::MAX_KEY_BYTES {
            let cause = "the key and the store's prefix are longer than 1,024 bytes";
            return Err(StoreError::new(
                StoreError::InvalidUrl,
                self.url.of(key),
                cause,
                "use a shorter name",
            ));
        }
        Path::parse(full).map_err(|e| self.fail(key, &e.into()))
    }

    /// The key below the prefix, of a path that begins with it.
    pub(crate) fn key(&self, path: &str) -> Option<String> {
        match self.prefix.as_str() {
            "" => Some(path.to_owned()),
            prefix => Some(path.strip_prefix(prefix)?.strip_prefix('/')?.to_owned()),
        }
    }

    /// A prefix of keys with what all keys begin with.
    pub(crate) fn full_prefix(&self, prefix: &str) -> String {
        match self.prefix.as_str() {
            "" => prefix.to_owned(),
            own => format!("{own}/{prefix}"),
        }
    }

    /// The error for what this kind of store cannot do.
    fn unsupported(&self, what: &str) -> StoreError {
        StoreError::new(StoreError::Unsupported, self.url.base(), what, "")
    }

    pub(crate) fn fail(&self, key: &str, e: &object_store::Error) -> StoreError {
        let url = if key.is_empty() { self.url.base() } else { self.url.of(key) };
        meaning(&url, e)
    }
}

/// The backend.
pub(crate) struct Objects {
    remote: Arc<Remote>,
    /// The server has answered before, so that an outage now may be a short one.
    reached: AtomicBool,
    /// The bucket is known to exist.
    bucket_seen: Arc<AtomicBool>,
}

impl Objects {
    pub(crate) fn new(remote: Remote) -> Objects {
        Objects { remote: Arc::new(remote), reached: false.into(), bucket_seen: Arc::default() }
    }

    /// At the first call: a server that is not there is told within seconds, while one that goes away
    /// later is waited for as long as the retry budget says.
    fn reach(&self) -> Result<Arc<Remote>> {
        if let (Some(beyond), false) = (&self.remote.beyond, self.reached.load(Relaxed)) {
            let beyond = beyond.clone();
            run(async move { beyond.reach().await })?;
            self.reached.store(true, Relaxed);
        }
        Ok(self.remote.clone())
    }

    /// The object's information after it was put.
    fn written(key: &str, size: usize, etag: Option<String>) -> ObjectInfo {
        ObjectInfo { key: key.to_owned(), size: size as u64, modified: Timestamp::now(), etag }
    }
}

pub(crate) fn info(key: String, meta: &ObjectMeta) -> ObjectInfo {
    let modified = Timestamp::from_millisecond(meta.last_modified.timestamp_millis()).unwrap_or_default();
    ObjectInfo { key, size: meta.size, modified, etag: meta.e_tag.clone() }
}

/// Asks for an object's information with its attributes.
pub(crate) async fn stat(store: &dyn ObjectStore, path: &Path) -> object_store::Result<GetResult> {
    let options = GetOptions { head: true, ..GetOptions::default() };
    store.get_opts(path, options).await
}

/// Puts `body` under a condition; the answer that the object exists is checked for being our own doing.
async fn create(remote: &Remote, path: &Path, body: Bytes) -> object_store::Result<Option<String>> {
    let token = conditional::token();
    let attributes = conditional::with_token(&remote.attributes, &token);
    let mut last = None;
    // S3 answers 409 when two conditional writes meet, and asks for it to be tried again.
    for _ in 0..8 {
        let options =
            PutOptions { mode: PutMode::Create, attributes: attributes.clone(), ..PutOptions::default() };
        match remote.puts.put_opts(path, body.clone().into(), options).await {
            Ok(put) => return Ok(put.e_tag),
            Err(e @ object_store::Error::AlreadyExists { .. }) => {
                if let Ok(there) = stat(&*remote.control, path).await
                    && conditional::is_ours(&there.attributes, &token)
                {
                    return Ok(there.meta.e_tag);
                }
                let met = e.to_string().contains("ConditionalRequestConflict");
                last = Some(e);
                if !met {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            Err(e) => return Err(e),
        }
    }
    Err(last
        .unwrap_or(object_store::Error::NotImplemented { operation: "put".into(), implementer: "S3".into() }))
}

/// Asks first, then puts without condition.
async fn head_then_put(remote: &Remote, path: &Path, body: Bytes) -> object_store::Result<Option<String>> {
    match remote.control.head(path).await {
        Ok(_) => Err(object_store::Error::AlreadyExists {
            path: path.to_string(),
            source: "the store was asked before writing".into(),
        }),
        Err(object_store::Error::NotFound { .. }) => {
            let options = PutOptions { attributes: remote.attributes.clone(), ..PutOptions::default() };
            Ok(remote.puts.put_opts(path, body.into(), options).await?.e_tag)
        }
        Err(e) => Err(e),
    }
}

async fn put_if_absent(remote: &Remote, path: &Path, body: Bytes) -> object_store::Result<Option<String>> {
    let Some(server) = &remote.conditional else { return create(remote, path, body).await };
    match conditional::honoured(server) {
        Some(true) => create(remote, path, body).await,
        Some(false) => head_then_put(remote, path, body).await,
        None => {
            // On a server that ignores the condition the first put must not replace anything.
            if let Ok(there) = stat(&*remote.control, path).await {
                let source = format!("of {}", there.meta.last_modified).into();
                return Err(object_store::Error::AlreadyExists { path: path.to_string(), source });
            }
            let etag = match create(remote, path, body.clone()).await {
                Err(e) if e.to_string().contains("NotImplemented") || e.to_string().contains("501") => {
                    conditional::remember(server, false);
                    return head_then_put(remote, path, body).await;
                }
                Err(e @ object_store::Error::AlreadyExists { .. }) => {
                    conditional::remember(server, true);
                    return Err(e);
                }
                r => r?,
            };
            match create(remote, path, body).await {
                Err(object_store::Error::AlreadyExists { .. }) => conditional::remember(server, true),
                Ok(_) => conditional::remember(server, false),
                // Not known yet; the object is there, which is what was asked for.
                Err(_) => {}
            }
            Ok(etag)
        }
    }
}

impl Backend for Objects {
    fn capabilities(&self) -> Capabilities {
        let mut can = self.remote.capabilities;
        if let Some(server) = &self.remote.conditional {
            can.conditional_put &= conditional::honoured(server).unwrap_or(true);
        }
        can
    }

    fn put(&self, key: &str, body: Bytes) -> Result<ObjectInfo> {
        let (remote, key) = (self.reach()?, key.to_owned());
        run(async move {
            let (path, size) = (remote.path(&key)?, body.len());
            let options = PutOptions { attributes: remote.attributes.clone(), ..PutOptions::default() };
            let put = remote.puts.put_opts(&path, body.into(), options).await;
            let etag = put.map_err(|e| remote.fail(&key, &e))?.e_tag;
            promises::check(&remote, &key, &[]).await?;
            Ok(Objects::written(&key, size, etag))
        })
    }

    fn put_if_absent(&self, key: &str, body: Bytes) -> Result<ObjectInfo> {
        let (remote, key) = (self.reach()?, key.to_owned());
        run(async move {
            let (path, size) = (remote.path(&key)?, body.len());
            let put = put_if_absent(&remote, &path, body).await;
            let etag = put.map_err(|e| remote.fail(&key, &e))?;
            promises::check(&remote, &key, &[]).await?;
            Ok(Objects::written(&key, size, etag))
        })
    }

    fn get(&self, key: &str) -> Result<Bytes> {
        let (remote, key) = (self.reach()?, key.to_owned());
        run(async move {
            let path = remote.path(&key)?;
            let get = async { remote.data.get(&path).await?.bytes().await };
            get.await.map_err(|e| remote.fail(&key, &e))
        })
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let (remote, key) = (self.reach()?, key.to_owned());
        run_read(async move {
            let path = remote.path(&key)?;
            let get = remote.data.get_range(&path, range.clone()).await;
            match get.map_err(|e| remote.fail(&key, &e)) {
                Ok(body) => Ok(body),
                Err(e @ (StoreError::NotFound(_) | StoreError::OutOfRange(_))) => Err(e),
                // Not every store says clearly that the range begins behind the end.
                Err(e) => match remote.control.head(&path).await {
                    Ok(meta) if range.start >= meta.size => Err(StoreError::new(
                        StoreError::OutOfRange,
                        remote.url.of(&key),
                        format_args!("byte {} was asked for, there are {}", range.start, meta.size),
                        "the object may have been cut short or replaced",
                    )),
                    _ => Err(e),
                },
            }
        })
    }

    fn head(&self, key: &str) -> Result<ObjectInfo> {
        let (remote, key, seen) = (self.reach()?, key.to_owned(), self.bucket_seen.clone());
        run(async move {
            let path = remote.path(&key)?;
            match remote.control.head(&path).await {
                Ok(meta) => {
                    seen.store(true, Relaxed);
                    Ok(info(key, &meta))
                }
                // An answer to HEAD has no body that could tell a missing bucket from a missing object
                // or name what is wrong with the credentials, so ask again in a way that has one.
                Err(e) if !seen.load(Relaxed) => match remote.control.get_range(&path, 0..1).await {
                    Err(with_body) => {
                        let e = remote.fail(&key, &with_body);
                        seen.store(e.is_not_found(), Relaxed);
                        Err(e)
                    }
                    Ok(_) => Err(remote.fail(&key, &e)),
                },
                Err(e) => Err(remote.fail(&key, &e)),
            }
        })
    }

    fn list(&self, prefix: &str) -> Result<Listing> {
        let remote = self.reach()?;
        // `object_store` lists folders; the rest of the prefix is compared here.
        let folder = match prefix.rsplit_once('/') {
            Some((folder, _)) => remote.path(folder)?,
            None if remote.prefix.is_empty() => Path::default(),
            None => Path::parse(&remote.prefix).map_err(|e| remote.fail("", &e.into()))?,
        };
        let stream = remote.control.list(Some(&folder));
        Ok(Box::new(Pages::new(remote, prefix, stream)))
    }

    fn delete(&self, key: &str) -> Result<()> {
        let (remote, key) = (self.reach()?, key.to_owned());
        run(async move {
            let path = remote.path(&key)?;
            match remote.control.delete(&path).await.map_err(|e| remote.fail(&key, &e)) {
                Err(StoreError::NotFound(_)) => Ok(()),
                r => r,
            }
        })
    }

    fn start_upload(&self, key: &str, plan: &UploadPlan) -> Result<Box<dyn Sink>> {
        let remote = self.reach()?;
        let sizes = plan::sizes(&remote.url.of(key), plan, &remote.capabilities)?;
        let mut sink = PartsSink::new(remote, key, sizes)?;
        if plan.expected_size > sizes.part_size {
            // It will be needed, and a missing right shows now instead of after the first part.
            sink.begin()?;
        }
        Ok(Box::new(sink))
    }

    fn pending_uploads(&self, prefix: &str) -> Result<Vec<PendingUpload>> {
        let remote = self.reach()?;
        let Some(beyond) = remote.beyond.clone() else { return Ok(Vec::new()) };
        let full = remote.full_prefix(prefix);
        run(async move {
            let found = beyond.uploads(&full).await.map_err(|e| remote.fail("", &e))?;
            let below = |p: PendingUpload| Some(PendingUpload { key: remote.key(&p.key)?, ..p });
            Ok(found.into_iter().filter_map(below).collect())
        })
    }

    fn abort_upload(&self, pending: &PendingUpload) -> Result<()> {
        let (remote, pending) = (self.reach()?, pending.clone());
        run(async move {
            let path = remote.path(&pending.key)?;
            let abort = remote.parts.abort_multipart(&path, &pending.upload_id).await;
            match abort.map_err(|e| remote.fail(&pending.key, &e)) {
                Err(StoreError::NotFound(_)) => Ok(()),
                r => r,
            }
        })
    }

    fn has_locks(&self) -> Result<bool> {
        let remote = self.reach()?;
        let Some(beyond) = remote.beyond.clone() else { return Ok(false) };
        run(async move { beyond.has_locks().await.map_err(|e| remote.fail("", &e)) })
    }

    fn retention(&self, key: &str) -> Result<Option<Lock>> {
        let (remote, key) = (self.reach()?, key.to_owned());
        let Some(beyond) = remote.beyond.clone() else { return Ok(None) };
        run(async move {
            let kept = beyond.look(remote.path(&key)?.as_ref(), None).await;
            let lock = kept.map_err(|e| remote.fail(&key, &e))?.lock;
            Ok(Some(lock).filter(|lock| *lock != Lock::default()))
        })
    }

    fn set_legal_hold(&self, key: &str, on: bool) -> Result<()> {
        let (remote, key) = (self.reach()?, key.to_owned());
        let Some(beyond) = remote.beyond.clone() else {
            return Err(remote.unsupported("this kind of store has no legal hold"));
        };
        run(async move {
            let set = beyond.set_legal_hold(remote.path(&key)?.as_ref(), on).await;
            set.map_err(|e| remote.fail(&key, &e))
        })
    }

    fn locking(&self, from: Timestamp) -> Result<Option<Arc<dyn Backend>>> {
        let remote = self.reach()?;
        let Some(beyond) = remote.beyond.clone() else { return Ok(None) };
        let Some(locking) = run(async move { beyond.locking(from).await })? else { return Ok(None) };
        let promises = Promises { lock: locking.lock, ..remote.promises.clone() };
        let (puts, begins, beyond) = (locking.puts, locking.begins, Some(locking.beyond));
        let remote = Remote { puts, begins, beyond, promises, ..Remote::clone(&remote) };
        Ok(Some(Arc::new(Objects {
            remote: Arc::new(remote),
            reached: true.into(),
            bucket_seen: Arc::default(),
        })))
    }

    fn versions(&self, prefix: &str) -> Result<VersionListing> {
        let remote = self.reach()?;
        match remote.beyond.clone() {
            Some(beyond) => Ok(Box::new(Versions::new(remote, beyond, prefix))),
            None => Ok(Box::new(std::iter::empty())),
        }
    }

    fn delete_version(&self, version: &Version) -> Result<()> {
        let (remote, Version { key, id, .. }) = (self.reach()?, version.clone());
        let Some(beyond) = remote.beyond.clone() else {
            return Err(remote.unsupported("this kind of store has no versions"));
        };
        run(async move {
            let full = remote.path(&key)?;
            match beyond.delete_version(full.as_ref(), &id).await.map_err(|e| remote.fail(&key, &e)) {
                Err(StoreError::NotFound(_)) => Ok(()),
                Err(e @ StoreError::PermissionDenied(_)) => {
                    // Servers refuse in words of their own.
                    let lock =
                        beyond.look(full.as_ref(), Some(&id)).await.map(|kept| kept.lock).unwrap_or_default();
                    match lock.holds(Timestamp::now()) {
                        true => Err(StoreError::new(
                            StoreError::Locked,
                            remote.url.of(&key),
                            format_args!("version {id} is {lock}"),
                            "it can be deleted when the lock has ended",
                        )),
                        false => Err(e),
                    }
                }
                r => r,
            }
        })
    }

    fn place(&self, key: &str) -> Result<Option<Place>> {
        let Some(Server { name, bucket }) = self.remote.server.clone() else { return Ok(None) };
        Ok(Some(Place::Bucket { server: name, bucket, key: self.remote.path(key)?.to_string() }))
    }

    fn can_copy_from(&self, place: &Place) -> bool {
        let own = self.remote.server.as_ref();
        own.is_some_and(|own| matches!(place, Place::Bucket { server, .. } if *server == own.name))
    }

    fn copy_from(&self, key: &str, source: &Place, size: u64, part_size: Option<u64>) -> Result<ObjectInfo> {
        let (remote, key) = (self.reach()?, key.to_owned());
        let (Some(beyond), Place::Bucket { bucket, key: from, .. }) = (remote.beyond.clone(), source) else {
            return Err(remote.unsupported("a copy within the server"));
        };
        let source = CopySource { bucket: bucket.clone(), key: from.clone(), size };
        let sizes = plan::sizes(
            &remote.url.of(&key),
            &UploadPlan { expected_size: size, part_size, ..UploadPlan::default() },
            &remote.capabilities,
        )?;
        run(async move {
            let path = remote.path(&key)?;
            let copied = beyond.copy(&source, path.as_ref(), sizes.part_size).await;
            copied.map_err(|e| remote.fail(&key, &e))?;
            promises::check(&remote, &key, &[]).await?;
            let meta = remote.control.head(&path).await.map_err(|e| remote.fail(&key, &e))?;
            Ok(info(key, &meta))
        })
    }
}
