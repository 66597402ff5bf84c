//! What the restored database should hold.

use pgkeep_engine::fingerprint::Fingerprint;
use pgkeep_engine::report::{SequenceReport, TableReport};
use pgkeep_engine::restore::{Contents, RestoreReport};
use pgkeep_keep::Manifest;

/// Rows, sequences and large objects as they should be.
pub(super) type Expected = (Vec<TableReport>, Vec<SequenceReport>, Option<Fingerprint>);

/// What the manifest says of what was chosen, or, for an archive without one, what was in the archive.
pub(super) fn expected(
    report: &RestoreReport,
    manifest: Option<&Manifest>,
    chosen: Option<&Contents>,
) -> Expected {
    match (manifest.map(|m| &m.dump), chosen) {
        (None, _) => (report.loaded.clone(), report.sequences.clone(), report.large_objects),
        (Some(dump), None) => (dump.tables.clone(), dump.sequences.clone(), dump.large_objects),
        (Some(dump), Some(chosen)) => {
            // A list may choose some groups of large objects, and the manifest knows them all together.
            let (tables, sequences) = (chosen.tables(&dump.tables), chosen.sequences(&dump.sequences));
            (tables, sequences, report.large_objects)
        }
    }
}
