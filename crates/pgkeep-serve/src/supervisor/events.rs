//! What is worth telling people of a run.

use std::collections::HashSet;

use jiff::Timestamp;
use pgkeep_notify::{Event, EventKind, joined, said_and_hints};

use crate::fleet::TaskKind;
use crate::run::{Run, RunState};

/// Makes events, and remembers which tasks have failed, so that a success can be told as a recovery.
#[derive(Default)]
pub(super) struct Teller {
    failed: HashSet<String>,
    overdue: HashSet<String>,
    reload_failed: bool,
}

impl Teller {
    /// With the last run of each task, from before the daemon began.
    pub(super) fn new(last: &[Run]) -> Teller {
        let failed = last.iter().filter(|r| r.state == RunState::Failed).map(|r| r.task.clone()).collect();
        Teller { failed, ..Teller::default() }
    }

    /// A run begins.
    pub(super) fn began(&self, run: &Run, now: Timestamp) -> Event {
        event(EventKind::Started, run, now, "has begun")
    }

    /// A run is over, and no further try follows.
    pub(super) fn ended(&mut self, run: &Run, now: Timestamp) -> Option<Event> {
        let words = match run.state {
            RunState::Completed if self.failed.remove(&run.task) => {
                return Some(event(EventKind::Recovered, run, now, "succeeded again"));
            }
            RunState::Completed => "succeeded",
            RunState::Degraded if run.kind == TaskKind::Drill => "could not prove everything",
            RunState::Degraded => {
                self.failed.remove(&run.task);
                "succeeded, but a copy is missing"
            }
            RunState::Failed => {
                self.failed.insert(run.task.clone());
                "failed"
            }
            RunState::Skipped | RunState::Scheduled | RunState::InProgress => return None,
        };
        // A run that was stopped, or never began, has no exit code.
        let kind = EventKind::of_exit(run.kind.as_str(), run.exit_code.unwrap_or(1));
        Some(event(kind, run, now, words))
    }

    /// The configuration was read anew, or could not be; a good one is told only after a bad one.
    pub(super) fn reloaded(&mut self, problem: Option<&str>, now: Timestamp) -> Option<Event> {
        let failed_before = std::mem::replace(&mut self.reload_failed, problem.is_some());
        let (kind, summary) = match problem {
            Some(_) => {
                (EventKind::ReloadFailed, "the configuration could not be read anew; the one before counts")
            }
            None if failed_before => (EventKind::Recovered, "the configuration was read anew"),
            None => return None,
        };
        let (why, hint) = problem.map(apart).unwrap_or_default();
        let check = "look at it with `pgkeep config check`, then reload".to_owned();
        Some(Event {
            kind,
            database: None,
            run: None,
            backup: None,
            task: "reload".to_owned(),
            at: now,
            summary: summary.into(),
            why,
            hint: hint.or(problem.map(|_| check)),
            log: None,
            facts: Vec::new(),
        })
    }

    /// A backup is overdue since a time, or comes as it should; told once.
    pub(super) fn overdue(
        &mut self,
        database: &str,
        task: &str,
        since: Option<Timestamp>,
        newest: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Event> {
        let Some(since) = since else {
            self.overdue.remove(task);
            return None;
        };
        if !self.overdue.insert(task.to_owned()) {
            return None;
        }
        let newest = newest.map_or_else(
            || "there is no backup of it".to_owned(),
            |newest| format!("the newest one is of {}", newest.strftime("%Y-%m-%d %H:%M UTC")),
        );
        Some(Event {
            kind: EventKind::Overdue,
            database: Some(database.to_owned()),
            run: None,
            backup: None,
            task: TaskKind::Backup.as_str().to_owned(),
            at: now,
            summary: format!(
                "backup of {database} is overdue since {}",
                since.strftime("%Y-%m-%d %H:%M UTC")
            ),
            why: Some(newest),
            hint: Some(format!(
                "look at the last runs: pgkeep status; make one now: pgkeep backup {database}"
            )),
            log: None,
            facts: Vec::new(),
        })
    }
}

fn event(kind: EventKind, run: &Run, now: Timestamp, words: &str) -> Event {
    let what = match &run.database {
        Some(database) => format!("{} of {database}", run.kind.as_str()),
        None => run.kind.as_str().to_owned(),
    };
    let tries = if run.attempt > 1 { format!(" at try {}", run.attempt) } else { String::new() };
    let (why, hint) = run.error.as_deref().map(apart).unwrap_or_default();
    Event {
        kind,
        database: run.database.clone(),
        run: Some(run.id.0.clone()),
        backup: run.backup.clone(),
        task: run.kind.as_str().to_owned(),
        at: now,
        summary: format!("{what} {words}{tries}"),
        why,
        hint,
        log: run.log.clone(),
        facts: facts(run),
    }
}

/// An error's words without its hints, and the hints.
fn apart(error: &str) -> (Option<String>, Option<String>) {
    let (said, hints) = said_and_hints(error);
    (joined(&said, "\n"), joined(&hints, "\n"))
}

/// Figures of the result.
fn facts(run: &Run) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
    let figure = |key: &str| run.result.as_ref().and_then(|r| r[key].as_u64());
    if let Some(size) = figure("size") {
        fact("size", format!("{size} bytes"));
    }
    if let Some(rows) = figure("rows") {
        fact("rows", rows.to_string());
    }
    if let (Some(started), Some(finished)) = (run.started, run.finished) {
        fact("seconds", finished.duration_since(started).as_secs().to_string());
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_told_apart_from_the_reason() {
        let (why, hint) = apart("connecting to db:5432: refused\n  hint: is it up?\n  hint: or 5433?");
        assert_eq!(why.as_deref(), Some("connecting to db:5432: refused"));
        assert_eq!(hint.as_deref(), Some("is it up?\nor 5433?"));
    }
}
