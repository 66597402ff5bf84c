//! The planner with a clock of its own and runs that take time and fail: years in a moment.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pgkeep_schedule::Schedule;

use super::outcome::{End, Outcome};
use super::planner::{Planner, Step};
use crate::fleet::{Fleet, Limits, Member, Retries, Task, TaskKind, Windows};
use crate::run::{Run, RunId, RunState, RunTrigger};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// A backup task of a database of this name.
pub(super) fn task(database: &str, schedule: Option<Schedule>) -> Task {
    Task {
        id: format!("{database}/backup"),
        kind: TaskKind::Backup,
        database: Some(database.to_owned()),
        words: vec!["backup".into(), database.into()],
        schedule,
        jitter: Duration::ZERO,
        windows: Windows::default(),
        retries: Retries { count: 0, ..Retries::default() },
    }
}

fn scheduled(database: &str, text: &str, zone: &str) -> Task {
    task(database, Some(Schedule::parse(text, TimeZone::get(zone).unwrap()).unwrap()))
}

fn fleet(tasks: Vec<Task>, limits: Limits) -> Arc<Fleet> {
    let member = |t: &Task| Member {
        name: t.database.clone().unwrap(),
        kept_as: t.database.clone().unwrap(),
        host: "db:5432".into(),
        stores: Vec::new(),
        production: false,
    };
    Arc::new(Fleet { members: tasks.iter().map(member).collect(), tasks, limits })
}

fn wide() -> Limits {
    Limits { total: 1000, per_host: 1000 }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// How a run goes: how long it takes, and how it ends.
type Going = dyn Fn(&Run) -> (SignedDuration, Outcome);

fn completed() -> Outcome {
    Outcome::Ended(End { exit_code: Some(0), ..End::default() })
}

fn failed(kind: &str) -> Outcome {
    Outcome::Ended(End { exit_code: Some(4), ..End::failed(kind, "no".into()) })
}

/// A world in which nothing happens but runs.
struct World {
    planner: Planner,
    now: Timestamp,
    /// Runs by when they end.
    ends: BTreeMap<(Timestamp, RunId), Outcome>,
    /// The last word of each run.
    runs: BTreeMap<RunId, Run>,
    marks: HashMap<String, Timestamp>,
    most_at_once: usize,
}

impl World {
    fn new(fleet: Arc<Fleet>, now: Timestamp) -> World {
        World::with_marks(fleet, now, HashMap::new())
    }

    fn with_marks(fleet: Arc<Fleet>, now: Timestamp, marks: HashMap<String, Timestamp>) -> World {
        let planner = Planner::new(&fleet, now, |t| marks.get(&t.id).copied());
        World { planner, now, ends: BTreeMap::new(), runs: BTreeMap::new(), marks, most_at_once: 0 }
    }

    /// Goes on until a time.
    fn until(&mut self, end: Timestamp, going: &Going) {
        loop {
            let steps = self.planner.step(self.now);
            self.take(steps, going);
            let next_end = self.ends.keys().next().map(|(at, _)| *at);
            let wake = self.planner.next_wake(self.now).into_iter().chain(next_end).min();
            let Some(wake) = wake.filter(|wake| *wake <= end) else {
                self.now = end;
                return;
            };
            assert!(wake >= self.now || next_end != Some(wake), "time goes on");
            self.now = self.now.max(wake);
            while let Some(first) = self.ends.first_entry().filter(|e| e.key().0 <= self.now) {
                let ((_, id), outcome) = first.remove_entry();
                let steps = self.planner.ended(&id, outcome, self.now);
                self.take(steps, going);
            }
        }
    }

    fn take(&mut self, steps: Vec<Step>, going: &Going) {
        for step in steps {
            match step {
                Step::Note { run, .. } => {
                    self.runs.insert(run.id.clone(), run);
                }
                Step::Mark(task, at) => {
                    self.marks.insert(task, at);
                }
                Step::Begin { run, .. } => {
                    let (takes, outcome) = going(&run);
                    self.ends.insert((self.now + takes, run.id.clone()), outcome);
                    self.runs.insert(run.id.clone(), run);
                    self.most_at_once = self.most_at_once.max(self.ends.len());
                }
                // It heeds at once.
                Step::Stop(id) => {
                    let found = self.ends.keys().find(|(_, run)| *run == id).cloned().unwrap();
                    self.ends.remove(&found);
                    let end = End { exit_code: Some(130), ..End::failed("cancelled", "stopped".into()) };
                    self.ends.insert((self.now, id), Outcome::Ended(end));
                }
            }
        }
    }

    /// Scheduled times and states of the runs of a task, in their order.
    fn of(&self, task: &str) -> Vec<(Timestamp, RunState, RunTrigger)> {
        let runs = self.runs.values().filter(|r| r.task == task);
        let mut runs: Vec<_> = runs.map(|r| (r.scheduled, r.state, r.trigger)).collect();
        runs.sort_by_key(|r| r.0);
        runs
    }

    fn state(&self, task: &str, state: RunState) -> Vec<Timestamp> {
        self.of(task).into_iter().filter(|r| r.1 == state).map(|r| r.0).collect()
    }
}

/// Every time of a schedule between two times.
fn times(schedule: &Schedule, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let times = std::iter::successors(schedule.next_after(from), |t| schedule.next_after(*t));
    times.take_while(|t| *t <= to).collect()
}

#[test]
fn through_three_years_each_scheduled_time_is_run_exactly_once() {
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2029-01-01T00:00:00Z"));
    let tasks = vec![
        scheduled("berlin", "30 2 * * *", "Europe/Berlin"),
        scheduled("new_york", "cron(15 1,2 ? * MON-FRI *)", "America/New_York"),
        scheduled("lord_howe", "cron(0/30 1-3 * * ? *)", "Australia/Lord_Howe"),
        scheduled("hourly", "@hourly", "Europe/Berlin"),
        scheduled("months", "cron(0 5 L * ? *)", "UTC"),
    ];
    let mut world = World::new(fleet(tasks.clone(), wide()), from);
    world.until(to, &|_| (MINUTE * 20, completed()));
    for task in &tasks {
        let expected = times(task.schedule.as_ref().unwrap(), from, to - MINUTE * 30);
        let done: Vec<_> = world.state(&task.id, RunState::Completed);
        assert_eq!(done[..expected.len()], expected, "{}", task.id);
        assert!(world.of(&task.id).iter().all(|r| r.2 == RunTrigger::Schedule));
    }
    assert_eq!(world.state("berlin/backup", RunState::Completed).len(), 1096);
}

#[test]
fn after_a_downtime_the_missed_times_are_caught_up_once() {
    let daily = scheduled("shop", "0 2 * * *", "UTC");
    let fleet = fleet(vec![daily, scheduled("rate", "rate(6 hours)", "UTC")], wide());
    let mut world = World::new(fleet.clone(), at("2026-11-01T00:00:00Z"));
    world.until(at("2026-11-03T12:00:00Z"), &|_| (MINUTE, completed()));
    assert_eq!(world.state("shop/backup", RunState::Completed).len(), 3);
    let mut world = World::with_marks(fleet, at("2026-11-20T09:10:00Z"), world.marks);
    world.until(at("2026-11-21T09:00:00Z"), &|_| (MINUTE, completed()));
    assert_eq!(
        world.of("shop/backup"),
        [
            (at("2026-11-20T02:00:00Z"), RunState::Completed, RunTrigger::CatchUp),
            (at("2026-11-21T02:00:00Z"), RunState::Completed, RunTrigger::Schedule),
        ]
    );
    let rate: Vec<_> = world.of("rate/backup").into_iter().map(|r| (r.0, r.2)).collect();
    assert_eq!(rate[0], (at("2026-11-20T06:00:00Z"), RunTrigger::CatchUp), "it stays where it was anchored");
    assert_eq!(rate[1], (at("2026-11-20T12:00:00Z"), RunTrigger::Schedule));
}

#[test]
fn a_rate_begins_at_once_unless_a_backup_is_younger_than_it() {
    let now = at("2026-11-24T12:07:00Z");
    let fleet = fleet(vec![scheduled("shop", "rate(3 hours)", "UTC")], wide());
    let mut world = World::new(fleet.clone(), now);
    world.until(now + MINUTE * 200, &|_| (MINUTE, completed()));
    assert_eq!(world.state("shop/backup", RunState::Completed), [now, now + MINUTE * 180]);
    let marks = HashMap::from([("shop/backup".to_owned(), now - MINUTE * 60)]);
    let mut world = World::with_marks(fleet, now, marks);
    world.until(now + MINUTE * 200, &|_| (MINUTE, completed()));
    assert_eq!(world.state("shop/backup", RunState::Completed), [now + MINUTE * 120]);
}

#[test]
fn a_failure_that_may_pass_is_tried_again_with_growing_waits_and_another_is_not() {
    let mut flaky = scheduled("shop", "0 2 * * *", "UTC");
    flaky.retries = Retries { count: 3, ..Retries::default() };
    let mut wrong = flaky.clone();
    (wrong.id, wrong.database) = ("wrong/backup".into(), Some("wrong".into()));
    let fleet = fleet(vec![flaky, wrong], wide());
    let mut world = World::new(fleet, at("2026-11-24T00:00:00Z"));
    world.until(at("2026-11-24T12:00:00Z"), &|run| match (run.task.as_str(), run.attempt) {
        ("shop/backup", 1..=3) => (MINUTE, failed("connection-lost")),
        ("shop/backup", _) => (MINUTE, completed()),
        _ => (MINUTE, failed("authentication")),
    });
    let runs: Vec<&Run> = world.runs.values().filter(|r| r.task == "shop/backup").collect();
    let mut begun: Vec<(u32, Timestamp)> = runs.iter().map(|r| (r.attempt, r.started.unwrap())).collect();
    begun.sort_unstable();
    assert_eq!(begun.len(), 4, "{begun:?}");
    let waits: Vec<i64> =
        begun.windows(2).map(|two| two[1].1.duration_since(two[0].1).as_secs() - 60).collect();
    for (wait, least) in waits.iter().zip([60, 120, 240]) {
        assert!((least..=least * 5 / 4).contains(wait), "{waits:?}");
    }
    assert!(runs.iter().all(|r| r.scheduled == at("2026-11-24T02:00:00Z")));
    assert_eq!(world.of("wrong/backup").len(), 1);
}

#[test]
fn the_next_time_takes_the_place_of_a_retry_that_waits() {
    let mut flaky = scheduled("shop", "rate(10 minutes)", "UTC");
    flaky.retries = Retries { count: 9, first_wait: Duration::from_secs(3600), ..Retries::default() };
    let start = at("2026-11-24T00:00:00Z");
    let mut world = World::new(fleet(vec![flaky], wide()), start);
    world.until(start + MINUTE * 60, &|_| (MINUTE, failed("store")));
    assert_eq!(world.state("shop/backup", RunState::Failed).len(), 6);
    assert_eq!(world.state("shop/backup", RunState::Skipped).len(), 6, "the retries");
}

#[test]
fn what_cannot_begin_in_its_start_window_fails_and_says_so() {
    let tasks: Vec<Task> = (0..4)
        .map(|i| {
            let mut task = scheduled(&format!("db{i}"), "0 2 * * *", "UTC");
            task.windows.start = Some(Duration::from_secs(50 * 60));
            task
        })
        .collect();
    let mut world = World::new(fleet(tasks, Limits { total: 1, per_host: 1 }), at("2026-11-24T00:00:00Z"));
    world.until(at("2026-11-24T12:00:00Z"), &|_| (MINUTE * 30, completed()));
    let of = |state| world.runs.values().filter(|r| r.state == state).collect::<Vec<_>>();
    assert_eq!((of(RunState::Completed).len(), of(RunState::Failed).len()), (2, 2));
    for run in of(RunState::Failed) {
        assert_eq!(run.error_kind.as_deref(), Some("start-window"));
        assert_eq!(run.finished, Some(at("2026-11-24T02:50:00Z")));
    }
    assert_eq!(world.marks.len(), 4, "none is caught up later");
}

#[test]
fn what_does_not_end_in_its_completion_window_is_stopped_and_fails() {
    let mut slow = scheduled("shop", "0 2 * * *", "UTC");
    slow.windows.completion = Some(Duration::from_secs(3600));
    slow.retries.count = 3;
    let mut world = World::new(fleet(vec![slow], wide()), at("2026-11-24T00:00:00Z"));
    world.until(at("2026-11-24T12:00:00Z"), &|_| (MINUTE * 300, completed()));
    let run = world.runs.values().next().unwrap();
    assert_eq!((run.state, run.error_kind.as_deref()), (RunState::Failed, Some("completion-window")));
    assert_eq!(run.finished, Some(at("2026-11-24T03:00:00Z")));
    assert_eq!(world.runs.len(), 1);
}

#[test]
fn no_two_runs_of_a_database_overlap_and_times_that_pass_meanwhile_are_one_run() {
    let start = at("2026-11-24T00:00:00Z");
    let mut world = World::new(fleet(vec![scheduled("shop", "rate(10 minutes)", "UTC")], wide()), start);
    world.until(start + MINUTE * 120, &|_| (MINUTE * 35, completed()));
    assert_eq!(world.most_at_once, 1);
    // Of 13 times 4 were run; the others say that they were not and why.
    let (done, skipped) =
        (world.state("shop/backup", RunState::Completed), world.state("shop/backup", RunState::Skipped));
    assert_eq!(done.len(), 3);
    assert_eq!(world.of("shop/backup").len(), 13);
    assert!(skipped.len() >= 7, "{skipped:?}");
}

#[test]
fn no_more_runs_at_a_time_than_the_limits_say_and_all_come_to_their_turn() {
    let tasks: Vec<Task> = (0..40).map(|i| scheduled(&format!("db{i}"), "@daily", "UTC")).collect();
    for (limits, most) in [(Limits { total: 5, per_host: 9 }, 5), (Limits { total: 9, per_host: 3 }, 3)] {
        let mut world = World::new(fleet(tasks.clone(), limits), at("2026-11-23T12:00:00Z"));
        world.until(at("2026-11-24T12:00:00Z"), &|_| (MINUTE * 10, completed()));
        assert_eq!(world.most_at_once, most);
        assert!(world.runs.values().all(|r| r.state == RunState::Completed));
        assert_eq!(world.runs.len(), 40);
    }
}

#[test]
fn a_reload_loses_no_time_and_runs_none_twice() {
    let (start, end) = (at("2026-03-01T00:00:00Z"), at("2026-04-30T23:59:00Z"));
    let fleet = fleet(vec![scheduled("shop", "30 2 * * *", "Europe/Berlin")], wide());
    let mut world = World::new(fleet.clone(), start);
    let mut now = start;
    while now < end {
        now += MINUTE * 7;
        world.until(now, &|_| (MINUTE * 20, completed()));
        world.planner.reload(&fleet, now, |_| panic!("it is known"));
    }
    let expected = times(fleet.tasks[0].schedule.as_ref().unwrap(), start, end);
    assert_eq!(world.state("shop/backup", RunState::Completed), expected);
}

#[test]
fn a_new_schedule_counts_from_now_and_a_task_that_is_gone_waits_no_more() {
    let start = at("2026-11-24T00:00:00Z");
    let of = |text: &str| fleet(vec![scheduled("shop", text, "UTC")], Limits { total: 1, per_host: 1 });
    let mut world = World::new(of("0 23 * * *"), start);
    world.until(start + MINUTE * 60 * 12, &|_| (MINUTE, completed()));
    world.planner.reload(&of("0 6 * * *"), world.now, |_| None);
    world.until(start + MINUTE * 60 * 36, &|_| (MINUTE, completed()));
    assert_eq!(world.state("shop/backup", RunState::Completed), [at("2026-11-25T06:00:00Z")]);

    let two = fleet(
        vec![scheduled("a", "@daily", "UTC"), scheduled("b", "@daily", "UTC")],
        Limits { total: 1, per_host: 1 },
    );
    let mut world = World::new(two, at("2026-11-24T23:00:00Z"));
    world.until(at("2026-11-25T00:05:00Z"), &|_| (MINUTE * 30, completed()));
    let steps = world.planner.reload(&fleet(Vec::new(), wide()), world.now, |_| None);
    assert!(matches!(&steps[..], [Step::Note { run, .. }] if run.state == RunState::Skipped), "{steps:?}");
    assert_eq!(world.planner.running(), 1, "what runs goes on");
}

#[test]
fn what_another_daemon_does_is_looked_at_again_and_what_it_has_done_is_skipped() {
    let fleet = fleet(vec![scheduled("shop", "0 2 * * *", "UTC")], wide());
    let mut world = World::new(fleet, at("2026-11-24T00:00:00Z"));
    world.until(at("2026-11-24T12:00:00Z"), &|run| {
        let at_two = run.started.unwrap().duration_since(run.scheduled) < MINUTE * 3;
        let busy = Outcome::Busy("process 7 has it".into());
        (SignedDuration::ZERO, if at_two { busy } else { Outcome::Skipped("done".into()) })
    });
    let runs = world.of("shop/backup");
    assert_eq!(runs, [(at("2026-11-24T02:00:00Z"), RunState::Skipped, RunTrigger::Schedule)]);
}

#[test]
fn an_order_runs_beside_the_schedule_and_can_be_stopped() {
    let start = at("2026-11-24T00:00:00Z");
    let mut world = World::new(fleet(vec![scheduled("shop", "0 2 * * *", "UTC")], wide()), start);
    let order = |world: &mut World, id: &str| {
        world.planner.order(RunId(id.into()), "shop/backup", vec!["--x".into()], "ada", start)
    };
    let Some(Step::Note { run, .. }) = order(&mut world, "one") else { panic!("no run") };
    assert_eq!((run.command.as_str(), run.by.as_deref()), ("pgkeep backup shop --x", Some("ada")));
    assert!(world.planner.order(RunId("x".into()), "other", Vec::new(), "ada", start).is_none());
    order(&mut world, "two").unwrap();
    world.until(start + MINUTE, &|_| (MINUTE * 30, completed()));
    let steps = world.planner.stop(&RunId("two".into()), "ada", world.now);
    assert!(matches!(&steps[0], Step::Note { run, .. } if run.error.as_deref() == Some("stopped by ada")));
    let steps = world.planner.stop(&RunId("one".into()), "ada", world.now);
    world.take(steps, &|_| (MINUTE, completed()));
    world.until(start + MINUTE * 180, &|_| (MINUTE, completed()));
    assert_eq!(world.runs[&RunId("one".into())].error_kind.as_deref(), Some("cancelled"));
    assert_eq!(world.state("shop/backup", RunState::Completed), [at("2026-11-24T02:00:00Z")]);
}

#[test]
fn a_month_of_a_hundred_databases_keeps_its_times() {
    let tasks: Vec<Task> = (0..100)
        .map(|i| {
            let mut task = scheduled(&format!("db{i}"), "0 */6 * * *", "Europe/Berlin");
            task.jitter = pgkeep_schedule::jitter(&task.id, Duration::from_secs(3600));
            task.retries.count = 3;
            task
        })
        .collect();
    let (from, to) = (at("2026-10-01T00:00:00Z"), at("2026-11-01T00:00:00Z"));
    let mut world = World::new(fleet(tasks.clone(), Limits { total: 2, per_host: 2 }), from);
    // Each run takes from 10 to 40 seconds; one in fifty loses its connection the first time.
    world.until(to, &|run| {
        let by = u64::try_from(run.scheduled.as_second()).unwrap() + run.task.len() as u64;
        let takes = SignedDuration::from_secs(10 + (by % 30) as i64);
        let flaky = run.attempt == 1
            && pgkeep_schedule::jitter(&format!("{}{by}", run.task), Duration::from_secs(50)).as_secs() == 0;
        (takes, if flaky { failed("connection-lost") } else { completed() })
    });
    for task in &tasks {
        let base = times(task.schedule.as_ref().unwrap(), from, to - MINUTE * 60 - MINUTE * 30);
        let done = world.state(&task.id, RunState::Completed);
        let expected: Vec<_> = base.into_iter().map(|t| t + task.jitter).collect();
        assert_eq!(done[..expected.len()], expected, "{}", task.id);
    }
    let latest = world.runs.values().filter(|r| r.attempt == 1 && r.started.is_some());
    let lag = latest.map(|r| r.started.unwrap().duration_since(r.scheduled)).max().unwrap();
    assert!(lag < MINUTE * 30, "{lag}");
}
