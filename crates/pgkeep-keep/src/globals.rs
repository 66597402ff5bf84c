//! The server's roles and tablespaces beside a backup.

use pgkeep_store::Store;

use crate::error::{KeepError, Result};
use crate::manifest::Manifest;

/// The SQL script of roles, role settings and tablespaces that was kept with a backup.
///
/// # Errors
/// `NoGlobals`, or `Damaged` for another script than was recorded.
pub fn read_globals(store: &Store, manifest: &Manifest) -> Result<Vec<u8>> {
    let Some(record) = &manifest.globals else {
        return Err(KeepError::NoGlobals { backup: format!("{}/{}", manifest.name, manifest.id) });
    };
    let sql = store.get(&record.key)?.to_vec();
    if !record.fits(&sql) {
        let why = "its size or SHA-256 is not that of the manifest".into();
        return Err(KeepError::Damaged { object: store.url_of(&record.key), why });
    }
    Ok(sql)
}
