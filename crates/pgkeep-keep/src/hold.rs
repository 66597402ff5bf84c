//! Holds: a backup that somebody needs is deleted by no retention, until the hold is released.

use jiff::Timestamp;
use pgkeep_store::Store;
use serde::{Deserialize, Serialize};

use crate::catalogue::Listed;
use crate::error::{KeepError, Result};
use crate::id::BackupId;
use crate::prune::is_going;
use crate::sidecar::Sidecar;

/// Why a backup is held. Its fields are a contract, documented in `docs/keeping.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// In the words of who holds it.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Who, such as `ada@db1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Holds a backup; one that is held already gets the new reason.
///
/// # Errors
/// `Going` or `NoSuchBackup` where a deletion was quicker: then there is no hold.
pub fn hold(store: &Store, backup: &Listed, hold: &Hold) -> Result<()> {
    let key = Sidecar::hold_key(&backup.name, &backup.id);
    store.put(&key, serde_json::to_vec_pretty(hold).unwrap_or_default().into())?;
    // A deletion writes its journal before it looks for holds, and this looks for journals after the hold is written:
    // one of the two sees the other.
    let going = is_going(store, backup)?;
    let gone = store.head(&backup.id.manifest_key(&backup.name)).is_err_and(|e| e.is_not_found());
    if !going && !gone {
        return Ok(());
    }
    store.delete(&key)?;
    Err(KeepError::Going { backup: format!("{}/{}", backup.name, backup.id) })
}

/// Releases it.
///
/// # Errors
/// `NotHeld`.
pub fn release(store: &Store, backup: &Listed) -> Result<()> {
    if !backup.sidecars.held {
        return Err(KeepError::NotHeld { backup: format!("{}/{}", backup.name, backup.id) });
    }
    Ok(store.delete(&Sidecar::hold_key(&backup.name, &backup.id))?)
}

/// The hold of a backup, if there is one.
///
/// # Errors
/// `Manifest` for a hold whose text is damaged; it holds all the same.
pub fn read_hold(store: &Store, name: &str, id: &BackupId) -> Result<Option<Hold>> {
    let key = Sidecar::hold_key(name, id);
    let json = match store.get(&key) {
        Ok(json) => json,
        Err(e) if e.is_not_found() => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    serde_json::from_slice(&json).map(Some).map_err(|e| KeepError::Manifest {
        object: store.url_of(&key),
        why: e.to_string(),
        hint: "the backup is held all the same; `pgkeep hold` writes it anew".into(),
    })
}
