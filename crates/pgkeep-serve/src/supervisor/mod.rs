//! The daemon's heart: it runs what is due, and tells what comes of it.
//!
//! `planner` decides, without a clock or a process of its own, by the times that `timetable` has; `heart` brings it the
//! time, what people ask and what has become of runs, and does what it says. [`Daemon`] is what it lives in.

mod daemon;
mod events;
mod heart;
mod outcome;
mod overdue;
mod planner;
mod retry;
#[cfg(test)]
mod simulation;
mod timetable;

use jiff::Timestamp;

use crate::error::Result;
use crate::fleet::{Task, TaskKind};
use crate::history::History;
pub use daemon::{Daemon, DaemonOptions};
pub(crate) use outcome::{End, Outcome};
pub use overdue::overdue_since;

/// The mark up to which a task's times are settled.
fn mark_name(task: &str) -> String {
    format!("schedule:{task}")
}

/// The mark since when a task is known.
fn known_name(task: &str) -> String {
    format!("known:{task}")
}

/// Whether a task that was never run is due at once: the first backup of a rate, while there may be nothing yet to be
/// drilled or pruned.
fn is_first_at_once(task: &Task) -> bool {
    matches!(task.kind, TaskKind::Backup | TaskKind::Rds)
        && task.schedule.as_ref().is_some_and(|s| s.rate().is_some())
}

impl History {
    /// Up to when a task's times are settled: by the state, or else by what the stores have, or else since when it is known.
    pub(crate) fn settled(&self, task: &Task) -> Result<Option<Timestamp>> {
        if let Some(mark) = self.mark(&mark_name(&task.id))? {
            return Ok(Some(mark));
        }
        let in_stores = match (task.kind, task.database.as_deref()) {
            (TaskKind::Backup, Some(database)) => self.newest_point(database)?,
            (TaskKind::Drill, Some(database)) => {
                let points = self.points(Some(database))?;
                points.iter().filter_map(|p| p.proven.max(p.drill_failed)).max()
            }
            _ => None,
        };
        match in_stores {
            None if !is_first_at_once(task) => self.mark(&known_name(&task.id)),
            found => Ok(found),
        }
    }

    /// When a task runs next by its schedule, jitter included: a time that has passed where it waits for its place.
    ///
    /// # Errors
    /// SQLite's.
    pub fn next_run(&self, task: &Task, now: Timestamp) -> Result<Option<Timestamp>> {
        let Some(schedule) = &task.schedule else { return Ok(None) };
        let base = match self.settled(task)? {
            Some(mark) => schedule.next_after(mark),
            None if is_first_at_once(task) => Some(now),
            None => schedule.next_after(now),
        };
        Ok(base.and_then(|base| base.saturating_add(task.jitter).ok()))
    }

    /// Since when the backups of a task's database are overdue, see [`overdue_since`].
    ///
    /// # Errors
    /// SQLite's.
    pub fn overdue(&self, task: &Task, now: Timestamp) -> Result<Option<Timestamp>> {
        let newest = task.database.as_deref().map(|d| self.newest_point(d)).transpose()?.flatten();
        let known = self.mark(&known_name(&task.id))?.unwrap_or(now);
        Ok(overdue_since(task, newest, known, now))
    }
}
