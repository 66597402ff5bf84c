//! Who is told of what: channels such as Slack, e-mail and SNS, and the rules by which they are told.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Something that people may want to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The database that it is about.
    pub database: Option<String>,
    /// The run's id.
    pub run: Option<String>,
    /// The backup's id.
    pub backup: Option<String>,
    /// The task's kind, such as `backup`.
    pub task: String,
    /// When.
    pub at: Timestamp,
    /// One sentence: what happened.
    pub summary: String,
    /// Why, as far as known.
    pub why: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// Where the log is.
    pub log: Option<String>,
    /// Figures worth telling: size, rows, seconds.
    pub facts: Vec<(String, String)>,
}

/// Kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A run begins (for pings).
    Started,
    /// A run succeeded.
    Success,
    /// A run failed.
    Failure,
    /// A run succeeded after one that had failed.
    Recovered,
    /// The newest backup is older than the schedule says.
    Overdue,
    /// A drill found a difference, or did not come to its end.
    DrillFailed,
    /// Prune kept everything because backups fail to come, or could not delete.
    RetentionBlocked,
    /// A store lacks its copy.
    CopyDegraded,
}
