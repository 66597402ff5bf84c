//! Older versions, which a bucket with versioning keeps of what was deleted.
//!
//! Only what a prune itself has deleted loses its versions, and pgkeep's own notes: after an attack or an accident the
//! versions of what somebody else deleted are what is left. A deletion in such a bucket leaves a list of its keys,
//! `.pgkeep/deleted/<name>/<id>.json`, and after the grace time the versions go, and then the list.

use jiff::{SignedDuration, Timestamp};
use pgkeep_store::{Store, StoreError, Version};

use super::is_past;
use super::journal::Journal;
use super::stock::Stock;
use crate::catalogue::NOTES;
use crate::error::Result;

const DELETED: &str = ".pgkeep/deleted/";

/// A deleted backup whose versions are still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buried {
    /// Name and id of what was a backup.
    pub backup: String,
    key: String,
    keys: Vec<String>,
}

/// What became of versions that were to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purged {
    /// So many are gone.
    pub versions: u64,
    /// Why others are still there: the store's words about the first that is locked.
    pub locked: Option<String>,
}

/// Whether the store keeps versions of this key, which was deleted. Without the right to ask it is taken not to.
fn keeps(store: &Store, key: &str) -> Result<bool> {
    if !store.capabilities().versions {
        return Ok(false);
    }
    match of_key(store, key) {
        Ok(versions) => Ok(!versions.is_empty()),
        Err(StoreError::PermissionDenied(_)) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Writes down what a finished deletion has removed, where the store keeps versions of it.
pub(super) fn bury(store: &Store, journal: &Journal) -> Result<()> {
    if keeps(store, &journal.manifest_key())? {
        let key = format!("{DELETED}{}/{}.json", journal.name, journal.id);
        store.put(&key, serde_json::to_vec(journal).unwrap_or_default().into())?;
    }
    Ok(())
}

/// Deleted backups whose grace time is over.
pub fn buried(store: &Store, stock: &Stock, grace: SignedDuration, now: Timestamp) -> Result<Vec<Buried>> {
    let mut found = Vec::new();
    for object in stock.survey.notes.iter().filter(|o| o.key.starts_with(DELETED)) {
        if !is_past(grace, object.modified, now) {
            continue;
        }
        let Ok(journal) = serde_json::from_slice::<Journal>(&store.get(&object.key)?) else { continue };
        let manifest = journal.manifest_key();
        found.push(Buried {
            backup: format!("{}/{}", journal.name, journal.id),
            key: object.key.clone(),
            keys: std::iter::once(manifest).chain(journal.keys).filter(|k| !stock.is_named(k)).collect(),
        });
    }
    Ok(found)
}

/// Removes the versions of a deleted backup. A key that is there again is left alone.
pub fn purge(store: &Store, buried: &Buried) -> Result<Purged> {
    let mut purged = Purged::default();
    for key in &buried.keys {
        let versions = of_key(store, key)?;
        if versions.iter().all(|v| !v.is_latest || v.is_delete_marker) {
            remove(store, &versions, &mut purged)?;
        }
    }
    if purged.locked.is_none() {
        store.delete(&buried.key)?;
    }
    Ok(purged)
}

/// Removes what old versions of pgkeep's own notes are older than the grace time: marks of runs, leases, journals.
pub fn purge_notes(store: &Store, grace: SignedDuration, now: Timestamp) -> Result<Purged> {
    let mut purged = Purged::default();
    if !store.capabilities().versions {
        return Ok(purged);
    }
    let all = match store.versions(NOTES)?.collect::<std::result::Result<Vec<_>, _>>() {
        Ok(all) => all,
        Err(StoreError::PermissionDenied(_)) => return Ok(purged),
        Err(e) => return Err(e.into()),
    };
    for versions in all.chunk_by(|a, b| a.key == b.key) {
        let is_there = versions.iter().any(|v| v.is_latest && !v.is_delete_marker);
        let going: Vec<Version> = versions.iter().filter(|v| !(is_there && v.is_latest)).cloned().collect();
        if going.iter().all(|v| is_past(grace, v.modified, now)) {
            remove(store, &going, &mut purged)?;
        }
    }
    Ok(purged)
}

fn of_key(store: &Store, key: &str) -> Result<Vec<Version>, StoreError> {
    let all = store.versions(key)?;
    all.filter(|v| v.as_ref().map_or(true, |v| v.key == key)).collect()
}

/// Removes versions of one key, the oldest first: a delete marker that went before them would bring them back.
fn remove(store: &Store, versions: &[Version], purged: &mut Purged) -> Result<()> {
    for version in versions.iter().rev() {
        match store.delete_version(version) {
            Ok(()) => purged.versions += 1,
            Err(e @ StoreError::Locked(_)) => {
                purged.locked.get_or_insert(e.to_string());
                return Ok(());
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}
