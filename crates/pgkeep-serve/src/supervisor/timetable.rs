//! Tasks with when each is due. Several times of one task that have passed are one.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;

use super::is_first_at_once;
use crate::fleet::{Fleet, Task};

/// All tasks of a fleet.
#[derive(Default)]
pub(super) struct Timetable {
    places: HashMap<String, Place>,
    dues: BTreeSet<(Timestamp, String)>,
}

/// One task.
pub(super) struct Place {
    pub(super) task: Task,
    /// The host of its database.
    pub(super) host: Option<String>,
    /// All its times up to this one are queued or settled.
    pub(super) mark: Option<Timestamp>,
    /// When it is due next, jitter included.
    due: Option<Timestamp>,
}

/// A task that has come due.
pub(super) struct Due {
    pub(super) task: String,
    /// The newest of its times that have passed, jitter included.
    pub(super) scheduled: Timestamp,
    /// The oldest of them.
    pub(super) first: Timestamp,
}

impl Timetable {
    /// Takes over a fleet. `mark` says up to when the times of a task that is new are settled, where that is known.
    pub(super) fn reload(
        &mut self,
        fleet: &Fleet,
        now: Timestamp,
        mark: impl Fn(&Task) -> Option<Timestamp>,
    ) {
        let mut old = std::mem::take(&mut self.places);
        self.dues.clear();
        for task in &fleet.tasks {
            let known = old.remove(&task.id);
            let is_same = known.as_ref().is_some_and(|k| k.task.schedule == task.schedule);
            let known = known.map(|place| place.mark);
            let is_rate = task.schedule.as_ref().is_some_and(|s| s.rate().is_some());
            let mark = match known {
                Some(mark) if is_same || is_rate => mark,
                // Times of a new schedule that have passed were never due.
                Some(mark) => mark.max(Some(now)),
                None => mark(task).or((!is_first_at_once(task)).then_some(now)),
            };
            let host = task.database.as_deref().and_then(|d| fleet.members.iter().find(|m| m.name == d));
            let place = Place { host: host.map(|m| m.host.clone()), task: task.clone(), mark, due: None };
            self.places.insert(task.id.clone(), place);
            self.set_due(&task.id, now);
        }
    }

    /// The task of this id.
    pub(super) fn get(&self, id: &str) -> Option<&Place> {
        self.places.get(id)
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.dues.first().map(|(due, _)| *due)
    }

    /// The next one that is due, whose times are settled with this.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Due> {
        let (first, task) = self.dues.first().filter(|(due, _)| *due <= now).cloned()?;
        let place = self.places.get_mut(&task)?;
        let jitter = place.task.jitter;
        let newest = match (&place.task.schedule, place.mark) {
            (Some(schedule), Some(mark)) => schedule.newest_within(mark, earlier(now, jitter)),
            _ => None,
        };
        let base = newest.unwrap_or(earlier(first, jitter));
        place.mark = Some(base);
        self.set_due(&task, now);
        Some(Due { task, scheduled: later(base, jitter), first })
    }

    fn set_due(&mut self, id: &str, now: Timestamp) {
        let Some(place) = self.places.get_mut(id) else { return };
        if let Some(due) = place.due.take() {
            self.dues.remove(&(due, id.to_owned()));
        }
        let base = match (&place.task.schedule, place.mark) {
            (None, _) => None,
            (Some(schedule), Some(mark)) => schedule.next_after(mark),
            // A rate that has no time before begins now.
            (Some(_), None) => Some(now),
        };
        place.due = base.map(|base| later(base, place.task.jitter));
        if let Some(due) = place.due {
            self.dues.insert((due, id.to_owned()));
        }
    }
}

/// So much after a time, or the last time there is.
pub(super) fn later(t: Timestamp, by: Duration) -> Timestamp {
    t.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn earlier(t: Timestamp, by: Duration) -> Timestamp {
    t.saturating_sub(by).unwrap_or(Timestamp::MIN)
}
