//! A note in the store that one process does something, so that a second one does not begin.
//!
//! It spares double work and is no guard: it can expire under a process that hangs, and some stores let two writers of
//! one key both believe that they were first. What is done under a lease must be safe without it.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use pgkeep_store::Store;
use serde::{Deserialize, Serialize};

use crate::error::{KeepError, Result};
use crate::process::Process;
use crate::retention::coarse;

/// Without a sign of life for so long the owner is taken for dead.
const EXPIRES: SignedDuration = SignedDuration::from_mins(15);
/// How often [`Lease::renew`] gives one.
const BEAT: Duration = Duration::from_secs(60);

#[derive(Serialize, Deserialize)]
struct Note {
    #[serde(flatten)]
    process: Process,
    /// Tells two leases of one process apart.
    taken: Timestamp,
}

/// That work was done.
#[derive(Serialize, Deserialize)]
struct Done {
    began: Timestamp,
}

/// A lease that is held; dropped, it is given back.
#[derive(Debug)]
pub struct Lease {
    store: Store,
    work: String,
    key: String,
    body: Vec<u8>,
    renewed: Instant,
    store_time: Timestamp,
}

impl Lease {
    /// Takes the lease for `work`, a word such as `prune`. One whose owner has ended on this machine, or gave no sign of
    /// life for fifteen minutes before `now`, is taken over.
    ///
    /// # Errors
    /// `Busy` with who has it; the store's.
    pub fn take(store: &Store, work: &str, now: Timestamp) -> Result<Lease> {
        let key = format!(".pgkeep/{work}.lease.json");
        let note = Note { process: Process::this(), taken: now };
        let body = serde_json::to_vec(&note).unwrap_or_default();
        loop {
            match store.put_if_absent(&key, body.clone().into()) {
                Ok(_) => {}
                Err(e) if e.is_already_exists() => {
                    if clear_dead(store, &key, work, now)? {
                        continue;
                    }
                }
                Err(e) => return Err(e.into()),
            }
            // What is there now counts: another may have been as quick.
            return match (store.head(&key), store.get(&key)) {
                (Ok(info), Ok(there)) if there == body => {
                    let store_time = info.modified;
                    let (store, work) = (store.clone(), work.to_owned());
                    Ok(Lease { store, work, key, body, renewed: Instant::now(), store_time })
                }
                _ => Err(busy(store, work, "another process", SignedDuration::ZERO)),
            };
        }
    }

    /// The time by the store's clock when the lease was taken.
    pub fn store_time(&self) -> Timestamp {
        self.store_time
    }

    /// Gives a sign of life if it is time for one.
    ///
    /// # Errors
    /// `Busy` if another process has taken the lease over; the store's.
    pub fn renew(&mut self) -> Result<()> {
        if self.renewed.elapsed() < BEAT {
            return Ok(());
        }
        if !self.is_ours()? {
            return Err(busy(&self.store, &self.work, "another process", SignedDuration::ZERO));
        }
        self.store.put(&self.key, self.body.clone().into())?;
        self.renewed = Instant::now();
        Ok(())
    }

    /// Notes for others that the work was done, by a run that began then.
    ///
    /// # Errors
    /// The store's.
    pub fn note_done(&self, began: Timestamp) -> Result<()> {
        let body = serde_json::to_vec(&Done { began }).unwrap_or_default();
        self.store.put(&done_key(&self.work), body.into())?;
        Ok(())
    }

    /// When the run began that did this work last, as far as [`note_done`](Self::note_done) has said so.
    ///
    /// # Errors
    /// The store's.
    pub fn last_done(&self) -> Result<Option<Timestamp>> {
        match self.store.get(&done_key(&self.work)) {
            // A note that makes no sense says nothing.
            Ok(json) => Ok(serde_json::from_slice::<Done>(&json).ok().map(|done| done.began)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    fn is_ours(&self) -> Result<bool> {
        Ok(self.store.get(&self.key)? == self.body)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // What stays behind expires.
        if self.is_ours().unwrap_or(false) {
            let _ = self.store.delete(&self.key);
        }
    }
}

fn done_key(work: &str) -> String {
    format!(".pgkeep/{work}.done.json")
}

/// Removes a lease that nobody holds any more; `false` where it was gone already.
fn clear_dead(store: &Store, key: &str, work: &str, now: Timestamp) -> Result<bool> {
    let found = store.head(key).and_then(|info| Ok((info, store.get(key)?)));
    let (info, json) = match found {
        Ok(found) => found,
        Err(e) if e.is_not_found() => return Ok(true),
        Err(e) => return Err(e.into()),
    };
    let note = serde_json::from_slice::<Note>(&json).ok();
    let age = now.duration_since(info.modified);
    if age <= EXPIRES && !note.as_ref().is_some_and(|n| n.process.is_dead_here()) {
        let owner = note.map_or_else(|| "another process".to_owned(), |n| n.process.to_string());
        return Err(busy(store, work, &owner, age));
    }
    store.delete(key)?;
    Ok(true)
}

fn busy(store: &Store, work: &str, owner: &str, age: SignedDuration) -> KeepError {
    KeepError::Busy {
        store: store.url(),
        owner: owner.into(),
        age: coarse(age.max(SignedDuration::ZERO)),
        hint: format!(
            "wait for its end; a {work} that was killed on another machine is taken for dead after {} minutes",
            EXPIRES.as_mins()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().to_str().unwrap()).unwrap();
        (dir, store)
    }

    #[test]
    fn a_lease_that_is_held_is_refused_and_one_that_was_given_back_is_not() {
        let (_dir, store) = store();
        let now = Timestamp::now();
        let first = Lease::take(&store, "prune", now).unwrap();
        let told = Lease::take(&store, "prune", now).unwrap_err().to_string();
        assert!(told.contains(&format!("process {}", std::process::id())), "{told}");
        drop(first);
        Lease::take(&store, "prune", now).unwrap();
        assert_eq!(store.list("").unwrap().count(), 0, "given back");
    }

    #[test]
    fn that_work_was_done_is_known_to_whoever_has_the_lease_next() {
        let (_dir, store) = store();
        let now = Timestamp::now();
        let first = Lease::take(&store, "sync", now).unwrap();
        assert_eq!(first.last_done().unwrap(), None);
        first.note_done(now).unwrap();
        drop(first);
        assert_eq!(Lease::take(&store, "sync", now).unwrap().last_done().unwrap(), Some(now));
        assert_eq!(Lease::take(&store, "verify", now).unwrap().last_done().unwrap(), None);
        store.put(".pgkeep/sync.done.json", "nonsense".into()).unwrap();
        assert_eq!(Lease::take(&store, "sync", now).unwrap().last_done().unwrap(), None);
    }

    #[test]
    fn a_lease_without_a_sign_of_life_or_of_a_dead_process_is_taken_over() {
        let (_dir, store) = store();
        let now = Timestamp::now();
        let mut old = Lease::take(&store, "prune", now).unwrap();
        let later = now + SignedDuration::from_mins(16);
        let new = Lease::take(&store, "prune", later).unwrap();
        old.renewed = Instant::now().checked_sub(BEAT).unwrap();
        assert!(old.renew().is_err(), "the first owner learns of it");
        drop(old);
        assert!(new.is_ours().unwrap(), "and does not take it from the second");
        drop(new);
        let note = Note { process: Process::dead(), taken: now };
        store.put(".pgkeep/prune.lease.json", serde_json::to_vec(&note).unwrap().into()).unwrap();
        Lease::take(&store, "prune", now).unwrap();
    }
}
