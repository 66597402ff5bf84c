//! Two daemons on one store: a lease keeps them from doing the same at the same time, and what the store has tells the
//! second that the first was there. Neither is needed for safety: two backups at once are two backups.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use pgkeep_keep::{Catalogue, KeepError, Lease, safe_name};
use pgkeep_store::Store;

use crate::fleet::{Member, TaskKind};
use crate::run::{Run, RunTrigger};
use crate::supervisor::Outcome;

/// Whether a run may begin. A store that does not answer is no reason against it: the command says what is wrong with it.
pub(super) fn clear(run: &Run, member: Option<&Member>) -> Result<Option<Lease>, Outcome> {
    // Prunes take a lease of their own; a sync or a check twice is work and no harm.
    if !matches!(run.kind, TaskKind::Backup | TaskKind::Drill) {
        return Ok(None);
    }
    let Some((member, store)) = member.and_then(|m| Some((m, m.stores.first()?))) else { return Ok(None) };
    let Ok(store) = Store::open(&store.url) else { return Ok(None) };
    let work = format!("{}-{}", run.kind.as_str(), safe_name(&member.kept_as));
    let lease = match Lease::take(&store, &work, Timestamp::now()) {
        Ok(lease) => Some(lease),
        Err(e @ KeepError::Busy { .. }) => return Err(Outcome::Busy(e.to_string())),
        Err(_) => None,
    };
    let is_scheduled = run.trigger != RunTrigger::Manual;
    match is_scheduled.then(|| done(&store, run, member)).flatten() {
        Some(what) => Err(Outcome::Skipped(what)),
        None => Ok(lease),
    }
}

/// What the store has that makes the run needless.
fn done(store: &Store, run: &Run, member: &Member) -> Option<String> {
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
    stop: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Keeper {
    pub(super) fn start(mut lease: Lease) -> Keeper {
        let (send, stop) = channel::<()>();
        let thread = std::thread::spawn(move || {
            while stop.recv_timeout(Duration::from_secs(30)) == Err(RecvTimeoutError::Timeout) {
                // A lease that is lost costs double work and nothing else.
                let _ = lease.renew();
            }
        });
        Keeper { stop: Some((send, thread)) }
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
