//! How large a database's tables are, and how long a backup will take: measured on a sample, not guessed.

use std::time::{Duration, Instant};

use pgkeep_archive::Compressor;
use serde::Serialize;

use crate::conn::Client;
use crate::dump::{DumpOptions, default_compression};
use crate::error::Result;
use crate::rows::{Blocks, copy_statement};

/// Blocks of the sample: 16 MiB at the usual 8 KiB, read in a fraction of a second.
const SAMPLE_BLOCKS: u64 = 2048;
/// Below this a sample says nothing.
const SMALLEST: u64 = 4 << 20;

/// What a backup will take.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Estimate {
    /// Bytes of the archive.
    pub archive_bytes: u64,
    /// Seconds, with as many connections as asked for, if network and server keep up with all of them.
    pub seconds: f64,
}

/// Number of tables with rows, and their bytes on disk.
pub(super) fn size(client: &mut Client) -> Result<(u64, u64)> {
    let row = client
        .query_one(
            "SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(pg_catalog.pg_table_size(c.oid)), 0) \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind = 'r' AND c.relpersistence <> 't' \
               AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'",
        )
        .map_err(|e| e.during("adding up table sizes"))?;
    Ok((row.parse(0).unwrap_or(0), row.parse(1).unwrap_or(0)))
}

/// Reads and compresses the beginning of the largest table that the role may read.
pub(super) fn sample(
    client: &mut Client,
    options: &DumpOptions,
    table_bytes: u64,
) -> Result<Option<Estimate>> {
    let largest = client
        .query(
            "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), \
                    pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8, \
                    pg_catalog.pg_table_size(c.oid) \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
               AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
               AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AND NOT pg_catalog.row_security_active(c.oid) \
             ORDER BY 3 DESC LIMIT 1",
        )
        .map_err(|e| e.during("looking for the largest table"))?;
    let Some(row) = largest.first() else { return Ok(None) };
    let (blocks, bytes): (u64, u64) = (row.parse(1).unwrap_or(0), row.parse(2).unwrap_or(0));
    if bytes < SMALLEST || blocks == 0 {
        return Ok(None);
    }
    let some = client.server_major() >= 14 && blocks > SAMPLE_BLOCKS;
    // Before 14 a range of blocks is found by reading the whole table.
    if client.server_major() < 14 && blocks > SAMPLE_BLOCKS {
        return Ok(None);
    }
    let range = some.then_some(Blocks { from: 0, to: Some(SAMPLE_BLOCKS) });
    let share = bytes as f64 * if some { SAMPLE_BLOCKS as f64 / blocks as f64 } else { 1.0 };
    let table = row.bytes(0).unwrap_or_default();
    let sql = copy_statement(table, true, b"*", None, range.or(Some(Blocks { from: 0, to: None })));
    let compression = options.compression.unwrap_or_else(|| default_compression(client.server_major()));
    let mut compressor = Compressor::new(compression)?;
    let (mut text, mut out, mut compressed) = (Vec::new(), Vec::new(), 0);
    let began = Instant::now();
    client.copy_out(&sql, |piece| {
        text.extend_from_slice(piece);
        if text.len() >= compressor.input_size() {
            compressor.write(&text, &mut out)?;
            text.clear();
            compressed += out.len() as u64;
            out.clear();
        }
        Ok(())
    })?;
    compressor.write(&text, &mut out)?;
    compressor.finish(&mut out)?;
    compressed += out.len() as u64;
    let took = began.elapsed().max(Duration::from_millis(1)).as_secs_f64();
    let ratio = compressed as f64 / share.max(1.0);
    Ok(Some(Estimate {
        archive_bytes: (table_bytes as f64 * ratio) as u64,
        seconds: table_bytes as f64 / share.max(1.0) * took / options.jobs.max(1) as f64,
    }))
}
