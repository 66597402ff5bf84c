//! A backup from one store to another.
//!
//! Objects first, each checked against the hashes in the manifest while it passes; the manifest last. A copy that broke
//! off goes on where it was: an object that is there already and is what the manifest says is not sent again. Until the
//! manifest is there it is no backup, and its mark (see [`Run`]) says whose it is.

mod object;

use jiff::Timestamp;
use pgkeep_store::Store;

use crate::catalogue::{Catalogue, Listed};
use crate::error::{KeepError, Result};
use crate::manifest::Manifest;
use crate::prune::is_going;
use crate::run::{Run, sweep};
use crate::sidecar::Sidecar;
use crate::verify::look_whole;
use object::{Sent, bring, is_there};

/// What a copy came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Whether there was anything to do.
    pub changed: bool,
    /// Bytes of the archive that were sent.
    pub sent: u64,
    /// Bytes of the archive that the store copied by itself.
    pub by_store: u64,
    /// Bytes of the archive that were there already.
    pub reused: u64,
}

/// Copies a backup with all that belongs to it. What is there already stays; a copy whose objects are missing, cut or
/// changed at their head, or whose manifest cannot be read, is made whole.
///
/// `on_bytes` is told of bytes that passed or were looked at, and ends the copy by `false`.
///
/// # Errors
/// `Damaged` for an original that is not what its manifest says; `Taken` where another backup has the key, or a prune is
/// at work on it; `Cancelled`; the stores'. The target then has no copy, or the one that it had.
pub fn copy(
    from: &Catalogue,
    to: &Store,
    backup: &Listed,
    on_bytes: &(dyn Fn(u64) -> bool + Sync),
) -> Result<Copied> {
    let key = backup.id.manifest_key(&backup.name);
    let json = from.store().get(&key)?;
    let manifest = from.manifest(backup)?;
    let to = &to.locking(Timestamp::now())?;
    let mut copied = Copied::default();
    let there = match to.get(&key) {
        Ok(there) => Some(there),
        Err(e) if e.is_not_found() => None,
        Err(e) => return Err(e.into()),
    };
    match there {
        Some(there) => {
            if is_same(to, &key, &there, &manifest)? && look_whole(to, &manifest).is_ok() {
                sidecars(from.store(), to, backup)?;
                return Ok(copied);
            }
            copied.changed = true;
            objects(from.store(), to, &manifest, &mut copied, on_bytes)?;
            to.put(&key, json)?;
        }
        None => {
            if is_going(to, backup)? {
                return Err(taken(to, &key, "a prune has not finished deleting it: run prune there first"));
            }
            copied.changed = true;
            // What a dead copy of a backup with its id in the key left is used; under other keys it may be anybody's.
            if !manifest.object.key.contains(backup.id.as_str()) {
                sweep(to, Timestamp::now())?;
            }
            let run = Run::begin(to, &backup.name, &backup.id, &manifest.object.key)?;
            let made = objects(from.store(), to, &manifest, &mut copied, on_bytes)
                .and_then(|()| Ok(to.put_if_absent(&key, json)?));
            match made {
                Ok(_) => run.end()?,
                // Somebody else has made the same copy at the same time.
                Err(KeepError::Store(e)) if e.is_already_exists() => {
                    run.end()?;
                    is_same(to, &key, &to.get(&key)?, &manifest)?;
                }
                // What is there is taken up by the next copy, or removed by the next sweep.
                Err(e) if copied.sent + copied.by_store + copied.reused > 0 => {
                    run.leave();
                    return Err(e);
                }
                Err(e) => return Err(e),
            }
        }
    }
    // Also against a prune that was at work meanwhile.
    look_whole(to, &manifest)?;
    sidecars(from.store(), to, backup)?;
    Ok(copied)
}

/// Whether the manifest that is there is of the same backup; `false` for one that is damaged.
fn is_same(to: &Store, key: &str, there: &[u8], manifest: &Manifest) -> Result<bool> {
    if Manifest::is_newer(there) {
        return Err(taken(to, key, "its manifest is of a newer pgkeep: use that"));
    }
    let Ok(there) = Manifest::from_json(there, key) else { return Ok(false) };
    let hashes = |m: &Manifest| {
        let objects = m.objects().map(|o| o.sha256.clone());
        objects.chain(m.globals.iter().map(|g| g.sha256.clone())).collect::<Vec<_>>()
    };
    if hashes(&there) != hashes(manifest) {
        return Err(taken(to, key, "it is the manifest of another archive"));
    }
    Ok(true)
}

fn taken(to: &Store, key: &str, why: &str) -> KeepError {
    KeepError::Taken { object: to.url_of(key), why: why.into() }
}

/// Brings every object there that is not there yet, the one that leads to the others last.
fn objects(
    from: &Store,
    to: &Store,
    manifest: &Manifest,
    copied: &mut Copied,
    on_bytes: &(dyn Fn(u64) -> bool + Sync),
) -> Result<()> {
    for record in manifest.files.iter().chain([&manifest.object]) {
        if is_there(to, record, on_bytes)? {
            copied.reused += record.size;
            continue;
        }
        match bring(from, to, record, on_bytes)? {
            Sent::Streamed => copied.sent += record.size,
            Sent::ByStore => copied.by_store += record.size,
        }
    }
    if let Some(globals) = &manifest.globals {
        let sql = from.get(&globals.key)?;
        if !globals.fits(&sql) {
            let why = "its size or SHA-256 is not that of the manifest".into();
            return Err(KeepError::Damaged { object: from.url_of(&globals.key), why });
        }
        to.put(&globals.key, sql)?;
    }
    Ok(())
}

/// Holds and drill records that are not there yet.
fn sidecars(from: &Store, to: &Store, backup: &Listed) -> Result<()> {
    for object in from.list(&format!("{}/{}.", backup.name, backup.id))? {
        let key = object?.key;
        let is_its = Sidecar::of_key(&key).is_some_and(|(_, id, _)| id == backup.id);
        if is_its && to.head(&key).is_err_and(|e| e.is_not_found()) {
            to.put(&key, from.get(&key)?)?;
        }
    }
    Ok(())
}
