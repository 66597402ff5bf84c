//! What happened.

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
    /// The configuration could not be read anew, and the one before counts.
    ReloadFailed,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [EventKind; 9] = [
        EventKind::Started,
        EventKind::Success,
        EventKind::Failure,
        EventKind::Recovered,
        EventKind::Overdue,
        EventKind::DrillFailed,
        EventKind::RetentionBlocked,
        EventKind::CopyDegraded,
        EventKind::ReloadFailed,
    ];

    /// The word for it in rules and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::Started => "started",
            EventKind::Success => "success",
            EventKind::Failure => "failure",
            EventKind::Recovered => "recovered",
            EventKind::Overdue => "overdue",
            EventKind::DrillFailed => "drill-failed",
            EventKind::RetentionBlocked => "retention-blocked",
            EventKind::CopyDegraded => "copy-degraded",
            EventKind::ReloadFailed => "reload-failed",
        }
    }

    /// What a command's exit code (docs/exit-codes.md) means for this kind of task.
    pub fn of_exit(task: &str, code: i32) -> EventKind {
        match (task, code) {
            (_, 0) => EventKind::Success,
            (_, 9) => EventKind::RetentionBlocked,
            (_, 10) => EventKind::CopyDegraded,
            ("drill", _) => EventKind::DrillFailed,
            _ => EventKind::Failure,
        }
    }

    /// The kind of this word.
    pub fn of(word: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|k| k.as_str() == word)
    }
}

/// Takes an error's text apart into the lines that say what and why, and its hints.
pub fn said_and_hints(error: &str) -> (Vec<&str>, Vec<&str>) {
    const HINT: &str = "hint: ";
    let (hints, said): (Vec<&str>, Vec<&str>) =
        error.lines().map(str::trim).filter(|l| !l.is_empty()).partition(|l| l.starts_with(HINT));
    (said, hints.into_iter().filter_map(|l| l.strip_prefix(HINT)).collect())
}

/// Lines as one text; nothing where there are none.
pub fn joined(lines: &[&str], between: &str) -> Option<String> {
    (!lines.is_empty()).then(|| lines.join(between))
}

impl Event {
    /// A made-up one, to try a channel with.
    pub fn sample(kind: EventKind, at: Timestamp) -> Event {
        let task = match kind {
            EventKind::DrillFailed => "drill",
            EventKind::RetentionBlocked => "prune",
            EventKind::ReloadFailed => "reload",
            _ => "backup",
        };
        let (why, hint) = match kind {
            EventKind::Started | EventKind::Success | EventKind::Recovered => (None, None),
            _ => (Some("this is a test"), Some("nothing: `pgkeep notify test` sent this")),
        };
        Event {
            kind,
            database: Some("example".into()),
            run: None,
            backup: None,
            task: task.into(),
            at,
            summary: "A test of pgkeep's notifications; nothing has happened.".into(),
            why: why.map(Into::into),
            hint: hint.map(Into::into),
            log: None,
            facts: Vec::new(),
        }
    }
}
