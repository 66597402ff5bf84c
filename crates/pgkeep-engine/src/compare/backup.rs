//! A database and a backup: no row of the backup is read, as its manifest has the fingerprints.

use pgkeep_archive::Toc;
use pgkeep_keep::Manifest;

use super::{Comparison, TableDifference, reworded};
use crate::cancel::Cancel;
use crate::conn::ConnInfo;
use crate::definitions::{Side, compare, read_definitions};
use crate::error::Result;
use crate::progress::Progress;
use crate::prove::{Value, prove};
use crate::snapshot::Snapshot;

/// Compares a database with a backup, of which `toc` is `None` for a script: then definitions are left out.
///
/// # Errors
/// What keeps the database from being read; a difference is no error.
pub fn compare_with_backup(
    database: &ConnInfo,
    manifest: &Manifest,
    toc: Option<&Toc>,
    jobs: usize,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<Comparison> {
    let dump = &manifest.dump;
    let (mut definitions, mut notes) = (Vec::new(), Vec::new());
    if let Some(toc) = toc {
        let like = toc.header.dump_version.as_ref().map(ToString::to_string);
        let snapshot = Snapshot::begin(database, cancel)?;
        let ours = read_definitions(&snapshot, like.as_deref(), cancel)?;
        definitions = compare(&ours, toc);
        let versions = [snapshot.client.server_version().to_owned(), dump.server_version.clone()];
        notes = reworded(&versions, &mut definitions, [&ours, toc], snapshot.client.info(), cancel)?;
    }
    let (tables, sequences, large_objects) = (&dump.tables, &dump.sequences, dump.large_objects.as_ref());
    let verdict = prove(database, &dump.encoding, tables, sequences, large_objects, jobs, progress, cancel)?;
    let (mut differences, mut others) = (Vec::new(), Vec::new());
    for difference in verdict.differences {
        let content = |value| match value {
            Value::Content(fingerprint) => Some(fingerprint),
            _ => None,
        };
        match difference.object.strip_prefix("table ") {
            Some(table) => differences.push(TableDifference {
                table: table.to_owned(),
                side: if difference.found == Value::Missing { Side::Second } else { Side::Both },
                first: content(difference.found),
                second: content(difference.expected),
                keys: None,
            }),
            None => others.push((difference.object, difference.why)),
        }
    }
    Ok(Comparison { tables: verdict.tables, rows: verdict.rows, definitions, differences, others, notes })
}
