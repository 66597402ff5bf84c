//! Servers of runs that were killed.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::run_as::RunAs;
use super::server::{KEPT, LOCK, PREFIX, stop};

/// Age from which a folder without a lock file is no run's that is just beginning.
const BEGINNING: Duration = Duration::from_secs(3600);

/// Stops and removes the servers below `parent` that no run holds any more, and gives their folders. Those that were
/// left on purpose stay.
pub(super) fn remove(parent: &Path, pg_ctl: &Path, run_as: &RunAs) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let folders = entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(PREFIX));
    let dead = folders.map(|e| e.path()).filter(|dir| run_as.owns(dir) && is_dead(dir));
    dead.filter(|dir| {
        stop(&dir.join("data"), pg_ctl, run_as);
        std::fs::remove_dir_all(dir).is_ok()
    })
    .collect()
}

fn is_dead(dir: &Path) -> bool {
    if dir.join(KEPT).exists() {
        return false;
    }
    match File::open(dir.join(LOCK)) {
        Ok(lock) => !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)),
        Err(_) => {
            let age = std::fs::metadata(dir).and_then(|m| m.modified()).ok().and_then(|m| m.elapsed().ok());
            age.is_some_and(|age| age > BEGINNING)
        }
    }
}
