//! The handle a writer holds.

use crate::backend::Sink;
use crate::error::{Result, StoreError};
use crate::types::Finished;

/// An upload in progress, "head last": the body is written in order from offset
/// [`head_len`](crate::UploadPlan::head_len) on, then [`finish`](Self::finish) gives the head.
///
/// Until then there is no object, and so there is no URL to be had from here. Dropping an upload
/// aborts it.
///
/// Memory into a bucket: `(k + 1 + concurrency) × part_size`, where the head and the body bytes that
/// share its last part fill the first `k = ceil(head_len / part_size)` parts, one part is being filled,
/// and `concurrency` are under way. Into a folder: about 3 MiB.
///
/// ```
/// # fn main() -> Result<(), pgkeep_store::StoreError> {
/// use pgkeep_store::{Store, UploadPlan};
///
/// let store = Store::open("memory://doc-upload")?;
/// let mut upload = store.start_upload("shop.dump", UploadPlan::new(6, 1000))?;
/// assert_eq!(upload.position(), 6);
/// upload.write(b"the body")?;
/// let finished = upload.finish(b"HEAD: ".to_vec())?;
/// assert_eq!(finished.size, 14);
/// assert_eq!(store.get("shop.dump")?, "HEAD: the body");
/// # Ok(())
/// # }
/// ```
pub struct Upload {
    url: String,
    head_len: u64,
    sink: Option<Box<dyn Sink>>,
    position: u64,
    id: Option<String>,
}

impl Upload {
    pub(crate) fn new(url: String, head_len: u64, sink: Box<dyn Sink>) -> Upload {
        let (position, id) = (sink.position(), sink.id());
        Upload { url, head_len, sink: Some(sink), position, id }
    }

    /// Takes the next bytes of the body; waits when the store is behind.
    ///
    /// After an error the upload is over: what it had stored is removed, and every further call fails.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(sink) = &mut self.sink else { return Err(self.over()) };
        let written = sink.write(bytes);
        self.position = sink.position();
        self.id = sink.id();
        if written.is_err() {
            self.remove();
        }
        written
    }

    /// The absolute offset of the next body byte.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What names this upload in the store until it is finished: a multipart upload id, or the name of
    /// the partial file. `None` while nothing has been stored, as with a small object in a bucket.
    ///
    /// It is what [`pending_uploads`](crate::Store::pending_uploads) reports as the upload's id.
    pub fn id(&self) -> Option<String> {
        self.id.clone()
    }

    /// Stores the head and makes the object visible, replacing one of the same name.
    ///
    /// `head` must have the length the plan announced. When this fails there is no object, and what was
    /// stored is removed.
    pub fn finish(mut self, head: Vec<u8>) -> Result<Finished> {
        if head.len() as u64 != self.head_len {
            return Err(StoreError::new(
                StoreError::Other,
                &self.url,
                format_args!("a head of {} bytes was announced, {} came", self.head_len, head.len()),
                "this is a bug in pgkeep",
            ));
        }
        let Some(mut sink) = self.sink.take() else { return Err(self.over()) };
        let finished = sink.finish(head);
        if finished.is_err() {
            self.sink = Some(sink);
            self.remove();
        }
        finished
    }

    /// Removes everything stored so far.
    pub fn abort(mut self) -> Result<()> {
        match self.sink.take() {
            Some(mut sink) => sink.abort(),
            None => Ok(()),
        }
    }

    fn over(&self) -> StoreError {
        StoreError::new(StoreError::Interrupted, &self.url, "the upload failed before", "begin a new one")
    }

    /// Removes what was stored as well as can be; what stays is found by `pending_uploads`.
    fn remove(&mut self) {
        if let Some(mut sink) = self.sink.take() {
            let _ = sink.abort();
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.remove();
    }
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload")
            .field("url", &self.url)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
