//! What a restore did.

use std::time::Duration;

use pgkeep_archive::DumpId;

use crate::conn::ConnInfo;
use crate::error::EngineError;
use crate::fingerprint::Fingerprint;
use crate::report::{SequenceReport, TableReport};

/// Everything a restore found out.
#[derive(Debug, Clone)]
pub struct RestoreReport {
    /// Where the data is now: with [`super::RestoreOptions::create`], the new database.
    pub database: ConnInfo,
    /// Archive entries carried out.
    pub entries: u64,
    /// Tables loaded.
    pub tables: u64,
    /// Rows, bytes and hash of each table as the archive has it, in the archive's order. Tables whose data is
    /// INSERT statements are not among them.
    pub loaded: Vec<TableReport>,
    /// Sequences as the archive sets them.
    pub sequences: Vec<SequenceReport>,
    /// Large objects as the archive has them; `None` where it has none.
    pub large_objects: Option<Fingerprint>,
    /// Tables that statistics were gathered of.
    pub analyzed: u64,
    /// What failed; always empty unless [`super::RestoreOptions::keep_going`].
    pub errors: Vec<RestoreProblem>,
    /// What the user should know although it did not fail.
    pub notes: Vec<String>,
    /// Where the time went.
    pub timings: RestoreTimings,
}

/// One thing that could not be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreProblem {
    /// The archive entry, such as `INDEX public.foo_idx (entry 1234)`.
    pub object: String,
    /// The same entry by its number; `None` for a script.
    pub entry: Option<DumpId>,
    /// Why.
    pub error: String,
    /// The server's SQLSTATE.
    pub sqlstate: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl RestoreProblem {
    pub(super) fn new(object: String, entry: Option<DumpId>, error: EngineError) -> Self {
        let text = if error.what.is_empty() { error.why } else { format!("{}: {}", error.what, error.why) };
        RestoreProblem { object, entry, error: text, sqlstate: error.sqlstate, hint: error.hint }
    }
}

/// Wall-clock time by phase. Data and what comes after it overlap: `data` ends with the last table loaded, and
/// `post_data` is what remained then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestoreTimings {
    /// Connecting, dropping, finding the data in the archive.
    pub prepare: Duration,
    /// Creating what comes before the data.
    pub pre_data: Duration,
    /// Loading.
    pub data: Duration,
    /// Indexes, constraints, privileges after the last load.
    pub post_data: Duration,
}
