//! What kind of damage it is: an object that ends early, one that belongs to another backup, or changed bytes.
//!
//! Looked for only when something is wrong, as it reads other backups' manifests.

use pgkeep_store::Store;
use sha2::{Digest, Sha256};

use crate::catalogue::Catalogue;
use crate::error::{KeepError, Result};
use crate::manifest::{Manifest, ObjectRecord, hex};

/// Says with an error about a backup's bytes what kind of damage it is, as far as a closer look tells.
pub fn explain(store: &Store, manifest: &Manifest, error: KeepError) -> KeepError {
    let (object, why) = match error {
        KeepError::Damaged { object, why } => (object, why),
        KeepError::Archive { object, source } => (object, source.to_string()),
        other => return other,
    };
    // What the store says meanwhile does not matter: the damage has been found.
    match kind(store, manifest) {
        Ok(Some((key, kind))) => {
            KeepError::Damaged { object: store.url_of(&key), why: format!("{kind}: {why}") }
        }
        Ok(None) => KeepError::Damaged { object, why: format!("{CHANGED}: {why}") },
        Err(_) => KeepError::Damaged { object, why },
    }
}

const CHANGED: &str = "changed bytes (bit rot, or overwritten)";
/// How many other backups are looked at, the newest first.
const OTHERS: usize = 1000;

/// The first object that does not have its size or does not begin as the manifest says, and what it is instead.
fn kind(store: &Store, manifest: &Manifest) -> Result<Option<(String, String)>> {
    for object in manifest.objects() {
        let size = match store.head(&object.key) {
            Ok(info) => info.size,
            Err(e) if e.is_not_found() => return Ok(Some((object.key.clone(), "missing".into()))),
            Err(e) => return Err(e.into()),
        };
        let begins = begins_as(store, &object.key, size, object)?;
        if size == object.size && begins {
            continue;
        }
        let kind = match owner(store, manifest, object, size)? {
            Some(owner) => format!("swapped, it is {owner}"),
            None if size < object.size => "truncated".into(),
            None if size > object.size && begins => "grown behind its end".into(),
            None if size > object.size => "another object".into(),
            None => CHANGED.into(),
        };
        return Ok(Some((object.key.clone(), kind)));
    }
    Ok(None)
}

/// Whether the object under `key`, of `size` bytes, begins with the first part of `record`.
fn begins_as(store: &Store, key: &str, size: u64, record: &ObjectRecord) -> Result<bool> {
    let end = record.part_size.min(record.size);
    let Some(first) = record.parts.first().filter(|_| size >= end) else { return Ok(false) };
    let bytes = store.get_range(key, 0..end)?;
    Ok(hex(&Sha256::digest(&bytes)) == *first)
}

/// What the object of `size` bytes that lies in the place of `expected` is by another record.
fn owner(store: &Store, manifest: &Manifest, expected: &ObjectRecord, size: u64) -> Result<Option<String>> {
    let is = |record: &ObjectRecord| -> Result<bool> {
        Ok(record.size == size && begins_as(store, &expected.key, size, record)?)
    };
    for other in manifest.objects().filter(|o| o.key != expected.key) {
        if is(other)? {
            return Ok(Some(format!("{} of the same backup", other.key)));
        }
    }
    let catalogue = Catalogue::new(store.clone());
    for listed in catalogue.list()?.iter().rev().take(OTHERS) {
        let Ok(other) = catalogue.manifest(listed) else { continue };
        if (&other.name, &other.id) == (&manifest.name, &manifest.id) {
            continue;
        }
        for record in other.objects() {
            if is(record)? {
                return Ok(Some(format!("the archive of backup {}/{}", other.name, other.id)));
            }
        }
    }
    Ok(None)
}
