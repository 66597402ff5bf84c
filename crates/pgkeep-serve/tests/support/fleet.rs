//! A fleet of twelve databases with two months behind it, and everything that can be wrong.
#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pgkeep_keep::retention::Policy;
use pgkeep_schedule::Schedule;
use pgkeep_serve::{
    Fleet, History, Inbox, Limits, Member, Orders, PointState, Progress, RecoveryPoint, Retries, Run, RunId,
    RunState, RunTrigger, Shared, StoreUrl, Task, TaskKind, Windows,
};

/// The backup that the fixtures' store holds.
pub const BACKUP: &str = "20261124T120912Z-c17190";
/// Days of history.
const DAYS: i64 = 60;

/// Names, and the size of a backup in MB.
const DATABASES: [(&str, f64); 12] = [
    ("shop", 1520.0),
    ("billing", 480.0),
    ("crm", 260.0),
    ("events", 5400.0),
    ("search", 890.0),
    ("auth", 34.0),
    ("warehouse", 2300.0),
    ("legacy-erp", 710.0),
    ("geo", 1900.0),
    ("wiki", 58.0),
    ("metrics", 3100.0),
    ("hr", 22.0),
];

/// All is well.
pub fn sound(store: &Path, now: Timestamp) -> (Shared, Inbox) {
    made(store, now, false, &DATABASES)
}

/// Something of everything.
pub fn troubled(store: &Path, now: Timestamp) -> (Shared, Inbox) {
    made(store, now, true, &DATABASES)
}

/// One database of this name, whose last backup failed with this error.
pub fn hostile(store: &Path, now: Timestamp, name: &str, error: &str) -> (Shared, Inbox) {
    let (shared, inbox) = made(store, now, false, &[(name, 10.0)]);
    let mut run = run(name, TaskKind::Backup, now - SignedDuration::from_mins(5), RunState::Failed, 7.0);
    (run.error, run.error_kind, run.exit_code) = (Some(error.into()), Some("connect".into()), Some(4));
    run.command = format!("pgkeep backup '{name}'");
    shared.history.put_run(&run).unwrap();
    (shared, inbox)
}

fn made(store: &Path, now: Timestamp, troubled: bool, databases: &[(&str, f64)]) -> (Shared, Inbox) {
    let history = History::in_memory().unwrap();
    let mut fleet = Fleet { limits: Limits::default(), ..Fleet::default() };
    for (i, (name, megabytes)) in databases.iter().enumerate() {
        let store = StoreUrl {
            name: "offsite".into(),
            url: store.to_str().unwrap().into(),
            retention: Policy::default(),
        };
        fleet.members.push(Member {
            name: (*name).into(),
            kept_as: (*name).into(),
            host: format!("db{}.example.com:5432", i % 3 + 1),
            stores: vec![store],
            production: i < 2,
        });
        let with_schedule = !(troubled && *name == "legacy-erp");
        fleet.tasks.extend(tasks(name, i, with_schedule));
        past(&history, name, *megabytes, i as i64, now, troubled);
    }
    let (orders, inbox) = Orders::new();
    let shared = Shared::new(history, orders, fleet, now - SignedDuration::from_hours(24 * 90));
    if troubled {
        let mut run = run(
            "warehouse",
            TaskKind::Backup,
            now - SignedDuration::from_secs(80),
            RunState::InProgress,
            0.0,
        );
        run.finished = None;
        shared.history.put_run(&run).unwrap();
        shared.live.set(
            &run.id,
            Progress {
                phase: "data".into(),
                elapsed_seconds: 80.0,
                rows: 21_400_000,
                bytes: 6_100_000_000,
                bytes_expected: 15_600_000_000,
                bytes_per_second: 76_000_000,
                tables_done: 18,
                tables: 41,
                eta_seconds: Some(125.0),
            },
        );
    }
    (shared, inbox)
}

fn tasks(name: &str, i: usize, with_schedule: bool) -> Vec<Task> {
    let times = [
        (TaskKind::Backup, Some(format!("{} 2 * * *", i * 5))),
        (TaskKind::Drill, Some(format!("0 5 * * {}", i % 7))),
        (TaskKind::Verify, None),
        (TaskKind::Prune, Some("0 7 * * *".into())),
        (TaskKind::Sync, None),
        (TaskKind::Restore, None),
    ];
    let task = |(kind, time): (TaskKind, Option<String>)| Task {
        id: format!("{name}/{}", kind.as_str()),
        kind,
        database: Some(name.into()),
        words: vec![kind.as_str().into(), name.into()],
        schedule: time.filter(|_| with_schedule).map(|t| Schedule::parse(&t, TimeZone::UTC).unwrap()),
        jitter: Duration::ZERO,
        windows: Windows {
            start: Some(Duration::from_secs(3600)),
            completion: Some(Duration::from_secs(4 * 3600)),
        },
        retries: Retries::default(),
    };
    times.into_iter().map(task).collect()
}

/// Numbers that look like chance and are always the same.
fn chance(seed: i64) -> f64 {
    let mixed = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995;
    (mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f64 / f64::from(1 << 24)
}

fn past(history: &History, name: &str, megabytes: f64, i: i64, now: Timestamp, troubled: bool) {
    let today = now.to_zoned(TimeZone::UTC).start_of_day().unwrap().timestamp();
    let mut points = Vec::new();
    for day in (0..DAYS).rev() {
        let at = today - SignedDuration::from_hours(24 * day) + SignedDuration::from_mins(120 + 5 * i);
        if at > now || (troubled && name == "search" && day < 3) {
            continue;
        }
        let luck = chance(i * 1000 + day);
        let growth = 1.0 - day as f64 * 0.004 + luck * 0.02;
        let seconds = (megabytes / 18.0 * growth * (0.9 + luck * 0.3)).max(1.0);
        let failed = (troubled && name == "billing" && day == 0) || luck > 0.97;
        let mut backup = run(
            name,
            TaskKind::Backup,
            at,
            if failed { RunState::Failed } else { RunState::Completed },
            seconds,
        );
        if failed {
            backup.exit_code = Some(4);
            backup.error_kind = Some("connect".into());
            backup.error = Some(
                "connecting to db2.example.com:5432: Connection refused (os error 111)\n  hint: is the server up, and does \
                 a firewall let this host through? `pgkeep check billing` looks closer"
                    .into(),
            );
            history.put_run(&backup).unwrap();
            continue;
        }
        let missing = troubled && name == "events" && day == 0;
        if missing {
            backup.state = RunState::Degraded;
            backup.exit_code = Some(10);
        }
        let id = if name == "shop" && day == 0 {
            BACKUP.to_owned()
        } else {
            format!("{}-{:06x}", at.strftime("%Y%m%dT%H%M%SZ"), i * 1000 + day)
        };
        backup.backup = Some(id.clone());
        history.put_run(&backup).unwrap();
        let drilled = day % 7 == 3 && !(troubled && name == "legacy-erp");
        let drill_failed = troubled && name == "crm" && day == 3;
        let drill_at = at + SignedDuration::from_hours(3);
        if drilled {
            let mut drill = run(name, TaskKind::Drill, drill_at, RunState::Completed, seconds * 1.7);
            drill.backup = Some(id.clone());
            if drill_failed {
                (drill.state, drill.exit_code) = (RunState::Failed, Some(3));
                drill.error_kind = Some("differs".into());
                drill.error = Some("table public.contacts: 2 rows differ from what was dumped\n  hint: verify the archive; take a new backup".into());
            }
            history.put_run(&drill).unwrap();
        }
        let gone = day > 30 && day % 7 != 0;
        points.push((
            gone,
            RecoveryPoint {
                name: name.into(),
                id,
                state: if day > 25 && day % 7 != 0 { PointState::Expired } else { PointState::Stored },
                started: at,
                finished: at + SignedDuration::from_secs(seconds as i64 + 1),
                size: (megabytes * growth * 1e6) as u64,
                rows: (megabytes * growth * 6100.0) as u64,
                proven: (drilled && !drill_failed).then_some(drill_at),
                drill_failed: (drilled && drill_failed).then_some(drill_at),
                held: day == 28,
                stores: if missing { vec!["offsite".into()] } else { vec!["offsite".into(), "nas".into()] },
                missing: if missing { vec!["nas".into()] } else { Vec::new() },
            },
        ));
    }
    let all: Vec<RecoveryPoint> = points.iter().map(|(_, p)| p.clone()).collect();
    history.put_points(name, &all).unwrap();
    let left: Vec<RecoveryPoint> = points.into_iter().filter(|(gone, _)| !gone).map(|(_, p)| p).collect();
    history.put_points(name, &left).unwrap();
}

/// A run that is over, or runs.
pub fn run(name: &str, kind: TaskKind, at: Timestamp, state: RunState, seconds: f64) -> Run {
    Run {
        id: RunId(format!(
            "{}-{}-{}",
            at.strftime("%Y%m%dT%H%M%SZ"),
            kind.as_str(),
            name.replace(|c: char| !c.is_ascii_alphanumeric(), "_")
        )),
        task: format!("{name}/{}", kind.as_str()),
        kind,
        database: Some(name.into()),
        trigger: RunTrigger::Schedule,
        by: None,
        scheduled: at,
        attempt: 1,
        state,
        started: Some(at + SignedDuration::from_secs(1)),
        finished: Some(at + SignedDuration::from_secs(1 + seconds as i64)),
        exit_code: Some(0),
        error_kind: None,
        error: None,
        backup: None,
        result: None,
        command: format!("pgkeep {} {name}", kind.as_str()),
        log: None,
    }
}
