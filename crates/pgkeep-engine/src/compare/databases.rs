//! Two databases.

use std::collections::HashMap;

use super::keys::{self, Keys};
use super::{Comparison, TableDifference, reworded};
use crate::cancel::Cancel;
use crate::conn::ConnInfo;
use crate::definitions::{Side, compare, read_definitions};
use crate::error::Result;
use crate::progress::{Phase, Progress};
use crate::prove::{compare_sequences, fingerprints, tables_of};
use crate::report::TableReport;
use crate::session::prepare;
use crate::snapshot::Snapshot;

/// Compares two databases. `jobs` connections read on each side.
///
/// # Errors
/// What keeps either side from being read; a difference is no error.
pub fn compare_databases(
    first: &ConnInfo,
    second: &ConnInfo,
    jobs: usize,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<Comparison> {
    progress.enter(Phase::Starting);
    let (mut first, mut second) = (Snapshot::begin(first, cancel)?, Snapshot::begin(second, cancel)?);
    // One pg_dump for both, or the same definition comes in two wordings.
    let newer = [&first, &second].into_iter().max_by_key(|s| s.client.server_major());
    let like = newer.map(|s| s.client.server_version().to_owned());
    let sides = (
        read_definitions(&first, like.as_deref(), cancel)?,
        read_definitions(&second, like.as_deref(), cancel)?,
    );
    let mut definitions = compare(&sides.0, &sides.1);
    let versions = [&first, &second].map(|s| s.client.server_version().to_owned());
    let newer = if first.client.server_major() > second.client.server_major() { &first } else { &second };
    let newer = newer.client.info().clone();
    let notes = reworded(&versions, &mut definitions, [&sides.0, &sides.1], &newer, cancel)?;
    prepare(&mut first.client, "UTF8")?;
    prepare(&mut second.client, "UTF8")?;
    let (ours, theirs) = (tables_of(&mut first.client)?, tables_of(&mut second.client)?);
    let (common, mut differences) = pair(ours, theirs);

    progress.enter(Phase::Proving);
    let (found, others) = std::thread::scope(|scope| {
        let other = scope.spawn(|| fingerprints(&second, &common, jobs, progress, cancel));
        let found = fingerprints(&first, &common, jobs, progress, cancel);
        // A thread of ours does not panic; were it to, nothing would have been compared.
        let other = other.join().unwrap_or_else(|_| Err(crate::EngineError::cancelled()));
        found.and_then(|found| Ok((found, other?)))
    })?;
    for (i, table) in common.iter().enumerate().filter(|(i, _)| found[*i] != others[*i]) {
        let keys: Option<Keys> = keys::compare(&first, &second, table, cancel)?;
        differences.push(TableDifference {
            table: format!("{}.{}", table.schema, table.table),
            side: Side::Both,
            first: found[i],
            second: others[i],
            keys,
        });
    }
    let sequences = compare_sequences(&mut first.client, &mut second.client)?;
    Ok(Comparison {
        tables: common.len() as u64,
        rows: found.iter().flatten().map(|f| f.rows).sum(),
        definitions,
        differences,
        others: sequences.into_iter().map(|d| (d.object, d.why)).collect(),
        notes,
    })
}

/// Tables of both sides, with the first side's columns, and those of one side only.
fn pair(first: Vec<TableReport>, second: Vec<TableReport>) -> (Vec<TableReport>, Vec<TableDifference>) {
    let name = |t: &TableReport| (t.schema.clone(), t.table.clone());
    let mut theirs: HashMap<_, _> = second.iter().map(|t| (name(t), t)).collect();
    let alone = |t: &TableReport, side| TableDifference {
        table: format!("{}.{}", t.schema, t.table),
        side,
        first: None,
        second: None,
        keys: None,
    };
    let (common, only): (Vec<_>, Vec<_>) = first.into_iter().partition(|t| theirs.remove(&name(t)).is_some());
    let mut differences: Vec<_> = only.iter().map(|t| alone(t, Side::First)).collect();
    differences
        .extend(second.iter().filter(|t| theirs.contains_key(&name(t))).map(|t| alone(t, Side::Second)));
    (common, differences)
}
