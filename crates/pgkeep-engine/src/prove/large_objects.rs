//! Reading the large objects of a restored database.

use bstr::ByteSlice;
use xxhash_rust::xxh3::Xxh3;

use crate::conn::{Client, Row};
use crate::error::{EngineError, ErrorKind, Result};
use crate::fingerprint::{Fingerprint, large_object};

/// Objects asked for by one statement; their first bytes come with it.
const BATCH: usize = 100;
const FIRST: usize = 32 << 10;
/// Bytes asked for at a time of what is longer.
const NEXT: usize = 1 << 20;

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
    let list: Vec<String> = group.iter().map(u32::to_string).collect();
    let rows = client
        .query(format!(
            "SELECT o, pg_catalog.lo_get(o, 0, {FIRST}) FROM pg_catalog.unnest('{{{}}}'::pg_catalog.oid[]) AS u(o)",
            list.join(",")
        ))
        .map_err(|e| e.during("reading large objects"))?;
    let mut total = Fingerprint::default();
    for row in rows {
        let oid: u32 = row.parse(0).unwrap_or(0);
        let mut hash = Xxh3::new();
        let mut length = 0u64;
        let (mut bytes, mut asked) = (unhex(&row, 1)?, FIRST);
        loop {
            hash.update(&bytes);
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
        total += large_object(oid, length, hash.digest128());
    }
    Ok(total)
}

/// A bytea in its hex form, `\x00ff…`.
fn unhex(row: &Row, column: usize) -> Result<Vec<u8>> {
    let text = row.bytes(column).and_then(|t| t.strip_prefix(b"\\x"));
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    text.and_then(|t| {
        t.chunks(2)
            .map(|pair| match pair {
                [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
                _ => None,
            })
            .collect()
    })
    .ok_or_else(|| {
        let shown = row.bytes(column).unwrap_or_default().iter().take(20).copied().collect::<Vec<u8>>();
        let shown = shown.to_str_lossy().into_owned();
        EngineError::new(
            ErrorKind::Server,
            "reading large objects",
            format!("the server sent no hex bytea: {shown}"),
        )
    })
}
