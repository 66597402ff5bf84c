//! The places objects can be in: a folder, or whatever the `object_store` crate reaches.

pub(crate) mod folder;
pub(crate) mod object;
pub(crate) mod s3;

use bytes::Bytes;
use jiff::Timestamp;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Result;
use crate::lock::Lock;
use crate::types::{Capabilities, Finished, ObjectInfo, PendingUpload, UploadPlan, Version};

/// Objects in the order of a listing.
pub(crate) type Listing = Box<dyn Iterator<Item = Result<ObjectInfo>> + Send>;

/// Versions in the order of a listing.
pub(crate) type VersionListing = Box<dyn Iterator<Item = Result<Version>> + Send>;

/// Where an object is, for another backend to copy it without its bytes passing through us.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A file.
    File(PathBuf),
    /// An object of a bucket, by its whole key.
    Bucket {
        /// What tells whether two buckets are of one server.
        server: String,
        bucket: String,
        key: String,
    },
}

/// One place for objects. Keys and prefixes have been checked. All calls block.
///
/// What each method owes its caller is documented on [`Store`](crate::Store), and shown by the
/// conformance suite that every backend passes.
pub(crate) trait Backend: Send + Sync {
    /// What this place can do.
    fn capabilities(&self) -> Capabilities;
    /// Writes or replaces an object; readers see all of it or nothing.
    fn put(&self, key: &str, body: Bytes) -> Result<ObjectInfo>;
    /// Writes an object unless there is one.
    fn put_if_absent(&self, key: &str, body: Bytes) -> Result<ObjectInfo>;
    /// The whole object.
    fn get(&self, key: &str) -> Result<Bytes>;
    /// Some of its bytes; the range is not empty, its end may lie behind the object's.
    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes>;
    /// What is known of the object without its bytes.
    fn head(&self, key: &str) -> Result<ObjectInfo>;
    /// All objects whose keys begin with `prefix`, in the byte order of their keys.
    fn list(&self, prefix: &str) -> Result<Listing>;
    /// Removes the object, if there is one.
    fn delete(&self, key: &str) -> Result<()>;
    /// Begins an upload.
    fn start_upload(&self, key: &str, plan: &UploadPlan) -> Result<Box<dyn Sink>>;
    /// Uploads that were left behind below `prefix`.
    fn pending_uploads(&self, prefix: &str) -> Result<Vec<PendingUpload>>;
    /// Removes what an upload left behind; it being gone already is fine.
    fn abort_upload(&self, pending: &PendingUpload) -> Result<()>;
    /// Whether objects here can be locked at all.
    fn has_locks(&self) -> Result<bool>;
    /// What keeps the object from being deleted.
    fn retention(&self, key: &str) -> Result<Option<Lock>>;
    /// Puts a legal hold on the object, or takes it off.
    fn set_legal_hold(&self, key: &str, on: bool) -> Result<()>;
    /// The same place, where all that is written gets the lock that the URL asks for; `None` where it asks for none.
    fn locking(&self, from: Timestamp) -> Result<Option<Arc<dyn Backend>>>;
    /// The versions of all objects whose keys begin with `prefix`.
    fn versions(&self, prefix: &str) -> Result<VersionListing>;
    /// Removes one version; it being gone already is fine.
    fn delete_version(&self, version: &Version) -> Result<()>;
    /// Where the object is, if copies from there are possible.
    fn place(&self, key: &str) -> Result<Option<Place>>;
    /// Whether [`copy_from`](Self::copy_from) can copy what is there.
    fn can_copy_from(&self, place: &Place) -> bool;
    /// Copies an object of `size` bytes.
    fn copy_from(&self, key: &str, source: &Place, size: u64, part_size: Option<u64>) -> Result<ObjectInfo>;
}

/// Where the bytes of one upload go.
///
/// After an error, and after `finish`, only `abort` is called.
pub(crate) trait Sink: Send {
    /// Takes the next bytes of the body.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
    /// The absolute offset of the next body byte.
    fn position(&self) -> u64;
    /// The multipart upload id or the partial file's name.
    fn id(&self) -> Option<String>;
    /// Puts the head before the body and makes the object visible.
    fn finish(&mut self, head: Vec<u8>) -> Result<Finished>;
    /// Removes everything written. Called also after a failed `finish`; may be called twice.
    fn abort(&mut self) -> Result<()>;
}
