//! Daemons that share a store: what one does the other does not do once more.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;
mod serve_support;

use std::process::Command;

use failures_support::data::{noise, wait_for_reading};
use failures_support::program::{Running, run};
use failures_support::wait_until;
use pgkeep_serve::{History, Run, RunFilter, RunState};
use pgkeep_testbed::{S3, Server};
use serve_support::{Home, entry, hourly, slow};

/// All runs that a daemon with this state knows, by their tasks.
fn runs(home: &Home, state: &str) -> Vec<Run> {
    let history = History::read(&home.path(state).join("state.sqlite")).ok();
    let mut runs = history.and_then(|h| h.runs(&RunFilter::default()).ok()).unwrap_or_default();
    runs.sort_by(|a, b| a.task.cmp(&b.task));
    runs
}

#[test]
fn two_daemons_on_one_bucket_check_and_copy_once() {
    let database = noise(&Server::major(17), 1_000);
    let (main, offsite) = (S3::from_env().create_bucket("together"), S3::from_env().create_bucket("offsite"));
    let home = Home::new(&format!(
        "verify_schedule = '@monthly'\nsync_schedule = '@monthly'\n\
         [stores.main]\nurl = '{}'\n[stores.offsite]\nurl = '{}'\n{}",
        main.url("pg"),
        offsite.url("pg"),
        entry("shop", &database.url(), "store = ['main', 'offsite']")
    ));
    let with_rights = |mut command: Command| {
        command.envs(main.credentials());
        command
    };
    run(with_rights(home.command(&["backup", "shop", "--store", "main"]))).ok();
    let states = ["one", "other"];
    let daemons = states.map(|state| {
        home.forget(state, "shop/verify");
        home.forget(state, "sync");
        let folder = home.path(state);
        Running::start(&mut with_rights(home.command(&["serve", "--state", folder.to_str().unwrap()])))
    });
    let all = || states.map(|state| runs(&home, state)).concat();
    wait_until("each daemon has settled both tasks", || {
        let runs = all();
        runs.len() == 4 && runs.iter().all(|run| run.state.is_over())
    });
    for task in ["shop/verify", "sync"] {
        let of_task: Vec<Run> = all().into_iter().filter(|run| run.task == task).collect();
        let count = |state: RunState| of_task.iter().filter(|run| run.state == state).count();
        assert_eq!((count(RunState::Completed), count(RunState::Skipped)), (1, 1), "{of_task:#?}");
        let skipped = of_task.iter().find(|run| run.state == RunState::Skipped).unwrap();
        assert!(skipped.error.as_deref().unwrap().contains("another pgkeep did it"), "{skipped:?}");
    }
    let manifests = offsite.keys().into_iter().filter(|key| key.ends_with(".manifest.json")).count();
    assert_eq!(manifests, 1);
    for daemon in daemons {
        daemon.signal("TERM");
        daemon.wait();
    }
    let leases: Vec<String> = main.keys().into_iter().filter(|key| key.ends_with(".lease.json")).collect();
    assert_eq!(leases, [""; 0]);
}

#[test]
fn a_daemon_waits_for_a_backup_that_somebody_makes_by_hand() {
    let (database, proxy) = slow();
    let home = Home::new(&hourly("shop", &database.url_via(proxy.port())));
    let by_hand = Running::start(&mut home.command(&["backup", "shop"]));
    wait_for_reading(&database);
    let _daemon = home.serve(&[]);
    let why = || home.runs("shop/backup").pop().and_then(|run| run.error).unwrap_or_default();
    wait_until("it has seen the other", || {
        why().contains(&format!("is being made by process {}", by_hand.pid()))
    });
    assert_eq!(home.backups("shop").len(), 0);
    proxy.throttle(0);
    by_hand.wait().ok();
    // What was begun before this run was due does not stand in for it.
    home.wait_for("shop/backup", RunState::Completed);
    assert_eq!((home.backups("shop").len(), home.runs("shop/backup").len()), (2, 1));
}
