//! Reading large objects; the same for dump and proof.

use xxhash_rust::xxh3::Xxh3;

use crate::conn::{Client, Row};
use crate::error::{EngineError, ErrorKind, Result};
use crate::fingerprint::{Fingerprint, large_object};

/// Objects asked for by one statement.
pub(crate) const BATCH: usize = 100;
/// Bytes of each object that come with the batch; most objects are smaller, and a batch stays a few megabytes.
const FIRST: usize = 32 << 10;
/// Bytes asked for at a time of what is longer.
const NEXT: usize = 1 << 20;

/// Takes objects as they are read: `begin`, any number of `bytes`, `end`.
pub(crate) trait Objects {
    fn begin(&mut self, oid: u32) -> Result<()>;
    fn bytes(&mut self, bytes: &[u8]) -> Result<()>;
    fn end(&mut self) -> Result<()>;
}

/// Only the fingerprint is wanted.
impl Objects for () {
    fn begin(&mut self, _: u32) -> Result<()> {
        Ok(())
    }
    fn bytes(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }
    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Reads these objects in this order.
pub(crate) fn read(
    client: &mut Client,
    oids: &[u32],
    sink: &mut (impl Objects + ?Sized),
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
            sink.begin(oid)?;
            let mut hash = Xxh3::new();
            let mut length = 0u64;
            let (mut bytes, mut asked) = (unhex(&row, 1)?, FIRST);
            loop {
                hash.update(&bytes);
                sink.bytes(&bytes)?;
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
            sink.end()?;
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
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    text.chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect::<Option<Vec<u8>>>()
        .ok_or_else(strange)
}
