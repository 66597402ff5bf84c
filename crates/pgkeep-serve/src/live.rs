//! How far the runs are that run now.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::run::RunId;

/// What a command says of itself once a second with `--progress json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// What it does now, a word.
    pub phase: String,
    /// Seconds since it began.
    pub elapsed_seconds: f64,
    /// Rows done.
    pub rows: u64,
    /// Bytes done.
    pub bytes: u64,
    /// Bytes in all, 0 where that is not known.
    pub bytes_expected: u64,
    /// Bytes a second.
    pub bytes_per_second: u64,
    /// Tables done.
    pub tables_done: u64,
    /// Tables in all.
    pub tables: u64,
    /// Seconds to the end, where that can be told.
    pub eta_seconds: Option<f64>,
}

/// The last word of each running run.
#[derive(Debug, Default)]
pub struct Live(Mutex<HashMap<RunId, Progress>>);

impl Live {
    /// Notes what a run said.
    pub fn set(&self, run: &RunId, progress: Progress) {
        self.lock().insert(run.clone(), progress);
    }

    /// Forgets a run that is over.
    pub fn end(&self, run: &RunId) {
        self.lock().remove(run);
    }

    /// What it said last.
    pub fn of(&self, run: &RunId) -> Option<Progress> {
        self.lock().get(run).cloned()
    }

    /// The last words of all.
    pub(crate) fn all(&self) -> BTreeMap<String, Progress> {
        self.lock().iter().map(|(run, progress)| (run.0.clone(), progress.clone())).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, Progress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
