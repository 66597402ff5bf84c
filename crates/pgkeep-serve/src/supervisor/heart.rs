//! The loop that brings the planner the time, orders and ends of runs, and does what it says.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use pgkeep_keep::Lease;
use sd_notify::NotifyState;

use super::daemon::DaemonOptions;
use super::events::Teller;
use super::outcome::{End, Outcome};
use super::planner::{Planner, Step};
use super::{known_name, mark_name};
use crate::error::Result;
use crate::fleet::{Fleet, FleetSource, TaskKind};
use crate::history::RunFilter;
use crate::orders::{Inbox, Order, Word};
use crate::run::{Run, RunId, RunState, RunTrigger};
use crate::runner::{Processes, Runner};
use crate::shared::Shared;
use crate::status::DaemonStatus;
use crate::survey::Surveyor;
use crate::watch::{Act, Watchers};

/// Runs and their logs are kept for so many days.
const LOG_DAYS: u32 = 30;
const RUN_DAYS: u32 = 90;
/// So long a process that was asked to end may take before it is killed.
const KILL_AFTER: Duration = Duration::from_secs(60);
/// The loop looks up at least so often, so that a clock that was set is noticed.
const LOOK_UP: Duration = Duration::from_secs(30);

/// All that the loop has.
pub(super) struct Heart<'w> {
    options: DaemonOptions,
    source: Box<dyn FleetSource>,
    shared: Arc<Shared>,
    runner: Runner,
    surveyor: Surveyor,
    watchers: &'w Watchers,
    planner: Planner,
    teller: Teller,
    processes: Processes,
    /// Runs that other daemons are asked about, with their words; `true` where one is to be stopped meanwhile.
    preparing: HashMap<RunId, (Run, Vec<String>, bool)>,
    /// Whether it ends.
    ending: Option<Ending>,
}

#[derive(Clone, Copy)]
struct Ending {
    stop_at: Instant,
    stopped: bool,
}

impl<'w> Heart<'w> {
    /// With what the history says of tasks and of their last runs.
    pub(super) fn new(
        options: DaemonOptions,
        source: Box<dyn FleetSource>,
        shared: Arc<Shared>,
        runner: Runner,
        surveyor: Surveyor,
        watchers: &'w Watchers,
        now: Timestamp,
    ) -> Result<Heart<'w>> {
        Ok(Heart {
            planner: Planner::new(&shared.fleet(), now, |task| shared.history.settled(task).ok().flatten()),
            teller: Teller::new(&shared.history.last_runs()?),
            options,
            source,
            shared,
            runner,
            surveyor,
            watchers,
            processes: Processes::default(),
            preparing: HashMap::new(),
            ending: None,
        })
    }

    /// Tells of runs that a daemon before this one left, and does them again.
    pub(super) fn recover(&mut self, now: Timestamp) -> Result<()> {
        let mut again = Vec::new();
        for mut run in self.shared.history.runs(&RunFilter { over: Some(false), ..RunFilter::default() })? {
            let ran = run.state == RunState::InProgress;
            run.finished = Some(now);
            run.state = if ran { RunState::Failed } else { RunState::Skipped };
            run.error_kind = ran.then(|| "lost".to_owned());
            run.error = Some(match ran {
                true => "the daemon ended without a word while it ran; nothing is left of it".into(),
                false => "the daemon ended before it began".to_owned(),
            });
            self.shared.history.put_run(&run)?;
            self.watchers.each(|w| w.run_ended(&run));
            again.extend(Some(run).filter(|_| ran));
        }
        let interrupted = |r: &Run| r.error_kind.as_deref() == Some("interrupted");
        again.extend(self.shared.history.last_runs()?.into_iter().filter(interrupted));
        self.know_tasks(now)?;
        let mut steps = self.planner.step(now);
        let scheduled = again.iter().filter(|run| run.trigger != RunTrigger::Manual);
        steps.extend(scheduled.filter_map(|run| self.planner.again(run, now)).collect::<Vec<_>>());
        self.take(steps, now);
        Ok(())
    }

    fn know_tasks(&self, now: Timestamp) -> Result<()> {
        for task in &self.shared.fleet().tasks {
            let name = known_name(&task.id);
            if self.shared.history.mark(&name)?.is_none() {
                self.shared.history.set_mark(&name, now)?;
            }
        }
        Ok(())
    }

    /// Goes on until it is told to end, and nothing runs any more.
    pub(super) fn beat_on(&mut self, inbox: &Inbox, heard: Vec<Word>) {
        for word in heard {
            self.hear(word);
        }
        let mut survey_at = Instant::now() + self.options.survey_every;
        let mut sweep_at = Instant::now();
        loop {
            beat();
            let now = Timestamp::now();
            let steps = self.planner.step(now);
            self.take(steps, now);
            if let Some(ending) = self.ending {
                if self.planner.running() == 0 {
                    break;
                }
                self.end_runs(ending, now);
            }
            self.processes.kill_unheeding(KILL_AFTER);
            if Instant::now() >= survey_at {
                survey_at = Instant::now() + self.options.survey_every;
                self.surveyor.all();
            }
            if Instant::now() >= sweep_at {
                sweep_at = Instant::now() + Duration::from_secs(24 * 3600);
                self.runner.forget_logs(LOG_DAYS);
                let oldest = now.saturating_sub(SignedDuration::from_hours(24 * i64::from(RUN_DAYS)));
                let (history, oldest) = (&self.shared.history, oldest.unwrap_or(Timestamp::MIN));
                self.keep(history.forget_runs(oldest).and_then(|_| history.forget_points(oldest)).map(drop));
            }
            self.keep(self.shared.history.put_back());
            self.write_status(now);
            // The first word may take a while; those that have come meanwhile are taken with it.
            let mut word = inbox.hear(self.rest(now));
            while let Some(heard) = word {
                self.hear(heard);
                word = inbox.hear(Duration::ZERO);
            }
        }
        notify(&[NotifyState::Stopping]);
        self.write_status(Timestamp::now());
        act(self.watchers, "daemon", "end", None, "ended");
    }

    /// How long nothing happens by itself.
    fn rest(&self, now: Timestamp) -> Duration {
        let most = if self.planner.running() > 0 { Duration::from_secs(1) } else { LOOK_UP };
        let wake = self.planner.next_wake(now).map(|at| at.duration_since(now));
        wake.map_or(most, |wake| Duration::try_from(wake).unwrap_or(Duration::ZERO).min(most))
    }

    fn hear(&mut self, word: Word) {
        let now = Timestamp::now();
        match word {
            Word::Order(order) => self.obey(order, now),
            Word::Cleared(id, answer) => self.cleared(&id, answer, now),
            Word::Ended(id, outcome) => self.ended(&id, outcome, now),
            Word::Surveyed => {
                let done = self.surveyed(now);
                self.keep(done);
            }
        }
    }

    fn obey(&mut self, order: Order, now: Timestamp) {
        match order {
            Order::Run { run, task, words, by } => {
                let queued = self.planner.order(run, &task, words, &by, now);
                let outcome = if queued.is_some() { "queued" } else { "there is no such task" };
                act(self.watchers, &by, "run", Some(task), outcome);
                self.take(queued.into_iter().collect(), now);
            }
            Order::Stop { run, by } => {
                let steps = self.planner.stop(&run, &by, now);
                let outcome = if steps.is_empty() { "it does not run" } else { "told to stop" };
                act(self.watchers, &by, "stop", Some(run.0), outcome);
                self.take(steps, now);
            }
            Order::Reload { by } => self.reload(&by, now),
            Order::End => {
                let grace = self.options.stop_grace;
                // Asked for a second time, it does not wait any longer.
                let stop_at = Instant::now() + if self.ending.is_some() { Duration::ZERO } else { grace };
                let stopped = self.ending.is_some_and(|e| e.stopped);
                self.ending = Some(Ending { stop_at, stopped });
                self.planner.end();
                notify(&[NotifyState::Stopping]);
            }
        }
    }

    fn reload(&mut self, by: &str, now: Timestamp) {
        notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now().unwrap_or(NotifyState::Ready)]);
        let loaded = self.source.load();
        let wrong = loaded.as_ref().err().map(ToString::to_string);
        if let Some(event) = self.teller.reloaded(wrong.as_deref(), now) {
            self.watchers.each(|w| w.happened(&event));
        }
        let outcome = match loaded {
            Ok(fleet) => {
                self.shared.set_problem("configuration", None);
                let told = format!("{} databases, {} tasks", fleet.members.len(), fleet.tasks.len());
                self.shared.set_fleet(fleet);
                let shared = self.shared.clone();
                let steps =
                    self.planner.reload(&shared.fleet(), now, |t| shared.history.settled(t).ok().flatten());
                self.take(steps, now);
                self.keep(self.know_tasks(now));
                self.surveyor.all();
                told
            }
            Err(e) => {
                let problem = format!("the configuration could not be read anew, the one before counts: {e}");
                self.shared.set_problem("configuration", Some(problem.clone()));
                problem
            }
        };
        notify(&[NotifyState::Ready]);
        act(self.watchers, by, "reload", None, &outcome);
    }

    /// Does what the planner says.
    fn take(&mut self, steps: Vec<Step>, now: Timestamp) {
        for step in steps {
            match step {
                Step::Note { run, last } => self.note(&self.with_log(run), last, now),
                Step::Mark(task, at) => self.keep(self.shared.history.set_mark(&mark_name(&task), at)),
                Step::Begin { run, words } => {
                    let run = self.with_log(run);
                    self.keep(self.shared.history.put_run(&run));
                    let fleet = self.shared.fleet();
                    // What is for all databases is noted where the first one's backups are.
                    let member = match &run.database {
                        Some(name) => fleet.members.iter().find(|m| m.name == *name),
                        None => fleet.members.first(),
                    };
                    self.runner.clear(&run, member);
                    self.preparing.insert(run.id.clone(), (run, words, false));
                }
                Step::Stop(id) => match self.preparing.get_mut(&id) {
                    Some((_, _, stop)) => *stop = true,
                    None => self.processes.stop(&id),
                },
            }
        }
    }

    /// A run that has begun has a log.
    fn with_log(&self, mut run: Run) -> Run {
        run.log = run.started.map(|_| self.runner.log_of(&run.id).display().to_string());
        run
    }

    /// State that can't be written is a problem to be told, and no reason to leave databases without backups.
    fn keep(&self, done: Result<()>) {
        if let Err(e) = done {
            self.shared.set_problem("state", Some(e.to_string()));
        }
    }

    /// Keeps what has become of a run, and tells of it.
    fn note(&mut self, run: &Run, last: bool, now: Timestamp) {
        self.keep(self.shared.history.put_run(run));
        if !run.state.is_over() {
            return;
        }
        self.watchers.each(|w| w.run_ended(run));
        if run.state != RunState::Skipped {
            let who = run.by.as_deref().unwrap_or("schedule");
            act(self.watchers, who, run.kind.as_str(), run.database.clone(), run.state.as_str());
        }
        if let Some(event) = self.teller.ended(run, now).filter(|_| last) {
            self.watchers.each(|w| w.happened(&event));
        }
    }

    /// A run may begin, or need not.
    fn cleared(&mut self, id: &RunId, answer: Result<Option<Lease>, Outcome>, now: Timestamp) {
        let Some((run, words, stop)) = self.preparing.remove(id) else { return };
        match answer {
            Ok(_) if stop => self.ended(id, Outcome::Ended(End::failed("cancelled", "stopped".into())), now),
            Ok(lease) => {
                let words = self.planner.task(&run.task).map(|t| t.words_with(&words)).unwrap_or_default();
                self.watchers.each(|w| w.run_began(&run));
                let event = self.teller.began(&run, now);
                self.watchers.each(|w| w.happened(&event));
                self.runner.start(&run, &words, lease, &mut self.processes);
            }
            Err(outcome) => self.ended(id, outcome, now),
        }
    }

    fn ended(&mut self, id: &RunId, outcome: Outcome, now: Timestamp) {
        self.processes.ended(id);
        let steps = self.planner.ended(id, outcome, now);
        let about = steps.iter().find_map(|step| match step {
            Step::Note { run, .. } if run.id == *id && run.state.is_over() => Some(run.database.clone()),
            _ => None,
        });
        self.take(steps, now);
        match about {
            Some(Some(database)) => self.surveyor.database(&database),
            Some(None) => self.surveyor.all(),
            None => {}
        }
    }

    /// Looks whether backups come as they should.
    fn surveyed(&mut self, now: Timestamp) -> Result<()> {
        let fleet: Arc<Fleet> = self.shared.fleet();
        for task in fleet.tasks.iter().filter(|t| t.kind == TaskKind::Backup) {
            let Some(database) = &task.database else { continue };
            let since = self.shared.history.overdue(task, now)?;
            let newest = self.shared.history.newest_point(database)?;
            if let Some(event) = self.teller.overdue(database, &task.id, since, newest, now) {
                self.watchers.each(|w| w.happened(&event));
            }
        }
        Ok(())
    }

    /// Stops what runs when its grace is over.
    fn end_runs(&mut self, ending: Ending, now: Timestamp) {
        if !ending.stopped && Instant::now() >= ending.stop_at {
            self.ending = Some(Ending { stopped: true, ..ending });
            let steps = self.planner.stop_all();
            self.take(steps, now);
        }
    }

    fn write_status(&self, now: Timestamp) {
        let status = DaemonStatus {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            began: self.shared.began,
            at: now,
            problems: self.shared.problems(),
            live: self.shared.live.all(),
        };
        // `pgkeep status` shows less then, and nothing else comes of it.
        let _ = status.write(&self.options.state);
    }
}

/// Notes who did what.
pub(super) fn act(watchers: &Watchers, who: &str, what: &str, on: Option<String>, outcome: &str) {
    let act = Act { at: Timestamp::now(), who: who.into(), what: what.into(), on, outcome: outcome.into() };
    watchers.each(|w| w.audited(&act));
}

/// Tells systemd, where there is one that listens.
pub(super) fn notify(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}

/// A sign of life for systemd.
pub(super) fn beat() {
    notify(&[NotifyState::Watchdog]);
}
