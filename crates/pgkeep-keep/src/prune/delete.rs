//! One backup goes.

use super::journal::Journal;
use super::stock::Stock;
use crate::catalogue::{Catalogue, Listed, Summary};
use crate::error::{KeepError, Result};
use crate::retention::{Candidate, Decision, Plan};
use crate::sidecar::{Sidecar, Sidecars};

/// What became of a backup that was to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is gone.
    Deleted,
    /// Somebody else has deleted it.
    Gone,
    /// It stays, since things have changed since the plan; why.
    Stays(String),
}

/// Deletes a backup that `plan` lets go, unless what it was decided by has changed.
///
/// # Errors
/// The store's. The backup then stands as before, or is no backup any more and the next prune removes the rest.
pub fn delete(
    catalogue: &Catalogue,
    stock: &Stock,
    plan: &Plan,
    decision: &Decision,
    name: &str,
) -> Result<Outcome> {
    let store = catalogue.store();
    let planned = &decision.backup;
    let Some((listed, _)) = stock.of_name(name).find(|(l, _)| l.id == planned.id) else {
        return Ok(Outcome::Gone);
    };
    let manifest = match catalogue.manifest(listed) {
        Ok(manifest) => manifest,
        Err(KeepError::Store(e)) if e.is_not_found() => return Ok(Outcome::Gone),
        Err(e) => return Err(e),
    };
    if Summary::of(&manifest).candidate(listed) != *planned {
        return Ok(Outcome::Stays("its manifest has changed".into()));
    }
    let shared = |key: &&str| !stock.is_shared(key);
    let data: Vec<String> = manifest.keys().filter(shared).map(str::to_owned).collect();
    let mut journal = Journal::new(listed, data);
    journal.write(store)?;
    let (sidecars, beside) = look_beside(catalogue, listed)?;
    let why = match () {
        () if sidecars.held => Some("it is held now".to_owned()),
        () if sidecars != planned.sidecars => Some("it has been drilled since".to_owned()),
        () => missing_floor(catalogue, plan, planned, name)?,
    };
    if let Some(why) = why {
        journal.remove(store)?;
        return Ok(Outcome::Stays(why));
    }
    if !beside.is_empty() {
        journal.keys.extend(beside);
        journal.write(store)?;
    }
    store.delete(&listed.id.manifest_key(name))?;
    for key in &journal.keys {
        store.delete(key)?;
    }
    journal.end(store)?;
    Ok(Outcome::Deleted)
}

/// The sidecars of a backup as they are now, and their keys.
fn look_beside(catalogue: &Catalogue, listed: &Listed) -> Result<(Sidecars, Vec<String>)> {
    let mut sidecars = Sidecars::default();
    let mut keys = Vec::new();
    for object in catalogue.store().list(&format!("{}/{}.", listed.name, listed.id))? {
        let key = object?.key;
        if let Some((_, id, sidecar)) = Sidecar::of_key(&key)
            && id == listed.id
        {
            sidecars.add(sidecar);
            keys.push(key);
        }
    }
    Ok((sidecars, keys))
}

/// The backups that are kept for the floors' sake must be there when another one goes.
fn missing_floor(
    catalogue: &Catalogue,
    plan: &Plan,
    planned: &Candidate,
    name: &str,
) -> Result<Option<String>> {
    for floor in plan.floors_of(planned) {
        match catalogue.store().head(&floor.id.manifest_key(name)) {
            Ok(_) => {}
            Err(e) if e.is_not_found() => {
                return Ok(Some(format!("{}, which was to stay for it, is gone", floor.id)));
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(None)
}
