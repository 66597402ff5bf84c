//! What is to be run when. Pure: time comes in, decisions go out; so years can be tried in a moment.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::outcome::{End, Outcome};
use super::retry;
use super::timetable::{Due, Timetable, later};
use crate::fleet::{Fleet, Limits, Task, TaskKind};
use crate::run::{Run, RunId, RunState, RunTrigger};

/// When another process does the work, it is looked at again after this.
const BUSY: SignedDuration = SignedDuration::from_secs(10);

/// Something to be done about a decision.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// Keep what has become of this run; `last` where no further try follows.
    Note { run: Run, last: bool },
    /// Start its process, with these words beside the task's own, see [`Task::words_with`].
    Begin { run: Run, words: Vec<String> },
    /// Stop its process.
    Stop(RunId),
    /// Keep that all times of this task up to this one are settled.
    Mark(String, Timestamp),
}

/// Why a process was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Its completion window is over.
    Window,
    /// Somebody asked for it.
    By(String),
    /// The daemon ends.
    Ending,
}

struct Waiting {
    run: Run,
    not_before: Timestamp,
    /// The windows count from here.
    since: Timestamp,
    words: Vec<String>,
}

struct Running {
    run: Run,
    since: Timestamp,
    stopped: Option<Stopped>,
}

/// The planner.
pub(crate) struct Planner {
    limits: Limits,
    table: Timetable,
    waiting: Vec<Waiting>,
    running: HashMap<RunId, Running>,
    began: Timestamp,
    ending: bool,
}

impl Planner {
    /// Begins at `now`. `mark` says up to when a task's times are settled, where that is known.
    pub(crate) fn new(fleet: &Fleet, now: Timestamp, mark: impl Fn(&Task) -> Option<Timestamp>) -> Planner {
        let mut planner = Planner {
            limits: fleet.limits,
            table: Timetable::default(),
            waiting: Vec::new(),
            running: HashMap::new(),
            began: now,
            ending: false,
        };
        planner.reload(fleet, now, mark);
        planner
    }

    /// Takes over a fleet that was read anew. What runs goes on; what waits and is no task any more goes.
    pub(crate) fn reload(
        &mut self,
        fleet: &Fleet,
        now: Timestamp,
        mark: impl Fn(&Task) -> Option<Timestamp>,
    ) -> Vec<Step> {
        self.limits = fleet.limits;
        self.table.reload(fleet, now, mark);
        let mut steps = Vec::new();
        let gone = |w: &mut Waiting| self.table.get(&w.run.task).is_none();
        for waiting in self.waiting.extract_if(.., gone) {
            let why = "the configuration has this task no more";
            steps.push(settled(waiting.run, RunState::Skipped, now, None, why.into()));
        }
        steps
    }

    /// Decides what is to be done at `now`.
    pub(crate) fn step(&mut self, now: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        if !self.ending {
            self.queue_due(now, &mut steps);
            self.close_windows(now, &mut steps);
            self.begin(now, &mut steps);
        }
        for (id, running) in &mut self.running {
            let window = self.table.get(&running.run.task).and_then(|p| p.task.windows.completion);
            if running.stopped.is_none() && window.is_some_and(|w| now >= later(running.since, w)) {
                running.stopped = Some(Stopped::Window);
                steps.push(Step::Stop(id.clone()));
            }
        }
        steps
    }

    /// When [`step`](Self::step) has something to do again, if nothing else happens.
    pub(crate) fn next_wake(&self, now: Timestamp) -> Option<Timestamp> {
        let window = |task: &str, of: fn(&Task) -> Option<Duration>| {
            self.table.get(task).and_then(|place| of(&place.task))
        };
        let due = self.table.next();
        let waiting = self.waiting.iter().filter_map(|w| match w.not_before > now {
            true => Some(w.not_before),
            false => window(&w.run.task, |t| t.windows.start).map(|start| later(w.since, start)),
        });
        let running = self.running.values().filter(|r| r.stopped.is_none()).filter_map(|r| {
            window(&r.run.task, |t| t.windows.completion).map(|window| later(r.since, window))
        });
        let all = due.into_iter().chain(waiting).filter(|_| !self.ending);
        all.chain(running).min()
    }

    /// Takes an order for a run. Nothing where there is no such task.
    pub(crate) fn order(
        &mut self,
        id: RunId,
        task: &str,
        words: Vec<String>,
        by: &str,
        now: Timestamp,
    ) -> Option<Step> {
        let place = self.table.get(task).filter(|_| !self.ending)?;
        let mut run = new_run(&place.task, id, now, RunTrigger::Manual, 1);
        run.by = Some(by.to_owned());
        run.command = command(&place.task, &words);
        self.waiting.push(Waiting { run: run.clone(), not_before: now, since: now, words });
        Some(Step::Note { run, last: false })
    }

    /// Does once more what was running when the daemon ended.
    pub(crate) fn again(&mut self, lost: &Run, now: Timestamp) -> Option<Step> {
        let place = self.table.get(&lost.task)?;
        if self.waiting.iter().any(|w| w.run.task == lost.task) {
            return None;
        }
        let mut run = new_run(&place.task, RunId::new(now), now, RunTrigger::CatchUp, 1);
        run.scheduled = lost.scheduled;
        Some(self.wait(run, now, now))
    }

    /// Stops a run: one that waits is done with, one that runs is asked to end.
    pub(crate) fn stop(&mut self, id: &RunId, by: &str, now: Timestamp) -> Vec<Step> {
        if let Some(place) = self.waiting.iter().position(|w| w.run.id == *id) {
            let run = self.waiting.swap_remove(place).run;
            let mark = self.mark_step(&run.task);
            let told = settled(run, RunState::Failed, now, Some("cancelled"), format!("stopped by {by}"));
            return std::iter::once(told).chain(mark).collect();
        }
        match self.running.get_mut(id).filter(|r| r.stopped.is_none()) {
            Some(running) => {
                running.stopped = Some(Stopped::By(by.to_owned()));
                vec![Step::Stop(id.clone())]
            }
            None => Vec::new(),
        }
    }

    /// Begins nothing more.
    pub(crate) fn end(&mut self) {
        self.ending = true;
    }

    /// Stops what still runs, since the daemon ends.
    pub(crate) fn stop_all(&mut self) -> Vec<Step> {
        let running = self.running.iter_mut().filter(|(_, r)| r.stopped.is_none());
        running
            .map(|(id, running)| {
                running.stopped = Some(Stopped::Ending);
                Step::Stop(id.clone())
            })
            .collect()
    }

    /// So many run.
    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    /// What comes of the end of a run.
    pub(crate) fn ended(&mut self, id: &RunId, outcome: Outcome, now: Timestamp) -> Vec<Step> {
        let Some(Running { mut run, since, stopped }) = self.running.remove(id) else { return Vec::new() };
        let end = match outcome {
            Outcome::Skipped(why) => return vec![settled(run, RunState::Skipped, now, None, why)],
            Outcome::Busy(why) if run.trigger == RunTrigger::Manual => End::failed("busy", why),
            Outcome::Busy(why) if !self.ending && stopped.is_none() => {
                run.started = None;
                run.error = Some(why);
                run.state = RunState::Scheduled;
                return vec![self.wait(run, now + BUSY, since)];
            }
            Outcome::Busy(why) => End::failed("busy", why),
            Outcome::Ended(end) => end,
        };
        end.note(&mut run);
        run.finished = Some(now);
        if let (Some(stopped), RunState::Failed) = (&stopped, run.state) {
            let (kind, words) = stopped.told(self.table.get(&run.task).map(|p| &p.task));
            (run.error_kind, run.error) = (Some(kind.into()), Some(words));
        }
        let again = if stopped.is_none() { self.retry(&run, since, now) } else { None };
        std::iter::once(Step::Note { last: again.is_none(), run }).chain(again).collect()
    }

    /// The task of this id.
    pub(crate) fn task(&self, id: &str) -> Option<&Task> {
        self.table.get(id).map(|place| &place.task)
    }

    /// Queues what has come due; several times of one task that have passed are one run.
    fn queue_due(&mut self, now: Timestamp, steps: &mut Vec<Step>) {
        while let Some(Due { task: id, scheduled, first }) = self.table.take(now) {
            let Some(place) = self.table.get(&id) else { break };
            let late = first < self.began;
            let trigger = if late { RunTrigger::CatchUp } else { RunTrigger::Schedule };
            let mut run = new_run(&place.task, RunId::new(now), now, trigger, 1);
            run.scheduled = scheduled;
            let retry = |w: &mut Waiting| w.run.task == id && w.run.trigger == RunTrigger::Retry;
            for waiting in self.waiting.extract_if(.., retry) {
                let why = format!("the next time of this task came first: run {}", run.id);
                steps.push(settled(waiting.run, RunState::Skipped, now, None, why));
            }
            let before =
                self.waiting.iter().find(|w| w.run.task == id && w.run.trigger != RunTrigger::Manual);
            match before.map(|w| w.run.id.clone()) {
                Some(before) => {
                    let why = format!("run {before} of this task still waits");
                    steps.push(settled(run, RunState::Skipped, now, None, why));
                }
                None => {
                    let since = if late { now } else { scheduled };
                    steps.push(self.wait(run, now, since));
                }
            }
        }
    }

    fn wait(&mut self, run: Run, not_before: Timestamp, since: Timestamp) -> Step {
        self.waiting.push(Waiting { run: run.clone(), not_before, since, words: Vec::new() });
        Step::Note { run, last: false }
    }

    /// Fails what has not begun in time.
    fn close_windows(&mut self, now: Timestamp, steps: &mut Vec<Step>) {
        let table = &self.table;
        let late = |w: &mut Waiting| {
            let windows = table.get(&w.run.task).map(|p| p.task.windows).unwrap_or_default();
            let start = windows.start.filter(|_| w.run.attempt == 1);
            [start, windows.completion].into_iter().flatten().any(|window| now >= later(w.since, window))
        };
        for waiting in self.waiting.extract_if(.., late).collect::<Vec<_>>() {
            steps.extend(self.mark_step(&waiting.run.task));
            let why = "it could not begin within its start window: other runs took all places\n  hint: give it a longer \
                       start_window, or let more run at a time with max_runs and max_runs_per_host";
            steps.push(settled(waiting.run, RunState::Failed, now, Some("start-window"), why.into()));
        }
    }

    /// Begins what may begin, the oldest first.
    fn begin(&mut self, now: Timestamp, steps: &mut Vec<Step>) {
        self.waiting.sort_by(|a, b| (a.not_before, &a.run.id).cmp(&(b.not_before, &b.run.id)));
        let mut i = 0;
        while i < self.waiting.len() && self.running.len() < self.limits.total {
            let waiting = &self.waiting[i];
            if waiting.not_before > now || !self.has_place(&waiting.run) {
                i += 1;
                continue;
            }
            let Waiting { mut run, since, words, .. } = self.waiting.remove(i);
            run.state = RunState::InProgress;
            run.started = Some(now);
            run.error = None;
            if let Some(place) = self.table.get(&run.task) {
                run.command = command(&place.task, &words);
            }
            if run.trigger != RunTrigger::Manual {
                steps.extend(self.mark_step(&run.task));
            }
            self.running.insert(run.id.clone(), Running { run: run.clone(), since, stopped: None });
            steps.push(Step::Begin { run, words });
        }
    }

    /// Whether nothing that runs is in the way of this one.
    fn has_place(&self, run: &Run) -> bool {
        let Some(place) = self.table.get(&run.task) else { return true };
        let others = || self.running.values().filter_map(|r| self.table.get(&r.run.task));
        if others().any(|other| lane(&other.task) == lane(&place.task)) {
            return false;
        }
        if run.kind != TaskKind::Backup {
            return true;
        }
        let of_host = others().filter(|o| o.task.kind == TaskKind::Backup && o.host == place.host).count();
        of_host < self.limits.per_host
    }

    fn mark_step(&self, task: &str) -> Option<Step> {
        let mark = self.table.get(task)?.mark?;
        Some(Step::Mark(task.to_owned(), mark))
    }

    /// The next try of a run that failed, if there is one.
    fn retry(&mut self, run: &Run, since: Timestamp, now: Timestamp) -> Option<Step> {
        let failed = run.state == RunState::Failed && run.trigger != RunTrigger::Manual && !self.ending;
        if !failed || !run.error_kind.as_deref().is_some_and(retry::may_pass) {
            return None;
        }
        let task = &self.table.get(&run.task)?.task;
        let not_before = later(now, retry::wait(task.retries, run.attempt, &task.id)?);
        let in_time = task.windows.completion.is_none_or(|window| not_before < later(since, window));
        let replaced = self.waiting.iter().any(|w| w.run.task == run.task);
        if !in_time || replaced {
            return None;
        }
        let mut again = new_run(task, RunId::new(now), now, RunTrigger::Retry, run.attempt + 1);
        again.scheduled = run.scheduled;
        Some(self.wait(again, not_before, since))
    }
}

impl Stopped {
    fn told(&self, task: Option<&Task>) -> (&'static str, String) {
        match self {
            Stopped::Window => {
                let window = task.and_then(|t| t.windows.completion).unwrap_or_default();
                let told = format!(
                    "it was stopped: it had not ended within its completion window of {} minutes\n  hint: give it a longer \
                     completion_window, or look what made it slow",
                    window.as_secs() / 60
                );
                ("completion-window", told)
            }
            Stopped::By(by) => ("cancelled", format!("stopped by {by}")),
            Stopped::Ending => {
                ("interrupted", "the daemon ended; it is run again when pgkeep serve starts".into())
            }
        }
    }
}

/// What never runs beside its like: two runs of a task, and two prunes, since those hold the store's lease.
fn lane(task: &Task) -> &str {
    if task.kind == TaskKind::Prune { "prune" } else { &task.id }
}

fn new_run(task: &Task, id: RunId, now: Timestamp, trigger: RunTrigger, attempt: u32) -> Run {
    Run {
        id,
        task: task.id.clone(),
        kind: task.kind,
        database: task.database.clone(),
        trigger,
        by: None,
        scheduled: now,
        attempt,
        state: RunState::Scheduled,
        started: None,
        finished: None,
        exit_code: None,
        error_kind: None,
        error: None,
        backup: None,
        result: None,
        command: command(task, &[]),
        log: None,
    }
}

/// A command as one would type it.
fn command(task: &Task, words: &[String]) -> String {
    format!("pgkeep {}", task.words_with(words).join(" "))
}

/// A run that came to its end without a process.
fn settled(mut run: Run, state: RunState, now: Timestamp, kind: Option<&str>, why: String) -> Step {
    run.state = state;
    run.finished = Some(now);
    run.error_kind = kind.map(Into::into);
    run.error = Some(why);
    Step::Note { run, last: true }
}
