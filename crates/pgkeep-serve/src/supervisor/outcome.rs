//! What has become of a run.

use serde_json::Value;

use crate::run::{Run, RunState};

/// How a run's process ended, or why it never began.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// It came to its end.
    Ended(End),
    /// Another daemon has done it already.
    Skipped(String),
    /// Another process does it now: it is looked at again later.
    Busy(String),
}

/// The end of a process.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct End {
    /// `None` where a signal ended it, or where it never began.
    pub(crate) exit_code: Option<i32>,
    pub(crate) error_kind: Option<String>,
    pub(crate) error: Option<String>,
    /// The backup that it was about.
    pub(crate) backup: Option<String>,
    pub(crate) result: Option<Value>,
}

impl End {
    /// A run that failed before it had a process, or whose process says nothing.
    pub(crate) fn failed(kind: &str, error: String) -> End {
        End { error_kind: Some(kind.to_owned()), error: Some(error), ..End::default() }
    }

    /// Writes it into the run. The exit codes are those of `docs/exit-codes.md`: after 10 there is a backup that lacks a
    /// copy, after 11 a drill that could not prove everything.
    pub(crate) fn note(self, run: &mut Run) {
        run.state = match self.exit_code {
            Some(0) => RunState::Completed,
            Some(10 | 11) => RunState::Degraded,
            _ => RunState::Failed,
        };
        run.exit_code = self.exit_code;
        run.error_kind = self.error_kind;
        run.error = self.error;
        run.backup = self.backup;
        run.result = self.result;
    }
}
