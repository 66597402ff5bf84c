//! Runs of tasks, and the recovery points that they make.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fleet::TaskKind;

/// Time in a run's id, in UTC.
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// Names a run: it sorts by time and tells runs of one moment apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId(pub String);

impl RunId {
    /// A new one: `<UTC time>-<6 random characters>`.
    pub fn new(now: Timestamp) -> RunId {
        let random: String = (0..6).map(|_| fastrand::alphanumeric().to_ascii_lowercase()).collect();
        RunId(format!("{}-{random}", now.strftime(TIME)))
    }

    /// When it was made; nothing where it is not one of ours.
    pub fn made(&self) -> Option<Timestamp> {
        let (time, _) = self.0.split_once('-')?;
        let time = jiff::civil::DateTime::strptime(TIME, time).ok()?;
        Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    }
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Due, and waiting for a place or for its turn.
    Scheduled,
    /// Its process runs.
    InProgress,
    /// Done.
    Completed,
    /// Done, but a copy is missing (exit code 10), or a drill could not prove everything (11).
    Degraded,
    /// Did not succeed; nothing is left of it.
    Failed,
    /// Was not needed: another daemon has done it.
    Skipped,
}

impl RunState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Scheduled => "scheduled",
            RunState::InProgress => "in_progress",
            RunState::Completed => "completed",
            RunState::Degraded => "degraded",
            RunState::Failed => "failed",
            RunState::Skipped => "skipped",
        }
    }

    /// The state of this word.
    pub fn of(word: &str) -> Option<RunState> {
        use RunState::{Completed, Degraded, Failed, InProgress, Scheduled, Skipped};
        [Scheduled, InProgress, Completed, Degraded, Failed, Skipped].into_iter().find(|s| s.as_str() == word)
    }

    /// Whether it will not change any more.
    pub fn is_over(self) -> bool {
        !matches!(self, RunState::Scheduled | RunState::InProgress)
    }
}

/// Why a run came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunTrigger {
    /// Its time came.
    Schedule,
    /// Its time came while the daemon was down.
    CatchUp,
    /// The run before it failed.
    Retry,
    /// Somebody asked for it.
    Manual,
}

impl RunTrigger {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            RunTrigger::Schedule => "schedule",
            RunTrigger::CatchUp => "catch_up",
            RunTrigger::Retry => "retry",
            RunTrigger::Manual => "manual",
        }
    }

    /// The trigger of this word.
    pub fn of(word: &str) -> Option<RunTrigger> {
        use RunTrigger::{CatchUp, Manual, Retry, Schedule};
        [Schedule, CatchUp, Retry, Manual].into_iter().find(|t| t.as_str() == word)
    }
}

/// One try at one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id, which stands in the log's file name, in every log line and in notifications.
    pub id: RunId,
    /// The task's id.
    pub task: String,
    /// The task's kind.
    pub kind: TaskKind,
    /// The database that it is about.
    pub database: Option<String>,
    /// Why it came to be.
    pub trigger: RunTrigger,
    /// Who asked for it, where somebody did.
    pub by: Option<String>,
    /// The time that it was due.
    pub scheduled: Timestamp,
    /// Which try it is, from 1 on.
    pub attempt: u32,
    /// How far it is.
    pub state: RunState,
    /// When its process began.
    pub started: Option<Timestamp>,
    /// When it was over.
    pub finished: Option<Timestamp>,
    /// The process's exit code.
    pub exit_code: Option<i32>,
    /// The error's kind, a word of `docs/exit-codes.md`; `start-window`, `completion-window` or `lost` are the daemon's.
    pub error_kind: Option<String>,
    /// The error in words, hints on lines of their own.
    pub error: Option<String>,
    /// The id of the backup that it made or looked at.
    pub backup: Option<String>,
    /// The command's JSON result.
    pub result: Option<serde_json::Value>,
    /// The command's words, as one would type them.
    pub command: String,
    /// File with everything that it said.
    pub log: Option<String>,
}

/// Where a recovery point stands. What AWS Backup calls so is told in its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointState {
    /// It is there.
    Stored,
    /// No retention rule keeps it any more; the next prune deletes it.
    Expired,
    /// It was there and is gone.
    Deleted,
}

impl PointState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            PointState::Stored => "stored",
            PointState::Expired => "expired",
            PointState::Deleted => "deleted",
        }
    }

    /// The state of this word.
    pub fn of(word: &str) -> Option<PointState> {
        [PointState::Stored, PointState::Expired, PointState::Deleted]
            .into_iter()
            .find(|s| s.as_str() == word)
    }
}

/// A backup, as the stores had it when they were looked at last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecoveryPoint {
    /// The database's name.
    pub name: String,
    /// The backup's id.
    pub id: String,
    /// Where it stands.
    pub state: PointState,
    /// When its snapshot was taken.
    pub started: Timestamp,
    /// When it was whole.
    pub finished: Timestamp,
    /// Bytes in one store.
    pub size: u64,
    /// Rows in it.
    pub rows: u64,
    /// When a drill proved it last.
    pub proven: Option<Timestamp>,
    /// When a drill failed last.
    pub drill_failed: Option<Timestamp>,
    /// Whether it is held.
    pub held: bool,
    /// The stores that have it.
    pub stores: Vec<String>,
    /// The stores that were to have it and do not.
    pub missing: Vec<String>,
}
