//! The places objects can be in: a folder, or whatever the `object_store` crate reaches.

pub(crate) mod folder;
pub(crate) mod object;
pub(crate) mod s3;

use bytes::Bytes;
use std::ops::Range;

use crate::error::Result;
use crate::types::{Capabilities, Finished, ObjectInfo, PendingUpload, UploadPlan};

/// Objects in the order of a listing.
pub(crate) type Listing = Box<dyn Iterator<Item = Result<ObjectInfo>> + Send>;

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
