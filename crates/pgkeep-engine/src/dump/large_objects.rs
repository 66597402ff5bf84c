//! Large objects: which belong to an entry, and reading them.

use std::collections::HashMap;

use bstr::ByteSlice;
use pgkeep_archive::{DumpId, Entry};

use super::sink::PieceSink;
use crate::conn::Client;
use crate::error::Result;
use crate::fingerprint::Fingerprint;
use crate::large_objects::read;

/// The oids of each BLOBS entry: from 17 on listed in the definition of the BLOB METADATA entry that it depends on
/// (one oid a line), before that one BLOB entry each, whose tag is the oid.
pub(super) fn by_entry(entries: &[Entry]) -> HashMap<DumpId, Vec<u32>> {
    let oid = |text: &[u8]| text.to_str().ok().and_then(|t| t.trim().parse::<u32>().ok());
    let metadata: HashMap<DumpId, Vec<u32>> = entries
        .iter()
        .filter(|e| e.desc_is("BLOB METADATA"))
        .map(|e| (e.id, e.definition.iter().flat_map(|d| d.lines()).filter_map(oid).collect()))
        .collect();
    let single: Vec<u32> = entries
        .iter()
        .filter(|e| e.desc_is("BLOB"))
        .filter_map(|e| e.tag.as_ref().and_then(|t| oid(t)))
        .collect();
    entries
        .iter()
        .filter(|e| e.desc_is("BLOBS"))
        .map(|e| {
            let listed: Vec<u32> =
                e.dependencies.iter().filter_map(|d| metadata.get(d)).flatten().copied().collect();
            (e.id, if listed.is_empty() { single.clone() } else { listed })
        })
        .collect()
}

/// Reads objects in the session's snapshot and writes them into the piece.
pub(super) fn copy(client: &mut Client, oids: &[u32], sink: &mut dyn PieceSink) -> Result<Fingerprint> {
    read(client, oids, sink)
}
