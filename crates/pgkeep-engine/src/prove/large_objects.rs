//! Reading the large objects of a restored database.

use crate::conn::Client;
use crate::error::Result;
use crate::fingerprint::Fingerprint;
use crate::large_objects::{self, BATCH};

pub(super) fn oids(client: &mut Client) -> Result<Vec<u32>> {
    let rows = client
        .query("SELECT oid FROM pg_catalog.pg_largeobject_metadata ORDER BY oid")
        .map_err(|e| e.during("listing large objects"))?;
    Ok(rows.iter().filter_map(|row| row.parse(0)).collect())
}

/// Groups of oids for one statement each.
pub(super) fn groups(oids: &[u32]) -> Vec<Vec<u32>> {
    oids.chunks(BATCH).map(<[u32]>::to_vec).collect()
}

pub(super) fn read(client: &mut Client, group: &[u32]) -> Result<Fingerprint> {
    large_objects::read(client, group, &mut ())
}
