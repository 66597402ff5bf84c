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
use crate::globals::stored_globals;
use crate::manifest::Manifest;
use crate::prune::is_going;
use crate::run::{Run, sweep};
use crate::sidecar::Sidecar;
use crate::verify::look_whole;
use object::{Sent, There, bring, look};

/// What a copy came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// Whether there was anything to do.
    pub changed: bool,
    /// Bytes of the archive that were sent.
    pub sent: u64,
    /// Bytes of the archive that the store copied by itself.
    pub by_store: u64,
    /// Bytes of the archive that were there already.
    pub reused: u64,
    /// Why bytes were sent although the store was to copy by itself.
    pub streamed_because: Option<String>,
}

/// How closely a copy that is there already is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// The sizes, and the head by its hashes.
    Quick,
    /// Every byte by its hash.
    Whole,
}

/// Copies a backup with all that belongs to it. What is there already stays; a copy in which `how` finds damage, or whose
/// manifest cannot be read, is made whole.
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
    how: Look,
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
            if is_same(to, &key, &there, &manifest)? && is_whole(to, &manifest, how, on_bytes)? {
                copied.changed = sidecars(from.store(), to, backup)?;
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

/// Whether all of the copy is there and `how` finds nothing wrong with it.
fn is_whole(
    to: &Store,
    manifest: &Manifest,
    how: Look,
    on_bytes: &(dyn Fn(u64) -> bool + Sync),
) -> Result<bool> {
    if look_whole(to, manifest).is_err() {
        return Ok(false);
    }
    if how == Look::Whole {
        for record in manifest.objects() {
            if look(to, record, on_bytes)? != There::Whole {
                return Ok(false);
            }
        }
        return Ok(stored_globals(to, manifest).is_ok());
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
        let there = look(to, record, on_bytes)?;
        if there == There::Whole {
            copied.reused += record.size;
            continue;
        }
        match bring(from, to, record, there, on_bytes)? {
            Sent::ByStore => copied.by_store += record.size,
            Sent::Streamed(why) => {
                copied.sent += record.size;
                copied.streamed_because = copied.streamed_because.take().or(why);
            }
        }
    }
    if let Some(globals) = &manifest.globals {
        to.put(&globals.key, stored_globals(from, manifest)?.into())?;
    }
    Ok(())
}

/// Brings holds and drill records that are not there yet; whether there were any.
fn sidecars(from: &Store, to: &Store, backup: &Listed) -> Result<bool> {
    let mut any = false;
    for object in from.list(&format!("{}/{}.", backup.name, backup.id))? {
        let key = object?.key;
        let is_its = Sidecar::of_key(&key).is_some_and(|(_, id, _)| id == backup.id);
        if is_its && to.head(&key).is_err_and(|e| e.is_not_found()) {
            to.put(&key, from.get(&key)?)?;
            any = true;
        }
    }
    Ok(any)
}
