//! The server's roles and tablespaces beside a backup.

use pgkeep_store::Store;

use crate::encryption::{Identities, locked, open_bytes, plain_name};
use crate::error::{KeepError, Result};
use crate::manifest::Manifest;

/// The SQL script of roles, role settings and tablespaces that was kept with a backup, decrypted.
///
/// # Errors
/// `NoGlobals`, `Damaged` for another script than was recorded, `Locked` where no identity fits.
pub fn read_globals(store: &Store, manifest: &Manifest, identities: &Identities) -> Result<Vec<u8>> {
    let Some(record) = &manifest.globals else {
        return Err(KeepError::NoGlobals { backup: format!("{}/{}", manifest.name, manifest.id) });
    };
    let sql = stored_globals(store, manifest)?;
    match plain_name(&record.key) {
        Some(_) => {
            open_bytes(&sql, identities).map_err(|e| locked(e, &store.url_of(&record.key), identities))
        }
        None => Ok(sql),
    }
}

/// The script as it lies in the store, compared with the manifest; empty where there is none.
pub(crate) fn stored_globals(store: &Store, manifest: &Manifest) -> Result<Vec<u8>> {
    let Some(record) = &manifest.globals else { return Ok(Vec::new()) };
    let stored = store.get(&record.key)?.to_vec();
    if !record.fits(&stored) {
        let why = "its size or SHA-256 is not that of the manifest".into();
        return Err(KeepError::Damaged { object: store.url_of(&record.key), why });
    }
    Ok(stored)
}
