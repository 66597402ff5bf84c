//! The daemon's heart: it runs what is due, and tells what comes of it.
//!
//! [`Planner`] decides, without a clock or a process of its own; [`Daemon`] brings it the time, what people ask and what
//! has become of runs, and does what it says.

mod daemon;
mod events;
mod outcome;
mod overdue;
mod planner;
mod retry;
#[cfg(test)]
mod simulation;

use jiff::Timestamp;

use crate::error::Result;
use crate::fleet::Task;
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

impl History {
    /// When a task runs next by its schedule, jitter included: a time that has passed where it waits for its place.
    ///
    /// # Errors
    /// SQLite's.
    pub fn next_run(&self, task: &Task, now: Timestamp) -> Result<Option<Timestamp>> {
        let Some(schedule) = &task.schedule else { return Ok(None) };
        let base = match self.mark(&mark_name(&task.id))? {
            Some(mark) => schedule.next_after(mark),
            None if schedule.rate().is_some() => Some(now),
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
