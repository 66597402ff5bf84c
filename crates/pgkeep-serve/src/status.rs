//! What a running daemon says of itself in its state folder, for `pgkeep status` in another shell.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Result, ServeError};
use crate::live::Progress;

const FILE: &str = "daemon.json";
const LOCK: &str = "lock";

/// A daemon's word of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// When it began.
    pub began: Timestamp,
    /// When it wrote this.
    pub at: Timestamp,
    /// What is wrong with it, in words for people.
    pub problems: Vec<String>,
    /// How far the runs are that run now, by their ids.
    pub live: BTreeMap<String, Progress>,
}

impl DaemonStatus {
    /// What the daemon with this state folder said last; nothing where none runs.
    ///
    /// # Errors
    /// A folder that can't be read.
    pub fn read(state: &Path) -> Result<Option<DaemonStatus>> {
        if !is_locked(state)? {
            return Ok(None);
        }
        Ok(std::fs::read(state.join(FILE)).ok().and_then(|json| serde_json::from_slice(&json).ok()))
    }

    /// Writes it; readers see the old one or the new one.
    pub(crate) fn write(&self, state: &Path) -> std::io::Result<()> {
        let new = state.join(format!("{FILE}.new"));
        let mut file = File::options().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        std::fs::rename(new, state.join(FILE))
    }
}

/// Keeps a state folder from a second daemon as long as it is held.
pub(crate) fn lock(state: &Path) -> Result<File> {
    let file = open(state)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(ServeError::Config(format!(
            "{}: another pgkeep serve uses this folder\n  hint: `pgkeep status` shows it; give this one a folder of its \
             own with --state",
            state.display()
        ))),
        Err(std::fs::TryLockError::Error(e)) => Err(failed(state, &e)),
    }
}

/// Whether a daemon runs with this state folder.
fn is_locked(state: &Path) -> Result<bool> {
    if !state.join(LOCK).exists() {
        return Ok(false);
    }
    Ok(matches!(open(state)?.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}

fn open(state: &Path) -> Result<File> {
    let file = File::options().create(true).read(true).append(true).mode(0o600).open(state.join(LOCK));
    file.map_err(|e| failed(state, &e))
}

fn failed(state: &Path, e: &std::io::Error) -> ServeError {
    ServeError::System { what: format!("state folder {}", state.display()), why: e.to_string() }
}
