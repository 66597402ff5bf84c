//! Counters that the work moves and a display reads; nothing here prints.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is being done just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Connecting, reading the schema, planning.
    #[default]
    Starting,
    /// Creating what comes before the data.
    PreData,
    /// Moving rows.
    Data,
    /// Building indexes and constraints.
    PostData,
    /// Comparing rows with the manifest.
    Proving,
    /// Copying from store to store.
    Copying,
    /// Writing head and manifest.
    Finishing,
}

impl Phase {
    /// The phase in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::PreData => "pre-data",
            Phase::Data => "data",
            Phase::PostData => "post-data",
            Phase::Proving => "proving",
            Phase::Copying => "copying",
            Phase::Finishing => "finishing",
        }
    }
}

/// Shared counters of one run. All are totals since the run began.
#[derive(Debug, Default)]
pub struct Progress {
    /// Rows moved.
    pub rows: AtomicU64,
    /// Bytes of COPY text moved.
    pub bytes: AtomicU64,
    /// Estimated bytes of COPY text in all; 0 while unknown.
    pub bytes_expected: AtomicU64,
    /// Tables finished.
    pub tables_done: AtomicU64,
    /// Tables in all.
    pub tables: AtomicU64,
    /// Post-data entries (indexes, constraints, triggers) finished.
    pub items_done: AtomicU64,
    /// Post-data entries in all.
    pub items: AtomicU64,
    /// Bytes of archive written or read.
    pub archive_bytes: AtomicU64,
    phase: Mutex<Phase>,
    notes: Mutex<Vec<String>>,
}

impl Progress {
    /// Counters at zero.
    pub fn new() -> Self {
        Progress::default()
    }

    /// Adds to a counter.
    pub fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    /// Reads a counter.
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    /// The present phase.
    pub fn phase(&self) -> Phase {
        self.phase.lock().map(|p| *p).unwrap_or_default()
    }

    /// Enters a phase.
    pub fn enter(&self, phase: Phase) {
        if let Ok(mut p) = self.phase.lock() {
            *p = phase;
        }
    }

    /// Says something that the user should know although the run goes on (a retried connection, a skipped
    /// comment). Shown by the display and kept for the report.
    pub fn note(&self, note: impl Into<String>) {
        if let Ok(mut n) = self.notes.lock() {
            n.push(note.into());
        }
    }

    /// Notes so far, from the `from`th on.
    pub fn notes_from(&self, from: usize) -> Vec<String> {
        self.notes.lock().map(|n| n.get(from..).unwrap_or_default().to_vec()).unwrap_or_default()
    }
}
