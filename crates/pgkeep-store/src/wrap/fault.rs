//! A store whose calls fail when told to, for tests of what survives that.

use bytes::Bytes;
use jiff::Timestamp;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::backend::{Backend, Listing, Place, Sink, VersionListing};
use crate::error::{Result, StoreError};
use crate::lock::Lock;
use crate::store::Store;
use crate::types::{Capabilities, Finished, ObjectInfo, PendingUpload, UploadPlan, Version};
use crate::upload::Upload;

/// Which call fails, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The number of the call, from 0 on, counted since the last [`Faults::arm`].
    pub call: usize,
    /// Whether the store had done what it was asked for when the failure came, as when an answer is lost.
    pub after_effect: bool,
    /// Whether all later calls fail, too: what a killed process leaves behind.
    pub for_good: bool,
}

/// Counts the calls to the stores that it is put around, and fails one of them.
///
/// Every request counts, each write of an upload, its end and its removal among them.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    calls: usize,
    fault: Option<Fault>,
    /// What was called, with the key.
    log: Vec<String>,
}

impl Faults {
    /// Fails nothing yet.
    pub fn new() -> Faults {
        Faults::default()
    }

    /// The same store with these faults.
    pub fn around(&self, store: &Store) -> Store {
        Store::around(store, Arc::new(Faulty { inner: store.clone(), faults: self.clone() }))
    }

    /// Counts anew, and fails this call.
    pub fn arm(&self, fault: Option<Fault>) {
        *self.lock() = State { fault, ..State::default() };
    }

    /// What was called since then, each with its key.
    pub fn calls(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call: as it is, or failed.
    fn call<T>(&self, what: &str, url: &str, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let fault = {
            let mut state = self.lock();
            let n = state.calls;
            state.calls += 1;
            state.log.push(format!("{what} {url}"));
            state.fault.filter(|f| f.call == n || (f.for_good && f.call < n)).map(|f| (f, f.call == n))
        };
        let failed = |n: usize| {
            StoreError::new(StoreError::Unreachable, url, format_args!("call {n}, {what}, was to fail"), "")
        };
        match fault {
            None => act(),
            Some((fault, true)) if fault.after_effect => act().and_then(|_| Err(failed(fault.call))),
            Some((fault, _)) => Err(failed(fault.call)),
        }
    }
}

struct Faulty {
    inner: Store,
    faults: Faults,
}

impl Faulty {
    fn call<T>(&self, what: &str, key: &str, act: impl FnOnce() -> Result<T>) -> Result<T> {
        self.faults.call(what, &self.inner.url_of(key), act)
    }
}

impl Backend for Faulty {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn put(&self, key: &str, body: Bytes) -> Result<ObjectInfo> {
        self.call("put", key, || self.inner.put(key, body))
    }

    fn put_if_absent(&self, key: &str, body: Bytes) -> Result<ObjectInfo> {
        self.call("put_if_absent", key, || self.inner.put_if_absent(key, body))
    }

    fn get(&self, key: &str) -> Result<Bytes> {
        self.call("get", key, || self.inner.get(key))
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.call("get_range", key, || self.inner.get_range(key, range))
    }

    fn head(&self, key: &str) -> Result<ObjectInfo> {
        self.call("head", key, || self.inner.head(key))
    }

    fn list(&self, prefix: &str) -> Result<Listing> {
        self.call("list", prefix, || Ok(Box::new(self.inner.list(prefix)?) as Listing))
    }

    fn delete(&self, key: &str) -> Result<()> {
        self.call("delete", key, || self.inner.delete(key))
    }

    fn start_upload(&self, key: &str, plan: &UploadPlan) -> Result<Box<dyn Sink>> {
        let upload = self.call("start_upload", key, || self.inner.start_upload(key, plan.clone()))?;
        let (faults, url) = (self.faults.clone(), self.inner.url_of(key));
        Ok(Box::new(FaultySink { position: upload.position(), upload: Some(upload), faults, url }))
    }

    fn pending_uploads(&self, prefix: &str) -> Result<Vec<PendingUpload>> {
        self.call("pending_uploads", prefix, || self.inner.pending_uploads(prefix))
    }

    fn abort_upload(&self, pending: &PendingUpload) -> Result<()> {
        self.call("abort_upload", &pending.key, || self.inner.abort_upload(pending))
    }

    fn has_locks(&self) -> Result<bool> {
        self.call("has_locks", "", || self.inner.has_locks())
    }

    fn retention(&self, key: &str) -> Result<Option<Lock>> {
        self.call("retention", key, || self.inner.retention(key))
    }

    fn set_legal_hold(&self, key: &str, on: bool) -> Result<()> {
        self.call("set_legal_hold", key, || self.inner.set_legal_hold(key, on))
    }

    fn locking(&self, from: Timestamp) -> Result<Option<Arc<dyn Backend>>> {
        let inner = self.call("locking", "", || self.inner.locking(from))?;
        Ok(Some(Arc::new(Faulty { inner, faults: self.faults.clone() })))
    }

    fn versions(&self, prefix: &str) -> Result<VersionListing> {
        self.call("versions", prefix, || Ok(Box::new(self.inner.versions(prefix)?) as VersionListing))
    }

    fn delete_version(&self, version: &Version) -> Result<()> {
        self.call("delete_version", &version.key, || self.inner.delete_version(version))
    }

    fn place(&self, key: &str) -> Result<Option<Place>> {
        self.inner.backend().place(key)
    }

    fn can_copy_from(&self, place: &Place) -> bool {
        self.inner.backend().can_copy_from(place)
    }

    fn copy_from(&self, key: &str, source: &Place, size: u64, part_size: Option<u64>) -> Result<ObjectInfo> {
        self.call("copy_from", key, || self.inner.backend().copy_from(key, source, size, part_size))
    }
}

struct FaultySink {
    upload: Option<Upload>,
    position: u64,
    faults: Faults,
    url: String,
}

impl Sink for FaultySink {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(upload) = &mut self.upload else { return Ok(()) };
        self.faults.call("write", &self.url, || upload.write(bytes))?;
        self.position = upload.position();
        Ok(())
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn id(&self) -> Option<String> {
        self.upload.as_ref().and_then(Upload::id)
    }

    fn finish(&mut self, head: Vec<u8>) -> Result<Finished> {
        let (url, faults) = (self.url.clone(), self.faults.clone());
        let upload = &mut self.upload;
        faults.call("finish", &url, || match upload.take() {
            Some(upload) => upload.finish(head),
            None => Err(StoreError::new(StoreError::Interrupted, &url, "it is over", "")),
        })
    }

    fn abort(&mut self) -> Result<()> {
        let Some(upload) = self.upload.take() else { return Ok(()) };
        self.faults.call("abort", &self.url, || upload.abort())
    }
}
