//! The copies of one backup while it is made: which stores are to have one, which have failed, and what they are left with.

use jiff::Timestamp;
use pgkeep_engine::progress::Progress;
use pgkeep_keep::{BackupId, CopyRecord, KeepError, Manifest, Run, sweep};
use pgkeep_store::{Lost, Store};

use crate::failure::{Failure, Result};

/// One store and its run.
struct Copy {
    /// Locks what is written, where its URL asks for that.
    store: Store,
    run: Option<Run>,
    /// Why it is left behind.
    failed: Option<String>,
    /// A call to it may still be under way.
    stalled: bool,
}

/// See the module.
pub(crate) struct Copies(Vec<Copy>);

impl Copies {
    /// Marks the run in every store, and sweeps what dead runs left there.
    ///
    /// # Errors
    /// The first store's if all fail.
    pub(crate) fn begin(
        stores: &[Store],
        name: &str,
        id: &BackupId,
        started: Timestamp,
        key: &str,
        progress: &Progress,
    ) -> Result<Copies> {
        let mut copies = Copies(Vec::new());
        let mut first_failure = None;
        for store in stores {
            // The run's mark goes again and so is not locked.
            let locking = store.locking(started).map_err(KeepError::from);
            let begun = locking.and_then(|locking| {
                let run = Run::begin(store, name, id, key)?;
                for swept in sweep(store, Timestamp::now())? {
                    progress.note(format!(
                        "removed what the interrupted backup {} of {} had left",
                        swept.id, swept.name
                    ));
                }
                Ok((locking, run))
            });
            let (store, run, failed) = match begun {
                Ok((locking, run)) => (locking, Some(run), None),
                Err(e) => {
                    let failure = Failure::from(e);
                    let why = failure.message.clone();
                    first_failure.get_or_insert(failure);
                    (store.clone(), None, Some(why))
                }
            };
            copies.0.push(Copy { store, run, failed, stalled: false });
        }
        match first_failure {
            Some(failure) if copies.0.iter().all(|c| c.failed.is_some()) => return Err(failure),
            _ => {}
        }
        for copy in copies.0.iter().filter(|c| c.failed.is_some()) {
            copy.tell(progress);
        }
        Ok(copies)
    }

    /// The stores that have not failed.
    pub(crate) fn stores(&self) -> Vec<Store> {
        self.0.iter().filter(|c| c.failed.is_none()).map(|c| c.store.clone()).collect()
    }

    /// Leaves stores behind; `lost` counts among [`stores`](Self::stores).
    pub(crate) fn lose(&mut self, lost: &[Lost], progress: &Progress) {
        let mut left: Vec<&mut Copy> = self.0.iter_mut().filter(|c| c.failed.is_none()).collect();
        for lost in lost {
            if let Some(copy) = left.get_mut(lost.index) {
                copy.failed = Some(lost.why.clone());
                copy.stalled = lost.stalled;
                copy.tell(progress);
            }
        }
    }

    /// What the manifest says of them.
    pub(crate) fn records(&self) -> Vec<CopyRecord> {
        let record = |c: &Copy| CopyRecord { store: c.store.url(), failed: c.failed.clone() };
        if self.0.len() == 1 { Vec::new() } else { self.0.iter().map(record).collect() }
    }

    /// Writes the manifest into every store that is left. Where one fails now, the others' is written again to say so.
    ///
    /// # Errors
    /// The last store's if all fail.
    pub(crate) fn commit(&mut self, key: &str, manifest: &mut Manifest, progress: &Progress) -> Result<()> {
        let mut failure = None;
        for copy in self.0.iter_mut().filter(|c| c.failed.is_none()) {
            if let Err(e) = copy.store.put_if_absent(key, manifest.to_json().into()) {
                copy.failed = Some(e.to_string());
                copy.tell(progress);
                failure = Some(e);
            }
        }
        let Some(failure) = failure else { return Ok(()) };
        if self.stores().is_empty() {
            return Err(failure.into());
        }
        manifest.copies = self.records();
        for store in self.stores() {
            if let Err(e) = store.put(key, manifest.to_json().into()) {
                progress.note(format!("the manifest there does not say that a copy is missing: {e}"));
            }
        }
        Ok(())
    }

    /// The backup is whole: ends the runs, and clears what the failed stores have of it.
    pub(crate) fn end(self, progress: &Progress) {
        for copy in self.0 {
            let store = copy.store.url();
            match (copy.failed.is_some(), copy.run) {
                (true, Some(run)) => discard(run, copy.stalled, &store, progress),
                (false, Some(run)) => {
                    if let Err(e) = run.end() {
                        progress.note(format!("the backup is whole; its run mark could not be removed: {e}"));
                    }
                }
                (_, None) => {}
            }
        }
    }

    /// There is no backup: clears what the stores have of it.
    pub(crate) fn discard(self, progress: &Progress) {
        for copy in self.0 {
            if let Some(run) = copy.run {
                discard(run, copy.stalled, &copy.store.url(), progress);
            }
        }
    }
}

impl Copy {
    fn tell(&self, progress: &Progress) {
        if let Some(why) = &self.failed {
            progress.note(format!("no copy in {}: {why}", self.store.url()));
        }
    }
}

fn discard(run: Run, stalled: bool, store: &str, progress: &Progress) {
    if stalled {
        return run.leave();
    }
    if let Err(e) = run.discard() {
        progress.note(format!("{store} may keep parts of it until the next backup there removes them: {e}"));
    }
}
