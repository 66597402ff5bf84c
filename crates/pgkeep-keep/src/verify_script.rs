//! Checking a stored script without a database.

use std::io::{BufReader, Read};

use bstr::ByteSlice;
use pgkeep_archive::{Algorithm, RangeReader, ScriptEvent, ScriptReader, file_decoder, unhex};
use pgkeep_store::Store;
use xxhash_rust::xxh3::Xxh3;

use crate::encryption::Identities;
use crate::error::{KeepError, Result};
use crate::fingerprint::{Fingerprint, RowHasher, large_object};
use crate::found::{FoundRows, FoundTable};
use crate::globals::read_globals;
use crate::manifest::Manifest;
use crate::verify::{Verified, open};
use crate::verify_parts::Parts;

/// Reads a script that pgkeep wrote once, from its first byte to its last: the object's size, the hash of each part,
/// that it unpacks to its end and is a whole script, and that rows and large objects are those of the manifest.
///
/// Words of the schema are checked by the hashes alone.
///
/// # Errors
/// `Damaged` naming the first thing that is wrong; `Locked` where it is encrypted and no identity fits.
pub fn verify_script(
    store: &Store,
    key: &str,
    manifest: Option<&Manifest>,
    identities: &Identities,
    tick: &mut (dyn FnMut(u64) -> bool + Send),
) -> Result<Verified> {
    let object = open(store, key, manifest, identities)?;
    let url = object.url();
    let damaged = |why: String| KeepError::Damaged { object: url.clone(), why };
    let mut magic = Vec::new();
    RangeReader::new(&object, 0).take(8).read_to_end(&mut magic).map_err(|e| damaged(e.to_string()))?;
    let codec = Algorithm::of_file(&magic);
    let mut stream = Parts::of(store, key, &object, manifest, tick);
    let walked = match file_decoder(codec, &mut stream) {
        Ok(plain) => walk(plain),
        Err(e) => Err(e.to_string()),
    };
    // A wrong part explains whatever the decoder stumbled over.
    if let Some(why) = stream.wrong.take() {
        return Err(damaged(why));
    }
    if let Some(e) = stream.failed.take() {
        return Err(e);
    }
    let found = walked.map_err(damaged)?;
    if let Some(m) = manifest {
        compare(m, &found).map_err(damaged)?;
        if m.globals.is_some() {
            read_globals(store, m, identities)?;
        }
    }
    Ok(Verified {
        size: object.size(),
        entries: found.statements,
        blocks: found.tables.len() as u64,
        dead_blocks: 0,
        tables: found.tables.len() as u64,
        rows: found.tables.iter().map(|t| t.fingerprint.rows).sum(),
        bytes: found.tables.iter().map(|t| t.fingerprint.bytes).sum(),
        against_manifest: manifest.is_some(),
        unread: false,
        found: FoundRows {
            tables: found.tables,
            large_objects: (found.large_objects.rows > 0).then_some(found.large_objects),
        },
    })
}

#[derive(Default)]
struct Walked {
    statements: u64,
    /// In the script's order, which is the manifest's.
    tables: Vec<FoundTable>,
    large_objects: Fingerprint,
}

fn walk(plain: impl Read) -> Result<Walked, String> {
    let mut script = ScriptReader::new(BufReader::with_capacity(256 << 10, plain));
    let mut found = Walked::default();
    let mut open: Option<(u32, u64, Xxh3)> = None;
    loop {
        let event = script.next().map_err(|e| format!("line {}: {e}", script.line()))?;
        let Some(event) = event else { return Ok(found) };
        found.statements += 1;
        match event {
            ScriptEvent::Command(_) => {}
            ScriptEvent::Copy(copy) => {
                let copy = copy.to_vec();
                let mut hasher = RowHasher::new();
                script
                    .rows(|rows| {
                        hasher.update(rows);
                        Ok::<_, std::io::Error>(())
                    })
                    .map_err(|e| format!("line {}: {e}", script.line()))?;
                let fingerprint = hasher.finish();
                found.tables.push(FoundTable { name: None, copy, segments: 1, fingerprint });
            }
            ScriptEvent::Statement(sql) => {
                if let Some(oid) = sql.strip_prefix(b"SELECT pg_catalog.lo_open('") {
                    let oid = oid.split(|b| *b == b'\'').next().and_then(|o| o.to_str().ok()?.parse().ok());
                    open = oid.map(|oid| (oid, 0, Xxh3::new()));
                } else if let Some(hex) = sql.strip_prefix(b"SELECT pg_catalog.lowrite(0, '") {
                    let hex = hex.trim_start_with(|c| c == '\\').strip_prefix(b"x").unwrap_or_default();
                    let bytes =
                        unhex(hex).ok_or_else(|| format!("line {}: no hexadecimal", script.line()))?;
                    if let Some((_, length, hash)) = &mut open {
                        *length += bytes.len() as u64;
                        hash.update(&bytes);
                    }
                } else if sql.starts_with(b"SELECT pg_catalog.lo_close(")
                    && let Some((oid, length, hash)) = open.take()
                {
                    found.large_objects += large_object(oid, length, hash.digest128());
                }
            }
        }
    }
}

fn compare(manifest: &Manifest, found: &Walked) -> Result<(), String> {
    let expected = &manifest.dump.tables;
    if expected.len() != found.tables.len() {
        return Err(format!("it holds {} tables, and {} were dumped", found.tables.len(), expected.len()));
    }
    for (t, found) in expected.iter().zip(&found.tables) {
        let found = found.fingerprint;
        if found != t.fingerprint {
            let (schema, table) = (&t.schema, &t.table);
            return Err(format!(
                "table {schema}.{table}: it holds {found}, and {} were dumped",
                t.fingerprint
            ));
        }
    }
    let dumped = manifest.dump.large_objects.unwrap_or_default();
    if found.large_objects != dumped {
        return Err(format!("large objects: it holds {}, and {dumped} were dumped", found.large_objects));
    }
    Ok(())
}
