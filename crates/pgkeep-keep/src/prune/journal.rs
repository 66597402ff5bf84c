//! What a deletion is about to remove, written down before its first step, so that the next prune can go on after a crash.

use jiff::{SignedDuration, Timestamp};
use pgkeep_store::Store;
use serde::{Deserialize, Serialize};

use super::stock::Stock;
use super::versions::bury;
use crate::catalogue::Listed;
use crate::error::Result;
use crate::id::BackupId;

const DELETING: &str = ".pgkeep/deleting/";
/// A journal this old, whose backup still stands, is of a run that died before its second step.
const STALE: SignedDuration = SignedDuration::from_mins(15);

/// One deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    pub(super) name: String,
    pub(super) id: String,
    /// Everything but the manifest.
    pub(super) keys: Vec<String>,
}

/// A deletion that was begun and has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Name and id of what was a backup.
    pub backup: String,
    key: String,
    /// What is to go; `None` where the backup still stands and only the journal goes.
    journal: Option<Journal>,
}

impl Journal {
    pub(super) fn new(backup: &Listed, keys: Vec<String>) -> Journal {
        Journal { name: backup.name.clone(), id: backup.id.to_string(), keys }
    }

    pub(super) fn write(&self, store: &Store) -> Result<()> {
        store.put(&self.key(), serde_json::to_vec(self).unwrap_or_default().into())?;
        Ok(())
    }

    pub(super) fn remove(&self, store: &Store) -> Result<()> {
        Ok(store.delete(&self.key())?)
    }

    /// Ends it, after everything is deleted.
    pub(super) fn end(&self, store: &Store) -> Result<()> {
        bury(store, self)?;
        self.remove(store)
    }

    pub(super) fn manifest_key(&self) -> String {
        BackupId::from_text(&self.id).manifest_key(&self.name)
    }

    fn key(&self) -> String {
        key(&self.name, &self.id)
    }
}

fn key(name: &str, id: &str) -> String {
    format!("{DELETING}{name}/{id}.json")
}

/// Whether somebody has begun to delete this backup.
pub(crate) fn is_going(store: &Store, backup: &Listed) -> Result<bool> {
    match store.head(&key(&backup.name, backup.id.as_str())) {
        Ok(_) => Ok(true),
        Err(e) if e.is_not_found() => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Deletions that a crash has cut off. Journals of a prune that is at work are not among them as long as its backup
/// stands; after that it does no harm to help.
pub fn unfinished(store: &Store, stock: &Stock, now: Timestamp) -> Result<Vec<Unfinished>> {
    let mut found = Vec::new();
    for object in stock.survey.notes.iter().filter(|o| o.key.starts_with(DELETING)) {
        let json = match store.get(&object.key) {
            Ok(json) => json,
            Err(e) if e.is_not_found() => continue,
            Err(e) => return Err(e.into()),
        };
        let Ok(journal) = serde_json::from_slice::<Journal>(&json) else { continue };
        let stands = match store.head(&journal.manifest_key()) {
            Ok(_) => true,
            Err(e) if e.is_not_found() => false,
            Err(e) => return Err(e.into()),
        };
        let stale = now.duration_since(object.modified) > STALE;
        if stands && !stale {
            continue;
        }
        let backup = format!("{}/{}", journal.name, journal.id);
        // What a manifest names is not touched, whatever a journal says.
        let journal = (!stands).then(|| {
            let keys = journal.keys.into_iter().filter(|k| !stock.is_named(k)).collect();
            Journal { keys, ..journal }
        });
        found.push(Unfinished { backup, key: object.key.clone(), journal });
    }
    Ok(found)
}

/// Ends such a deletion.
pub fn finish(store: &Store, unfinished: &Unfinished) -> Result<()> {
    let Some(journal) = &unfinished.journal else { return Ok(store.delete(&unfinished.key)?) };
    for key in &journal.keys {
        store.delete(key)?;
    }
    journal.end(store)
}
