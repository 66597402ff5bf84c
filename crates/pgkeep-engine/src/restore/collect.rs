//! Gathering what the workers find out.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pgkeep_archive::{DumpId, Entry};

use super::copy_statement::CopyStatement;
use super::entry::{bytes, display, tag};
use super::hints::with_hint;
use super::report::RestoreProblem;
use super::tolerate::NotGiven;
use crate::error::{EngineError, ErrorKind, Result};
use crate::fingerprint::Fingerprint;
use crate::progress::Progress;
use crate::report::{SequenceReport, TableReport, name_text};

/// Shared by all workers of one restore.
pub(super) struct Collector<'a> {
    keep_going: bool,
    progress: &'a Progress,
    found: Mutex<Found>,
}

#[derive(Default)]
pub(super) struct Found {
    pub(super) entries: u64,
    /// By the entry that the data belongs to: its segments add up.
    tables: HashMap<(Vec<u8>, Vec<u8>), (usize, TableReport)>,
    sequences: Vec<(usize, SequenceReport)>,
    pub(super) large_objects: Option<Fingerprint>,
    pub(super) errors: Vec<RestoreProblem>,
    pub(super) failed: Vec<DumpId>,
    pub(super) notes: Vec<String>,
    pub(super) not_given: NotGiven,
    pub(super) last_load: Option<Instant>,
}

impl Found {
    /// Tables in the archive's order.
    pub(super) fn tables(&mut self) -> Vec<TableReport> {
        let mut tables: Vec<_> = std::mem::take(&mut self.tables).into_values().collect();
        tables.sort_by_key(|(place, _)| *place);
        tables.into_iter().map(|(_, table)| table).collect()
    }

    /// Sequences in the archive's order.
    pub(super) fn sequences(&mut self) -> Vec<SequenceReport> {
        let mut sequences = std::mem::take(&mut self.sequences);
        sequences.sort_by_key(|(place, _)| *place);
        sequences.into_iter().map(|(_, sequence)| sequence).collect()
    }
}

impl<'a> Collector<'a> {
    pub(super) fn new(keep_going: bool, progress: &'a Progress) -> Collector<'a> {
        Collector { keep_going, progress, found: Mutex::default() }
    }

    pub(super) fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn done(&self) {
        self.found().entries += 1;
    }

    pub(super) fn note(&self, note: String) {
        self.progress.note(note.clone());
        self.found().notes.push(note);
    }

    /// The object stays with the role that restores.
    pub(super) fn not_given(&self, entry: &Entry) {
        self.found().not_given.add(entry);
    }

    pub(super) fn loaded(&self, place: usize, entry: &Entry, fingerprint: Option<Fingerprint>) {
        let mut found = self.found();
        found.last_load = Some(Instant::now());
        let (Some(fingerprint), Some(copy)) = (fingerprint, CopyStatement::parse(bytes(&entry.copy))) else {
            return;
        };
        let key = (bytes(&entry.namespace).to_vec(), tag(entry).to_vec());
        let (first, table) = found.tables.entry(key).or_insert_with(|| {
            let table = TableReport {
                schema: name_text(bytes(&entry.namespace)),
                table: name_text(tag(entry)),
                columns: copy.columns.iter().map(|c| name_text(c)).collect(),
                filter: None,
                segments: 0,
                fingerprint: Fingerprint::default(),
            };
            (place, table)
        });
        *first = place.min(*first);
        table.segments += 1;
        table.fingerprint += fingerprint;
    }

    pub(super) fn large_objects(&self, fingerprint: Fingerprint) {
        *self.found().large_objects.get_or_insert_default() += fingerprint;
    }

    /// Remembers what a SEQUENCE SET sets.
    pub(super) fn sequence(&self, place: usize, entry: &Entry) {
        self.found().sequences.extend(sequence_of(entry).map(|sequence| (place, sequence)));
    }

    /// Takes the failure of what an entry creates: as [`Self::problem`], and remembers that it is not there.
    pub(super) fn failed(&self, entry: &Entry, error: EngineError) -> Result<()> {
        self.problem(entry, error)?;
        self.found().failed.push(entry.id);
        Ok(())
    }

    /// Takes a failure: keeps it and goes on, or gives it back as the end of the run.
    pub(super) fn problem(&self, entry: &Entry, error: EngineError) -> Result<()> {
        let error = with_hint(error);
        let fatal = matches!(
            error.kind,
            ErrorKind::ConnectionLost | ErrorKind::Connect | ErrorKind::Authentication | ErrorKind::Cancelled
        );
        if fatal || !self.keep_going {
            return Err(error.during(super::load::during(entry)));
        }
        let problem = RestoreProblem::new(display(entry), Some(entry.id), error);
        self.found().errors.push(problem);
        Ok(())
    }
}

/// What a SEQUENCE SET sets: `SELECT pg_catalog.setval('public.s', 42, true);`.
pub(crate) fn sequence_of(entry: &Entry) -> Option<SequenceReport> {
    let sql = bytes(&entry.definition);
    let mut parts = sql.rsplitn(3, |b| *b == b',');
    let (called, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let text = |b: &[u8]| String::from_utf8_lossy(b).trim().to_string();
    Some(SequenceReport {
        schema: name_text(bytes(&entry.namespace)),
        sequence: name_text(tag(entry)),
        last_value: text(value).parse().ok()?,
        is_called: text(called).starts_with("true"),
    })
}
