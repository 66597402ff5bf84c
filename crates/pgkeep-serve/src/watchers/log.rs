//! Runs and what people did, in the daemon's log.

use pgkeep_notify::Event;

use crate::run::{Run, RunState};
use crate::watch::{Act, Watcher};

/// Writes them.
#[derive(Debug, Default)]
pub struct RunLog;

impl Watcher for RunLog {
    fn run_began(&self, run: &Run) {
        let (database, trigger) = (database(run), run.trigger.as_str());
        tracing::info!(run = %run.id, database, task = run.task, trigger, attempt = run.attempt, "run began");
    }

    fn run_ended(&self, run: &Run) {
        let (database, state) = (database(run), run.state.as_str());
        let seconds =
            run.started.zip(run.finished).map(|(began, ended)| ended.duration_since(began).as_secs_f64());
        let backup = run.backup.as_deref();
        if matches!(run.state, RunState::Failed | RunState::Degraded) {
            let (kind, error) = (run.error_kind.as_deref(), run.error.as_deref());
            let log = run.log.as_deref();
            tracing::error!(
                run = %run.id, database, task = run.task, state, seconds, attempt = run.attempt, backup,
                exit_code = run.exit_code, kind, error, log, "run ended"
            );
        } else {
            tracing::info!(
                run = %run.id, database, task = run.task, state, seconds, attempt = run.attempt, backup, "run ended"
            );
        }
    }

    fn happened(&self, event: &Event) {
        let (run, database) = (event.run.as_deref(), event.database.as_deref());
        tracing::debug!(run, database, task = event.task, event = event.kind.as_str(), "{}", event.summary);
    }

    fn audited(&self, act: &Act) {
        // What the schedule does is told as its run.
        if act.who == "schedule" {
            return;
        }
        tracing::info!(
            who = act.who,
            what = act.what,
            on = act.on.as_deref(),
            outcome = act.outcome,
            "audit"
        );
    }
}

fn database(run: &Run) -> Option<&str> {
    run.database.as_deref()
}
