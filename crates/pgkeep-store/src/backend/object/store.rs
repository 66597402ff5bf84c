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

use super::conditional;
use super::error::meaning;
use super::list::Pages;
use super::upload::PartsSink;
use crate::backend::{Backend, Listing, Sink};
use crate::error::{Result, StoreError};
use crate::runtime::run;
use crate::types::{Capabilities, ObjectInfo, PendingUpload, UploadPlan};
use crate::upload::plan;
use crate::url::StoreUrl;

/// What a kind of store adds where `object_store` ends. Keys here include the store's prefix.
#[async_trait::async_trait]
pub(crate) trait Pending: Send + Sync {
    /// Fails quickly if the server cannot be reached at all.
    async fn reach(&self) -> Result<()>;
    /// The multipart uploads in progress whose keys begin with `prefix`.
    async fn list(&self, prefix: &str) -> Result<Vec<PendingUpload>>;
}

/// An opened bucket.
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
    /// Listing multipart uploads, where that is possible.
    pub(crate) pending: Option<Arc<dyn Pending>>,
    /// What all objects get: the storage class.
    pub(crate) attributes: Attributes,
    /// The server's name if its conditional put is not to be trusted untried.
    pub(crate) conditional: Option<String>,
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
        if let (Some(pending), false) = (&self.remote.pending, self.reached.load(Relaxed)) {
            let pending = pending.clone();
            run(async move { pending.reach().await })?;
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
        match remote.data.put_opts(path, body.clone().into(), options).await {
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
            Ok(remote.data.put_opts(path, body.into(), options).await?.e_tag)
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
            let put = remote.data.put_opts(&path, body.into(), options).await;
            let etag = put.map_err(|e| remote.fail(&key, &e))?.e_tag;
            Ok(Objects::written(&key, size, etag))
        })
    }

    fn put_if_absent(&self, key: &str, body: Bytes) -> Result<ObjectInfo> {
        let (remote, key) = (self.reach()?, key.to_owned());
        run(async move {
            let (path, size) = (remote.path(&key)?, body.len());
            let put = put_if_absent(&remote, &path, body).await;
            let etag = put.map_err(|e| remote.fail(&key, &e))?;
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
        run(async move {
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
        let Some(pending) = remote.pending.clone() else { return Ok(Vec::new()) };
        let full = match remote.prefix.as_str() {
            "" => prefix.to_owned(),
            own => format!("{own}/{prefix}"),
        };
        run(async move {
            let found = pending.list(&full).await?;
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
}
