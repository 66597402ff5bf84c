//! The folder as a [`Backend`].

use bytes::Bytes;
use jiff::Timestamp;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::meaning;
use super::list::{Walk, target_key};
use super::partial::{Partial, dead, sync_folder_of};
use super::upload::FolderSink;
use crate::backend::{Backend, Listing, Place, Sink, VersionListing};
use crate::error::{Result, StoreError};
use crate::lock::Lock;
use crate::types::{Capabilities, ObjectInfo, PendingUpload, UploadPlan, Version};
use crate::upload::plan;

/// A folder.
pub(crate) struct Folder {
    root: PathBuf,
    url: String,
}

impl Folder {
    /// The store in the folder `root`, an absolute path, which need not exist yet.
    pub(crate) fn new(root: PathBuf, url: String) -> Folder {
        Folder { root, url: url.trim_end_matches('/').to_owned() }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    fn fail(&self, key: &str) -> impl Fn(io::Error) -> StoreError {
        let url = format!("{}/{key}", self.url);
        move |e| meaning(&url, &e)
    }

    fn unsupported(&self, key: &str, what: &str) -> StoreError {
        StoreError::new(StoreError::Unsupported, format!("{}/{key}", self.url), what, "")
    }

    /// Opens an object. A folder is none.
    fn open(&self, key: &str) -> io::Result<(File, Metadata)> {
        let file = match File::open(self.path(key)) {
            Err(e) if e.kind() == io::ErrorKind::NotADirectory => return Err(io::ErrorKind::NotFound.into()),
            r => r?,
        };
        let meta = file.metadata()?;
        match meta.is_file() {
            true => Ok((file, meta)),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn write(
        &self,
        key: &str,
        body: &[u8],
        publish: fn(&mut Partial) -> io::Result<()>,
    ) -> Result<ObjectInfo> {
        let write = || {
            let mut partial = Partial::create(&self.root, &self.path(key))?;
            partial.file.write_all(body)?;
            publish(&mut partial)?;
            Ok(info(key.to_owned(), &partial.file.metadata()?))
        };
        write().map_err(self.fail(key))
    }

    /// Removes the folders that `key` left empty, so that a folder looks as a bucket does.
    fn prune(&self, key: &str) {
        let mut folder = Path::new(key).parent();
        while let Some(relative) = folder.filter(|p| !p.as_os_str().is_empty()) {
            if fs::remove_dir(self.root.join(relative)).is_err() {
                return;
            }
            folder = relative.parent();
        }
    }
}

/// What the file's metadata tell of an object.
pub(crate) fn info(key: String, meta: &Metadata) -> ObjectInfo {
    let modified = meta.modified().ok().and_then(|t| Timestamp::try_from(t).ok()).unwrap_or_default();
    let etag = format!("{:x}-{:x}-{:x}", meta.ino(), modified.as_nanosecond(), meta.len());
    ObjectInfo { key, size: meta.len(), modified, etag: Some(etag) }
}

impl Backend for Folder {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            conditional_put: true,
            multipart: false,
            part_limit: u32::MAX,
            min_part_size: 1,
            max_part_size: plan::MAX_PART,
            lists_pending: true,
            pending_are_dead: true,
            max_object_size: u64::MAX,
            versions: false,
            locks: false,
        }
    }

    fn put(&self, key: &str, body: Bytes) -> Result<ObjectInfo> {
        self.write(key, &body, Partial::publish)
    }

    fn put_if_absent(&self, key: &str, body: Bytes) -> Result<ObjectInfo> {
        // Spares the writing when the answer is known; the publishing decides.
        if fs::symlink_metadata(self.path(key)).is_ok() {
            return Err(self.fail(key)(io::ErrorKind::AlreadyExists.into()));
        }
        self.write(key, &body, Partial::publish_if_absent)
    }

    fn get(&self, key: &str) -> Result<Bytes> {
        let read = || {
            let (mut file, meta) = self.open(key)?;
            let mut body = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
            file.read_to_end(&mut body)?;
            Ok(body.into())
        };
        read().map_err(self.fail(key))
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let (mut file, meta) = self.open(key).map_err(self.fail(key))?;
        if range.start >= meta.len() {
            return Err(StoreError::new(
                StoreError::OutOfRange,
                format!("{}/{key}", self.url),
                format_args!("byte {} was asked for, there are {}", range.start, meta.len()),
                "the object may have been cut short or replaced",
            ));
        }
        let read = || {
            file.seek(SeekFrom::Start(range.start))?;
            let len = range.end.min(meta.len()) - range.start;
            let mut body = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
            file.take(len).read_to_end(&mut body)?;
            Ok(body.into())
        };
        read().map_err(self.fail(key))
    }

    fn head(&self, key: &str) -> Result<ObjectInfo> {
        match self.open(key) {
            Ok((_, meta)) => Ok(info(key.to_owned(), &meta)),
            Err(e) => Err(self.fail(key)(e)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Listing> {
        Ok(Box::new(Walk::objects(&self.url, &self.root, prefix)))
    }

    fn delete(&self, key: &str) -> Result<()> {
        let path = self.path(key);
        match fs::remove_file(&path) {
            Ok(()) => {
                sync_folder_of(&path).map_err(self.fail(key))?;
                self.prune(key);
                Ok(())
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                // An upload that was given up may have made its folder.
                self.prune(key);
                Ok(())
            }
            // A folder is no object, so there is none under this key.
            Err(_) if path.is_dir() => Ok(()),
            Err(e) => Err(self.fail(key)(e)),
        }
    }

    fn start_upload(&self, key: &str, plan: &UploadPlan) -> Result<Box<dyn Sink>> {
        let url = format!("{}/{key}", self.url);
        let sizes = plan::sizes(&url, plan, &self.capabilities())?;
        let partial = Partial::create(&self.root, &self.path(key)).map_err(self.fail(key))?;
        let name = partial.path().strip_prefix(&self.root).unwrap_or(partial.path());
        let id = name.to_string_lossy().into_owned();
        Ok(Box::new(FolderSink::new(url, id, partial, sizes)))
    }

    fn pending_uploads(&self, prefix: &str) -> Result<Vec<PendingUpload>> {
        let mut pending = Vec::new();
        for partial in Walk::partials(&self.url, &self.root, prefix) {
            let partial = partial?;
            let Some(key) = target_key(&partial.key) else { continue };
            match dead(&self.path(&partial.key)) {
                Ok(Some(_lock)) => {
                    pending.push(PendingUpload { key, upload_id: partial.key, started: partial.modified });
                }
                Ok(None) => {}
                Err(e) => return Err(self.fail(&partial.key)(e)),
            }
        }
        Ok(pending)
    }

    fn abort_upload(&self, pending: &PendingUpload) -> Result<()> {
        let id = &pending.upload_id;
        let named_so = target_key(id).is_some() && id.split('/').all(|s| !matches!(s, "" | "." | ".."));
        if !named_so {
            return Err(StoreError::new(
                StoreError::InvalidUrl,
                &self.url,
                format_args!("{id:?} is no partial file of this store"),
                "take what pending_uploads gave",
            ));
        }
        match dead(&self.path(id)) {
            Ok(Some(_lock)) => match fs::remove_file(self.path(id)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(self.fail(id)(e)),
                _ => {
                    self.prune(id);
                    Ok(())
                }
            },
            Ok(None) if self.path(id).exists() => Err(StoreError::new(
                StoreError::Interrupted,
                format!("{}/{id}", self.url),
                "another process is writing to this file",
                "wait for it to end, or end it",
            )),
            Ok(None) => Ok(()),
            Err(e) => Err(self.fail(id)(e)),
        }
    }

    fn has_locks(&self) -> Result<bool> {
        Ok(false)
    }

    fn retention(&self, _key: &str) -> Result<Option<Lock>> {
        Ok(None)
    }

    fn set_legal_hold(&self, key: &str, _on: bool) -> Result<()> {
        Err(self.unsupported(key, "a folder has no legal hold"))
    }

    fn locking(&self, _from: Timestamp) -> Result<Option<Arc<dyn Backend>>> {
        Ok(None)
    }

    fn versions(&self, _prefix: &str) -> Result<VersionListing> {
        Ok(Box::new(std::iter::empty()))
    }

    fn delete_version(&self, version: &Version) -> Result<()> {
        Err(self.unsupported(&version.key, "a folder has no versions"))
    }

    fn place(&self, key: &str) -> Result<Option<Place>> {
        Ok(Some(Place::File(self.path(key))))
    }

    fn can_copy_from(&self, place: &Place) -> bool {
        matches!(place, Place::File(_))
    }

    /// Shares the blocks where the file system can (btrfs, XFS), copies in the kernel else.
    fn copy_from(
        &self,
        key: &str,
        source: &Place,
        _size: u64,
        _part_size: Option<u64>,
    ) -> Result<ObjectInfo> {
        let Place::File(from) = source else {
            return Err(self.unsupported(key, "a copy of what is no file"));
        };
        let copy = || {
            let mut partial = Partial::create(&self.root, &self.path(key))?;
            io::copy(&mut File::open(from)?, &mut partial.file)?;
            partial.publish()?;
            Ok(info(key.to_owned(), &partial.file.metadata()?))
        };
        copy().map_err(self.fail(key))
    }
}
