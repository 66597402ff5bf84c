//! Proving rows, sequences and large objects.

use pgkeep_keep::Manifest;
use pgkeep_keep::drill::{DrillReport, DrillVerdict, DrilledTable, Finding};

use super::unproven::Sorted;
use crate::fingerprint::Fingerprint;
use crate::prove::{Difference, Value, Verdict};
use crate::report::{SequenceReport, TableReport};
use crate::restore::RestoreReport;

/// What the restored database should hold.
pub(super) struct Expected {
    pub(super) tables: Vec<TableReport>,
    pub(super) sequences: Vec<SequenceReport>,
    pub(super) large_objects: Option<Fingerprint>,
}

/// What the manifest says, or where there is none the archive, without what this server could not take.
pub(super) fn expected(manifest: Option<&Manifest>, restored: &RestoreReport, sorted: &Sorted) -> Expected {
    let (tables, sequences, large_objects) = match manifest {
        Some(m) => (&m.dump.tables, &m.dump.sequences, m.dump.large_objects),
        None => (&restored.loaded, &restored.sequences, restored.large_objects),
    };
    Expected {
        tables: tables.iter().filter(|t| !sorted.lacks(&t.schema, &t.table)).cloned().collect(),
        sequences: sequences.iter().filter(|s| !sorted.lacks(&s.schema, &s.sequence)).cloned().collect(),
        large_objects,
    }
}

/// Every table of the backup as not looked at yet.
pub(super) fn tables(all: &[TableReport]) -> Vec<DrilledTable> {
    let table = |t: &TableReport| DrilledTable {
        schema: t.schema.clone(),
        table: t.table.clone(),
        rows: t.fingerprint.rows,
        bytes: t.fingerprint.bytes,
        verdict: DrillVerdict::Incomplete,
    };
    all.iter().map(table).collect()
}

/// Takes what was read back into the report. `other_major` says that the server is of another major than the one that
/// was dumped.
pub(super) fn judge(
    report: &mut DrillReport,
    verdict: &Verdict,
    expected: &Expected,
    restored: &RestoreReport,
    other_major: bool,
) {
    report.rows = verdict.rows;
    report.bytes = verdict.bytes;
    report.sequences = verdict.sequences;
    report.large_objects = verdict.large_objects;
    report.notes.extend(verdict.notes.iter().cloned());
    for t in &expected.tables {
        let object = format!("table {}.{}", t.schema, t.table);
        let difference = verdict.differences.iter().find(|d| d.object == object);
        let outcome = match difference {
            None => DrillVerdict::Proven,
            Some(d) if other_major && is_only_text(d, t, restored) => DrillVerdict::Incomplete,
            Some(_) => DrillVerdict::Failed,
        };
        if let Some(d) = difference {
            match outcome {
                DrillVerdict::Incomplete => report.unproven.push(Finding::new(
                    &d.object,
                    "its rows are the archive's, but this server's version writes them otherwise: drill on the major \
                     that was dumped",
                )),
                _ => report.failures.push(Finding::new(&d.object, &d.why)),
            }
        }
        let listed = report.tables.iter_mut().find(|l| l.schema == t.schema && l.table == t.table);
        if let Some(listed) = listed {
            listed.verdict = outcome;
        }
    }
    let others = verdict.differences.iter().filter(|d| !d.object.starts_with("table "));
    report.failures.extend(others.map(|d| Finding::new(&d.object, &d.why)));
}

/// Whether the archive's rows are those that were dumped and as many came back, so that only their text can differ.
fn is_only_text(difference: &Difference, table: &TableReport, restored: &RestoreReport) -> bool {
    let loaded = restored.loaded.iter().find(|l| l.schema == table.schema && l.table == table.table);
    let whole = loaded.is_some_and(|l| l.fingerprint == table.fingerprint);
    whole && matches!(difference.found, Value::Content(found) if found.rows == table.fingerprint.rows)
}
