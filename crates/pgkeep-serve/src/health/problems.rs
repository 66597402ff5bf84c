//! What is wrong with a database, in words for people.

use pgkeep_notify::{joined, said_and_hints};
use serde::Serialize;

use super::Health;
use crate::fleet::{Task, TaskKind};
use crate::run::{Run, RunState};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a look by day.
    Warning,
    /// Data may be lost if nobody acts.
    Bad,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// What is wrong.
    pub what: String,
    /// Why, as far as known.
    pub why: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// The run that told it.
    pub run: Option<String>,
}

impl Problem {
    fn new(severity: Severity, what: impl Into<String>) -> Problem {
        Problem { severity, what: what.into(), why: None, hint: None, run: None }
    }

    fn hint(self, hint: impl Into<String>) -> Problem {
        Problem { hint: Some(hint.into()), ..self }
    }

    /// With what a run said.
    fn of_run(self, run: &Run) -> Problem {
        let (why, hint) = run.error.as_deref().map_or((None, None), split_hint);
        Problem { why: why.or(self.why), hint: hint.or(self.hint), run: Some(run.id.to_string()), ..self }
    }
}

/// Takes an error's text apart into what it says and its hint.
pub(crate) fn split_hint(error: &str) -> (Option<String>, Option<String>) {
    let (said, hints) = said_and_hints(error);
    (joined(&said, " "), joined(&hints, " "))
}

/// The worst first.
pub(super) fn of(health: &Health, tasks: &[&Task]) -> Vec<Problem> {
    let mut all = Vec::new();
    backups(health, tasks, &mut all);
    proof(health, tasks, &mut all);
    copies(health, &mut all);
    for (kind, run) in &health.last {
        if matches!(kind, TaskKind::Verify | TaskKind::Prune | TaskKind::Sync | TaskKind::Rds)
            && run.state == RunState::Failed
        {
            // Exit code 3: damage was found.
            let severity = if run.exit_code == Some(3) { Severity::Bad } else { Severity::Warning };
            all.push(Problem::new(severity, format!("the last {} failed", kind.as_str())).of_run(run));
        }
    }
    all.sort_by_key(|p| std::cmp::Reverse(p.severity));
    all
}

fn backups(health: &Health, tasks: &[&Task], all: &mut Vec<Problem>) {
    let last = health.last.get(&TaskKind::Backup);
    if let Some(run) = last.filter(|r| r.state == RunState::Failed) {
        all.push(Problem::new(Severity::Bad, "the last backup failed").of_run(run));
    } else if let Some(since) = health.overdue_since {
        let what = match health.newest {
            Some(_) => format!("a backup is overdue since {}", crate::figures::short_time(since)),
            None => "there is no backup yet, and one was due".into(),
        };
        all.push(
            Problem::new(Severity::Bad, what).hint("run one now; the runs say what happened to the others"),
        );
    } else if health.newest.is_none() {
        all.push(Problem::new(Severity::Warning, "there is no backup yet").hint("run one now"));
    }
    if !tasks.iter().any(|t| t.kind == TaskKind::Backup && t.schedule.is_some()) {
        let hint = "give it a schedule in the configuration";
        all.push(
            Problem::new(Severity::Warning, "nothing is scheduled: backups run by hand only").hint(hint),
        );
    }
}

fn proof(health: &Health, tasks: &[&Task], all: &mut Vec<Problem>) {
    let failed = health.newest.as_ref().filter(|p| p.drill_failed > p.proven);
    let run = health.last.get(&TaskKind::Drill).filter(|r| r.state == RunState::Failed);
    match (failed, run) {
        (_, Some(run)) => all.push(Problem::new(Severity::Bad, "the last drill failed").of_run(run)),
        (Some(point), None) => all.push(
            Problem::new(Severity::Bad, format!("a drill found backup {} wrong", point.id))
                .hint("its page has the drill's report"),
        ),
        (None, None) if health.newest.is_some() && health.proven.is_none() => {
            let scheduled = tasks.iter().any(|t| t.kind == TaskKind::Drill && t.schedule.is_some());
            let hint = if scheduled {
                "the next drill will tell; or run one now"
            } else {
                "run a drill now, and schedule it"
            };
            all.push(Problem::new(Severity::Warning, "no backup is proven to restore").hint(hint));
        }
        (None, None) => {}
    }
}

fn copies(health: &Health, all: &mut Vec<Problem>) {
    let Some(point) = health.newest.as_ref().filter(|p| !p.missing.is_empty()) else { return };
    let what = format!("the newest backup has no copy in {}", point.missing.join(", "));
    all.push(Problem::new(Severity::Warning, what).hint("`pgkeep sync` makes it"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_comes_apart_into_reason_and_hint() {
        let (why, hint) = split_hint("connecting to db: refused\n  twice\n  hint: look at the firewall");
        assert_eq!(why.as_deref(), Some("connecting to db: refused twice"));
        assert_eq!(hint.as_deref(), Some("look at the firewall"));
        assert_eq!(split_hint(""), (None, None));
    }
}
