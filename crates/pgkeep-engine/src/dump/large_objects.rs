//! Large objects: which belong to an entry, and reading them.

use std::collections::HashMap;

use bstr::ByteSlice;
use pgkeep_archive::{DumpId, Entry};
use xxhash_rust::xxh3::Xxh3;

use super::piece_writer::PieceWriter;
use crate::conn::{Client, Row};
use crate::error::{EngineError, ErrorKind, Result};
use crate::fingerprint::{Fingerprint, large_object};

/// Objects asked for by one statement.
const BATCH: usize = 100;
/// Bytes of each object that come with the batch; most objects are smaller, and a batch stays a few megabytes.
const FIRST: usize = 32 << 10;
/// Bytes asked for at a time of what is longer.
const NEXT: usize = 1 << 20;

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

/// Reads objects in the session's snapshot and writes them into the piece's block.
pub(super) fn copy(
    client: &mut Client,
    oids: &[u32],
    writer: &mut PieceWriter<'_, '_, '_>,
) -> Result<Fingerprint> {
    let mut total = Fingerprint::default();
    for batch in oids.chunks(BATCH) {
        let list: Vec<String> = batch.iter().map(u32::to_string).collect();
        let rows = client
            .query(format!(
                "SELECT o, pg_catalog.lo_get(o, 0, {FIRST}) \
                 FROM pg_catalog.unnest('{{{}}}'::pg_catalog.oid[]) WITH ORDINALITY AS u(o, n) ORDER BY n",
                list.join(",")
            ))
            .map_err(|e| e.during("reading large objects"))?;
        for row in rows {
            let oid: u32 = row.parse(0).unwrap_or(0);
            writer.begin_blob(oid)?;
            let mut hash = Xxh3::new();
            let mut bytes = unhex(&row, 1)?;
            let mut length = 0u64;
            let mut asked = FIRST;
            loop {
                hash.update(&bytes);
                writer.write(&bytes)?;
                length += bytes.len() as u64;
                if bytes.len() < asked {
                    break;
                }
                asked = NEXT;
                let row = client
                    .query_one(format!("SELECT pg_catalog.lo_get({oid}, {length}, {NEXT})"))
                    .map_err(|e| e.during(format!("reading large object {oid}")))?;
                bytes = unhex(&row, 0)?;
            }
            writer.end_blob()?;
            total += large_object(oid, length, hash.digest128());
        }
    }
    Ok(total)
}

/// A bytea in its hex form, `\x00ff…`.
fn unhex(row: &Row, column: usize) -> Result<Vec<u8>> {
    let strange =
        || EngineError::new(ErrorKind::Server, "reading large objects", "the server sent no hex bytea");
    let text = row.bytes(column).and_then(|t| t.strip_prefix(b"\\x")).ok_or_else(strange)?;
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    text.chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect::<Option<Vec<u8>>>()
        .ok_or_else(strange)
}
