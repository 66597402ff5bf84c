//! Who looks on: notifications, metrics, traces, the audit log.

use std::sync::Arc;

use jiff::Timestamp;
use pgkeep_notify::Event;
use serde::{Deserialize, Serialize};

use crate::run::Run;

/// Something that is told what the daemon does. It must return at once, and what it fails at is its own affair: it never
/// fails a run.
pub trait Watcher: Send + Sync {
    /// A run has begun.
    fn run_began(&self, _run: &Run) {}
    /// A run is over.
    fn run_ended(&self, _run: &Run) {}
    /// Something that people may want to know. Whether they are told is the notifier's rules' affair.
    fn happened(&self, _event: &Event) {}
    /// Somebody did something.
    fn audited(&self, _act: &Act) {}
    /// The daemon ends: what is still to be sent is sent now, within a few seconds.
    fn end(&self) {}
}

/// One line of the audit log: who did what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// Who: a user of the dashboard, `schedule`, `signal`, a user of this machine.
    pub who: String,
    /// What: `run`, `stop`, `reload`, `sign-in`, `sign-in-refused`, `start`, `end`, `backup`, `prune` …
    pub what: String,
    /// On what: a task, a run, a backup.
    pub on: Option<String>,
    /// What came of it.
    pub outcome: String,
}

/// All that look on.
#[derive(Clone, Default)]
pub struct Watchers(Vec<Arc<dyn Watcher>>);

impl Watchers {
    /// Adds one.
    pub fn add(&mut self, watcher: Arc<dyn Watcher>) {
        self.0.push(watcher);
    }

    /// Tells each.
    pub fn each(&self, tell: impl Fn(&dyn Watcher)) {
        for watcher in &self.0 {
            tell(watcher.as_ref());
        }
    }
}
