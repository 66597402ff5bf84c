//! Several stores that are written to as one, so that a stream which can be read once only arrives in all of them.

mod sink;

use bytes::Bytes;
use jiff::Timestamp;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::backend::{Backend, Listing, Place, Sink, VersionListing};
use crate::error::{Result, StoreError};
use crate::lock::Lock;
use crate::store::Store;
use crate::types::{Capabilities, ObjectInfo, PendingUpload, UploadPlan, Version};
use crate::upload::plan;
use sink::MirrorSink;

/// Several stores as one. What is written goes to all of them; one that fails, or takes nothing for too long, is left
/// behind, and the others go on. Only when none is left does a call fail.
///
/// Parts are of one size everywhere, so that the hashes of [`Finished`](crate::Finished) are those of every copy. What is
/// read comes from the first store that is left.
///
/// ```
/// # fn main() -> Result<(), pgkeep_store::StoreError> {
/// use pgkeep_store::{Mirror, Store};
/// use std::time::Duration;
///
/// let (a, b) = (Store::open("memory://mirror-a")?, Store::open("memory://mirror-b")?);
/// let mirror = Mirror::new(vec![a.clone(), b.clone()], Duration::from_secs(60));
/// mirror.store().put("x", "1".into())?;
/// assert_eq!((a.get("x")?, b.get("x")?), ("1".into(), "1".into()));
/// assert!(mirror.lost().is_empty());
/// # Ok(())
/// # }
/// ```
pub struct Mirror(Arc<Members>);

/// A store that was left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Its place among those given to [`Mirror::new`], from 0.
    pub index: usize,
    /// Why, in words.
    pub why: String,
    /// It took nothing for too long: a call to it may still be under way, and write something yet.
    pub stalled: bool,
}

/// What the mirror and its uploads share.
struct Members {
    stores: Vec<Store>,
    patience: Duration,
    lost: Mutex<Vec<Lost>>,
}

impl Mirror {
    /// A mirror over these stores, of which there must be one at least. `patience` is how long one may take no further
    /// megabyte before the others go on without it.
    pub fn new(stores: Vec<Store>, patience: Duration) -> Mirror {
        Mirror(Arc::new(Members { stores, patience, lost: Mutex::default() }))
    }

    /// The mirror as a store. Its URL is that of the first of the stores.
    pub fn store(&self) -> Store {
        Store::around(&self.0.stores[0], Arc::new(MirrorBackend(self.0.clone())))
    }

    /// Which stores have been left behind so far.
    pub fn lost(&self) -> Vec<Lost> {
        self.0.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Members {
    fn lose(&self, index: usize, why: String, stalled: bool) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if lost.iter().all(|l| l.index != index) {
            lost.push(Lost { index, why, stalled });
        }
    }

    /// The stores that are left, with their places.
    fn left(&self) -> Vec<(usize, &Store)> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let is_left = |i: usize| lost.iter().all(|l| l.index != i);
        self.stores.iter().enumerate().filter(|(i, _)| is_left(*i)).collect()
    }

    fn first(&self) -> Result<&Store> {
        self.left().first().map(|(_, store)| *store).ok_or_else(|| self.none_left())
    }

    fn none_left(&self) -> StoreError {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let cause: Vec<&str> = lost.iter().map(|l| l.why.as_str()).collect();
        StoreError::new(StoreError::Interrupted, self.stores[0].url(), cause.join("; "), "every store failed")
    }

    /// Does the same in all stores that are left, at the same time, and gives the first one's answer.
    fn everywhere<T: Send>(&self, act: impl Fn(&Store) -> Result<T> + Sync) -> Result<T> {
        let left = self.left();
        let done: Vec<(usize, Result<T>)> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                left.into_iter().map(|(i, store)| (i, scope.spawn(|| act(store)))).collect();
            threads.into_iter().filter_map(|(i, t)| Some((i, t.join().ok()?))).collect()
        });
        let mut answer = None;
        for (i, result) in done {
            match result {
                Ok(value) => answer = answer.or(Some(value)),
                Err(e) => self.lose(i, e.to_string(), false),
            }
        }
        answer.ok_or_else(|| self.none_left())
    }
}

struct MirrorBackend(Arc<Members>);

impl Backend for MirrorBackend {
    fn capabilities(&self) -> Capabilities {
        let all: Vec<Capabilities> = self.0.stores.iter().map(Store::capabilities).collect();
        Capabilities {
            conditional_put: all.iter().all(|c| c.conditional_put),
            multipart: all.iter().any(|c| c.multipart),
            part_limit: all.iter().map(|c| c.part_limit).min().unwrap_or(1),
            min_part_size: all.iter().map(|c| c.min_part_size).max().unwrap_or(1),
            max_object_size: all.iter().map(|c| c.max_object_size).min().unwrap_or(1),
            max_part_size: all.iter().map(|c| c.max_part_size).min().unwrap_or(1),
            ..all[0]
        }
    }

    fn put(&self, key: &str, body: Bytes) -> Result<ObjectInfo> {
        self.0.everywhere(|store| store.put(key, body.clone()))
    }

    fn put_if_absent(&self, key: &str, body: Bytes) -> Result<ObjectInfo> {
        self.0.everywhere(|store| store.put_if_absent(key, body.clone()))
    }

    fn get(&self, key: &str) -> Result<Bytes> {
        self.0.first()?.get(key)
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.0.first()?.get_range(key, range)
    }

    fn head(&self, key: &str) -> Result<ObjectInfo> {
        self.0.first()?.head(key)
    }

    fn list(&self, prefix: &str) -> Result<Listing> {
        Ok(Box::new(self.0.first()?.list(prefix)?))
    }

    fn delete(&self, key: &str) -> Result<()> {
        self.0.everywhere(|store| store.delete(key))
    }

    fn start_upload(&self, key: &str, plan: &UploadPlan) -> Result<Box<dyn Sink>> {
        let part_size =
            plan::sizes(self.0.stores[0].url_of(key).as_str(), plan, &self.capabilities())?.part_size;
        let plan = UploadPlan { part_size: Some(part_size), ..plan.clone() };
        Ok(Box::new(MirrorSink::start(self.0.clone(), key, &plan)?))
    }

    fn pending_uploads(&self, prefix: &str) -> Result<Vec<PendingUpload>> {
        self.0.first()?.pending_uploads(prefix)
    }

    fn abort_upload(&self, pending: &PendingUpload) -> Result<()> {
        self.0.first()?.abort_upload(pending)
    }

    fn has_locks(&self) -> Result<bool> {
        self.0.first()?.has_locks()
    }

    fn retention(&self, key: &str) -> Result<Option<Lock>> {
        self.0.first()?.retention(key)
    }

    fn set_legal_hold(&self, key: &str, on: bool) -> Result<()> {
        self.0.everywhere(|store| store.set_legal_hold(key, on))
    }

    fn locking(&self, _from: Timestamp) -> Result<Option<Arc<dyn Backend>>> {
        Err(self.unsupported("locking", "ask each store for its locks before it is mirrored"))
    }

    fn versions(&self, prefix: &str) -> Result<VersionListing> {
        Ok(Box::new(self.0.first()?.versions(prefix)?))
    }

    fn delete_version(&self, version: &Version) -> Result<()> {
        self.0.first()?.delete_version(version)
    }

    fn place(&self, _key: &str) -> Result<Option<Place>> {
        Ok(None)
    }

    fn can_copy_from(&self, _place: &Place) -> bool {
        false
    }

    fn copy_from(&self, _: &str, _: &Place, _: u64, _: Option<u64>) -> Result<ObjectInfo> {
        Err(self.unsupported("copying", "copy within each store"))
    }
}

impl MirrorBackend {
    fn unsupported(&self, what: &str, hint: &str) -> StoreError {
        let url = self.0.stores[0].url();
        StoreError::new(
            StoreError::Unsupported,
            url,
            format_args!("{what} is no matter of several stores"),
            hint,
        )
    }
}
