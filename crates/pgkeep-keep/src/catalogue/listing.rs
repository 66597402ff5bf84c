//! What one listing of a store tells.

use std::collections::HashMap;

use jiff::Timestamp;
use pgkeep_store::ObjectInfo;

use crate::error::Result;
use crate::id::BackupId;
use crate::sidecar::{Sidecar, Sidecars};

/// Where pgkeep keeps its own notes, which are no backups.
pub(crate) const NOTES: &str = ".pgkeep/";

/// A backup that was found, before its manifest is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Name it is kept under.
    pub name: String,
    /// Its id.
    pub id: BackupId,
    /// When the manifest was written, by the store's clock.
    pub committed: Timestamp,
    /// Bytes of the manifest.
    pub manifest_size: u64,
    /// The manifest's tag in the store, which changes when the manifest does.
    pub etag: Option<String>,
    /// What lies beside it: a hold, drills.
    pub sidecars: Sidecars,
}

/// What lies in a store, or below a prefix of it.
#[derive(Debug, Default)]
pub struct Survey {
    /// The backups, oldest first.
    pub backups: Vec<Listed>,
    /// Sidecars whose manifest is not there.
    pub lone_sidecars: Vec<ObjectInfo>,
    /// pgkeep's own notes: marks of runs, journals, the index.
    pub notes: Vec<ObjectInfo>,
    /// Everything else: archives, and whatever others keep there.
    pub others: Vec<ObjectInfo>,
}

impl Survey {
    /// Sorts the objects of a listing.
    pub(super) fn of(objects: impl Iterator<Item = Result<ObjectInfo>>) -> Result<Survey> {
        let mut survey = Survey::default();
        let mut beside: HashMap<(String, BackupId), (Sidecars, Vec<ObjectInfo>)> = HashMap::new();
        for object in objects {
            let object = object?;
            if object.key.starts_with(NOTES) {
                survey.notes.push(object);
            } else if let Some((name, id)) = BackupId::of_manifest_key(&object.key) {
                let name = name.to_owned();
                let (committed, manifest_size, etag) = (object.modified, object.size, object.etag);
                let sidecars = Sidecars::default();
                survey.backups.push(Listed { name, id, committed, manifest_size, etag, sidecars });
            } else if let Some((name, id, sidecar)) = Sidecar::of_key(&object.key) {
                let (sidecars, objects) = beside.entry((name.to_owned(), id)).or_default();
                sidecars.add(sidecar);
                objects.push(object);
            } else {
                survey.others.push(object);
            }
        }
        for listed in &mut survey.backups {
            if let Some((sidecars, _)) = beside.remove(&(listed.name.clone(), listed.id.clone())) {
                listed.sidecars = sidecars;
            }
        }
        survey.lone_sidecars = beside.into_values().flat_map(|(_, objects)| objects).collect();
        survey.backups.sort_by(|a, b| a.id.cmp(&b.id).then_with(|| a.name.cmp(&b.name)));
        Ok(survey)
    }
}
