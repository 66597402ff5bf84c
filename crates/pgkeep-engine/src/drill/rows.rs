//! Proving rows, sequences and large objects.

use pgkeep_archive::{Entry, Toc};
use pgkeep_keep::drill::{DrillReport, DrillVerdict, DrilledTable, Finding};
use pgkeep_keep::{Manifest, name_text};

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
        // Who adopted a script read no sequences in it.
        Some(m) if m.adopted.is_some() => (&m.dump.tables, &restored.sequences, m.dump.large_objects),
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

/// Tables whose rows nothing is known of: they are `INSERT` statements (`pg_dump --inserts`).
pub(super) fn unknown(toc: &Toc, manifest: Option<&Manifest>) -> Vec<Finding> {
    let is_known = |schema: &str, name: &str| {
        manifest.is_some_and(|m| m.dump.tables.iter().any(|t| t.schema == schema && t.table == name))
    };
    let text = |name: &Option<bstr::BString>| name.as_ref().map_or(String::new(), |n| name_text(n));
    let inserts = |e: &&Entry| {
        e.desc_is("TABLE DATA") && e.has_data && e.copy.as_ref().is_none_or(|copy| copy.is_empty())
    };
    let tables = toc.entries.iter().filter(inserts).map(|e| (text(&e.namespace), text(&e.tag)));
    let unknown = tables.filter(|(schema, table)| !is_known(schema, table));
    let why = "they are INSERT statements, which tell no fingerprint to compare with";
    unknown.map(|(schema, table)| Finding::new(format!("rows of {schema}.{table}"), why)).collect()
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
