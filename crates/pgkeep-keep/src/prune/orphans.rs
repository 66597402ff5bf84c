//! What dead runs left: data that no manifest names, and uploads that nobody ends.
//!
//! Only what pgkeep itself can have written counts, which its keys tell by the id in them. Other tools' archives and
//! uploads are never touched.

use std::collections::{BTreeMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use pgkeep_store::{ObjectInfo, PendingUpload, Store};

use super::is_past;
use super::stock::Stock;
use crate::error::Result;
use crate::id::BackupId;
use crate::run::{is_marked, marked};
use crate::sidecar::Sidecar;

/// Objects of one run without a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Name that the backup would be kept under.
    pub name: String,
    /// Its id.
    pub id: BackupId,
    /// Its objects.
    pub objects: Vec<ObjectInfo>,
}

impl Orphan {
    /// Bytes of its objects.
    pub fn size(&self) -> u64 {
        self.objects.iter().map(|o| o.size).sum()
    }
}

/// What dead runs left in a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orphans {
    /// Data without manifest.
    pub data: Vec<Orphan>,
    /// Uploads that were begun and neither ended nor aborted.
    pub uploads: Vec<PendingUpload>,
}

impl Orphans {
    /// Finds what has been lying for longer than `grace` before `now` (by the store's clock), and belongs to no run that
    /// has a mark.
    pub fn find(store: &Store, stock: &Stock, grace: SignedDuration, now: Timestamp) -> Result<Orphans> {
        let old = |at: Timestamp| is_past(grace, at, now);
        let marked = marked(store)?;
        let at_work = |id: &BackupId, key: &str| {
            marked.iter().any(|(run, writes)| run == id.as_str() || writes.as_deref() == Some(key))
        };
        let committed: HashSet<&str> = stock.survey.backups.iter().map(|l| l.id.as_str()).collect();
        let mut data: BTreeMap<(&str, BackupId), Vec<ObjectInfo>> = BTreeMap::new();
        for object in stock.survey.others.iter().chain(&stock.survey.lone_sidecars) {
            let Some((name, id)) = BackupId::of_own_key(&object.key) else { continue };
            if !committed.contains(id.as_str()) && !stock.is_named(&object.key) && !at_work(&id, &object.key)
            {
                data.entry((name, id)).or_default().push(object.clone());
            }
        }
        // A hold says that somebody wants it, even if only the data is left. And of what was written at several times
        // all must be old.
        let held = |o: &ObjectInfo| matches!(Sidecar::of_key(&o.key), Some((_, _, Sidecar::Hold)));
        data.retain(|_, objects| objects.iter().all(|o| old(o.modified)) && !objects.iter().any(held));
        let data = data
            .into_iter()
            .map(|((name, id), objects)| Orphan { name: name.to_owned(), id, objects })
            .collect();
        let mut uploads = Vec::new();
        if store.capabilities().lists_pending {
            uploads = store.pending_uploads("")?;
            let own =
                |u: &PendingUpload| BackupId::of_own_key(&u.key).is_some_and(|(_, id)| !at_work(&id, &u.key));
            uploads.retain(|u| old(u.started) && own(u));
        }
        Ok(Orphans { data, uploads })
    }
}

/// Removes the objects of an orphan, unless it has become a backup or a run in the meantime; tells whether it did.
pub fn clear(store: &Store, orphan: &Orphan) -> Result<bool> {
    if is_marked(store, &orphan.id)? {
        return Ok(false);
    }
    match store.head(&orphan.id.manifest_key(&orphan.name)) {
        Ok(_) => return Ok(false),
        Err(e) if e.is_not_found() => {}
        Err(e) => return Err(e.into()),
    }
    for object in &orphan.objects {
        store.delete(&object.key)?;
    }
    Ok(true)
}
