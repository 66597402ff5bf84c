//! Two daemons on one store: a lease keeps them from doing the same at the same time, and what the store has tells the
//! second that the first was there. Neither is needed for safety: two backups at once are two backups.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use pgkeep_keep::{Catalogue, KeepError, Lease, backup_under_way, safe_name};
use pgkeep_store::Store;

use crate::fleet::{Member, TaskKind};
use crate::run::{Run, RunTrigger};
use crate::supervisor::Outcome;

/// Whether a run may begin. A store that does not answer is no reason against it: the command says what is wrong with it.
pub(super) fn clear(run: &Run, member: Option<&Member>) -> Result<Option<Lease>, Outcome> {
    let by_hand = run.trigger == RunTrigger::Manual;
    let takes_lease = match run.kind {
        TaskKind::Backup | TaskKind::Drill => true,
        // What somebody asks for is one backup's check, say, and no double work.
        TaskKind::Verify | TaskKind::Sync => !by_hand,
        // Prunes take a lease of their own.
        TaskKind::Prune | TaskKind::Restore | TaskKind::Rds | TaskKind::Vault => false,
    };
    let Some((member, store)) = member.filter(|_| takes_lease).and_then(|m| Some((m, m.stores.first()?)))
    else {
        return Ok(None);
    };
    let Ok(store) = Store::open(&store.url) else { return Ok(None) };
    let work = match &run.database {
        Some(_) => format!("{}-{}", run.kind.as_str(), safe_name(&member.kept_as)),
        None => run.kind.as_str().to_owned(),
    };
    let now = Timestamp::now();
    let lease = match Lease::take(&store, &work, now) {
        Ok(lease) => Some(lease),
        Err(e @ KeepError::Busy { .. }) => return Err(Outcome::Busy(e.to_string())),
        Err(_) => None,
    };
    if run.kind == TaskKind::Backup
        && let Ok(Some(who)) = backup_under_way(&store, &member.kept_as, now)
    {
        return Err(Outcome::Busy(format!("{who}\n  hint: wait for its end, or stop it")));
    }
    if by_hand {
        return Ok(lease);
    }
    let done = match run.kind {
        TaskKind::Verify | TaskKind::Sync => lease.as_ref().and_then(|lease| noted(lease, run)),
        _ => in_store(&store, run, member),
    };
    match done {
        Some(what) => Err(Outcome::Skipped(what)),
        None => Ok(lease),
    }
}

/// What another daemon has noted that makes the run needless.
fn noted(lease: &Lease, run: &Run) -> Option<String> {
    let began = lease.last_done().ok()?.filter(|began| *began >= run.scheduled)?;
    Some(format!("another pgkeep did it from {began} on, after this run was due"))
}

/// What the store has that makes the run needless.
fn in_store(store: &Store, run: &Run, member: &Member) -> Option<String> {
    let catalogue = Catalogue::new(store.clone());
    let listed = catalogue.survey(&format!("{}/", member.kept_as)).ok()?.backups;
    match run.kind {
        TaskKind::Backup => {
            let newest = listed.iter().rfind(|l| l.name == member.kept_as && l.committed >= run.scheduled)?;
            let manifest = catalogue.manifest(newest).ok()?;
            (manifest.started >= run.scheduled && manifest.dump.partial().is_none()).then(|| {
                format!("backup {} was begun at {}, after this run was due", newest.id, manifest.started)
            })
        }
        TaskKind::Drill => {
            let drills = listed.iter().filter_map(|l| Some((l, l.sidecars.drill?)));
            let (backup, drill) = drills.filter(|(_, d)| d.at >= run.scheduled).max_by_key(|(_, d)| d.at)?;
            Some(format!("backup {} was drilled at {}, after this run was due", backup.id, drill.at))
        }
        _ => None,
    }
}

/// Gives a lease's signs of life until dropped, which gives the lease back.
pub(super) struct Keeper {
    stop: Option<(Sender<Option<Timestamp>>, JoinHandle<()>)>,
}

impl Keeper {
    pub(super) fn start(mut lease: Lease) -> Keeper {
        let (send, stop) = channel();
        let thread = std::thread::spawn(move || {
            // A lease that is lost, or work that is not noted, costs double work and nothing else.
            let end = loop {
                match stop.recv_timeout(Duration::from_secs(30)) {
                    Err(RecvTimeoutError::Timeout) => drop(lease.renew()),
                    end => break end,
                }
            };
            if let Ok(Some(began)) = end {
                let _ = lease.note_done(began);
            }
        });
        Keeper { stop: Some((send, thread)) }
    }

    /// The work was done, by a run that began then.
    pub(super) fn done(&self, began: Timestamp) {
        if let Some((send, _)) = &self.stop {
            let _ = send.send(Some(began));
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some((send, thread)) = self.stop.take() {
            drop(send);
            let _ = thread.join();
        }
    }
}
