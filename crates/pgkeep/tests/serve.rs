//! The daemon with real servers: it runs what is due, and loses nothing when it is stopped, killed or reloaded.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;
mod serve_support;

use failures_support::data::{no_sessions, noise, wait_for_reading};
use failures_support::program::Running;
use failures_support::wait_until;
use jiff::{SignedDuration, Timestamp};
use pgkeep_serve::{DaemonStatus, History, RunFilter, RunState, RunTrigger};
use pgkeep_testbed::{AwsFake, FaultProxy, Server};
use serde_json::Value;
use serve_support::{Home, entry, hourly, slow};

#[test]
fn what_is_due_is_run_and_status_tells_of_it() {
    let (a, b) = (noise(&Server::major(18), 100), noise(&Server::major(14), 100));
    let drill = "schedule = 'rate(1 hour)'\ndrill_schedule = '@monthly'\nprune_schedule = '@monthly'";
    let home = Home::new(&(entry("a", &a.url(), drill) + &hourly("b", &b.url())));
    let fresh = home.ran(&["status"]).failed(1, &["no pgkeep serve has run", "--state"]);
    assert!(fresh.stdout.is_empty());

    let daemon = home.serve(&[]);
    for name in ["a", "b"] {
        let run = home.wait_for(&format!("{name}/backup"), RunState::Completed);
        let id = run.backup.clone().unwrap();
        assert_eq!(home.backups(name), [id]);
        let log = std::fs::read_to_string(run.log.unwrap()).unwrap();
        assert!(
            log.contains(&format!("pgkeep backup {name} (run {}", run.id)) && log.contains("exit code 0"),
            "{log}"
        );
    }
    wait_until("the stores were looked at", || {
        let databases = home.status()["databases"].clone();
        databases.as_array().unwrap().iter().all(|d| d["newest_backup"]["state"] == "stored")
    });
    let status = home.status();
    assert_eq!((&status["ok"], &status["problems"]), (&true.into(), &serde_json::json!([])), "{status:#}");
    assert_eq!(status["daemon"]["pid"], daemon.pid());
    for database in status["databases"].as_array().unwrap() {
        let next: Timestamp = database["next_run"].as_str().unwrap().parse().unwrap();
        assert!(next > Timestamp::now() + SignedDuration::from_mins(30), "{database:#}");
    }
    home.ran(&["serve"]).failed(2, &["another pgkeep serve uses this folder", "--state"]);
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), 0);
    home.ran(&["status"]).failed(1, &["no pgkeep serve runs"]);

    // While it was down, the times of a drill and a prune have passed.
    for task in ["a/drill", "a/prune"] {
        home.forget("state", task);
    }
    let _daemon = home.serve(&[]);
    let drilled = home.wait_for("a/drill", RunState::Completed);
    assert_eq!(drilled.trigger, RunTrigger::CatchUp);
    assert_eq!(drilled.result.unwrap()["verdict"], "proven");
    assert_eq!(home.wait_for("a/prune", RunState::Completed).trigger, RunTrigger::CatchUp);
    wait_until("the proof is seen", || !home.status()["databases"][0]["last_proven"].is_null());
}

#[test]
fn a_lost_connection_is_tried_again_and_a_wrong_password_is_not() {
    let database = noise(&Server::major(16), 100);
    let proxy = FaultProxy::to(("127.0.0.1", database.server().port()));
    proxy.refuse(true);
    let wrong = database.url().replacen(":secret@", ":wrong@", 1);
    let home = Home::new(&(hourly("shop", &database.url_via(proxy.port())) + &hourly("wrong", &wrong)));
    let daemon = home.serve(&[]);
    wait_until("a second try waits or runs", || home.runs("shop/backup").len() > 1);
    proxy.refuse(false);
    let run = home.wait_for("shop/backup", RunState::Completed);
    assert!(run.attempt > 1 && run.trigger == RunTrigger::Retry, "{run:?}");
    let first = &home.runs("shop/backup")[0];
    assert_eq!((first.state, first.attempt, first.scheduled), (RunState::Failed, 1, run.scheduled));
    assert!(["connect", "connection-lost"].contains(&first.error_kind.as_deref().unwrap()), "{first:?}");
    let refused = home.wait_for("wrong/backup", RunState::Failed);
    assert_eq!((refused.error_kind.as_deref(), refused.exit_code), (Some("authentication"), Some(4)));
    assert_eq!(home.runs("wrong/backup").len(), 1);
    let told = home.ran(&["status"]).failed(1, &["wrong: the last backup failed: ", "log: "]);
    assert!(!told.stdout.contains("shop: "), "{}", told.stdout);
    drop(daemon);
}

#[test]
fn a_reload_takes_over_the_new_and_loses_no_backup_that_runs() {
    let ((database, proxy), other) = (slow(), noise(&Server::major(15), 100));
    let slow = hourly("slow", &database.url_via(proxy.port()));
    let home = Home::new(&slow);
    let daemon = home.serve(&[]);
    wait_for_reading(&database);
    home.configure(&(slow.clone() + &hourly("new", &other.url())));
    daemon.signal("HUP");
    home.wait_for("new/backup", RunState::Completed);
    home.configure("[databases.x]\nurl = 'x'\nschedule = '99 * * * *'\n");
    daemon.signal("HUP");
    let told = || DaemonStatus::read(&home.path("state")).unwrap().unwrap().problems.concat();
    wait_until("the bad file is told of", || told().contains("could not be read anew"));
    home.configure(&(slow + &hourly("new", &other.url())));
    assert_eq!(home.runs("slow/backup")[0].state, RunState::InProgress);
    wait_until("its progress is shown", || {
        let status = home.status();
        let rows =
            status["daemon"]["live"].as_object().unwrap().values().map(|p| p["rows"].as_u64().unwrap());
        rows.sum::<u64>() > 0
    });
    proxy.throttle(0);
    home.wait_for("slow/backup", RunState::Completed);
    assert_eq!((home.backups("slow").len(), home.runs("slow/backup").len()), (1, 1));
    daemon.signal("HUP");
    wait_until("the good file is taken", || told().is_empty());
}

#[test]
fn an_end_in_mid_backup_leaves_nothing_and_the_backup_is_made_after_the_next_start() {
    let (database, proxy) = slow();
    let home = Home::new(&hourly("shop", &database.url_via(proxy.port())));
    let daemon = home.serve(&["--stop-grace", "0s"]);
    wait_for_reading(&database);
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), 0);
    no_sessions(&database);
    let run = &home.runs("shop/backup")[0];
    assert_eq!((run.state, run.error_kind.as_deref()), (RunState::Failed, Some("interrupted")));
    assert_eq!(home.leftovers(), [""; 0]);

    proxy.throttle(0);
    let _daemon = home.serve(&[]);
    let run = home.wait_for("shop/backup", RunState::Completed);
    assert_eq!(run.trigger, RunTrigger::CatchUp);
    assert_eq!(home.backups("shop"), [run.backup.unwrap()]);
}

#[test]
fn a_backup_that_is_nearly_done_is_let_come_to_its_end() {
    let (database, proxy) = slow();
    let home = Home::new(&hourly("shop", &database.url_via(proxy.port())));
    let daemon = home.serve(&["--stop-grace", "10m"]);
    wait_for_reading(&database);
    daemon.signal("TERM");
    proxy.throttle(0);
    assert_eq!(daemon.wait().code(), 0);
    assert_eq!(home.runs("shop/backup")[0].state, RunState::Completed);
    assert_eq!(home.backups("shop").len(), 1);
}

#[test]
fn a_killed_daemon_takes_its_runs_with_it_and_the_next_one_does_them_again() {
    let (database, proxy) = slow();
    let home = Home::new(&hourly("shop", &database.url_via(proxy.port())));
    let daemon = home.serve(&[]);
    wait_for_reading(&database);
    daemon.signal("KILL");
    daemon.wait();
    no_sessions(&database);
    wait_until("the run has cleaned up", || {
        home.leftovers().iter().all(|file| file.ends_with(".lease.json"))
    });
    assert_eq!(home.runs("shop/backup")[0].state, RunState::InProgress);

    proxy.throttle(0);
    let _daemon = home.serve(&[]);
    let run = home.wait_for("shop/backup", RunState::Completed);
    let lost = &home.runs("shop/backup")[0];
    assert_eq!((lost.state, lost.error_kind.as_deref()), (RunState::Failed, Some("lost")));
    assert_eq!((run.trigger, run.scheduled), (RunTrigger::CatchUp, lost.scheduled));
    assert_eq!(home.backups("shop").len(), 1);
}

#[test]
fn of_two_daemons_on_one_store_one_makes_the_backup_and_the_other_stands_in_for_it() {
    let (database, proxy) = slow();
    let home = Home::new(&hourly("shop", &database.url_via(proxy.port())));
    let first = home.serve(&[]);
    wait_for_reading(&database);
    let other = home.path("other");
    let second = home.serve(&["--state", other.to_str().unwrap()]);
    let seconds = || {
        let history = History::read(&other.join("state.sqlite")).ok()?;
        history.runs(&RunFilter::default()).ok()?.pop()
    };
    // It waits for the first one's lease.
    wait_until("the second one has asked", || {
        seconds()
            .is_some_and(|r| r.error.is_some_and(|why| why.contains(&format!("process {}", first.pid()))))
    });
    first.signal("KILL");
    first.wait();
    proxy.throttle(0);
    wait_until("the second one makes it", || seconds().is_some_and(|r| r.state == RunState::Completed));
    assert_eq!(home.backups("shop").len(), 1);
    drop(second);

    // A third one, as one whose state was deleted, sees that there is nothing to be done.
    std::fs::remove_dir_all(&other).unwrap();
    let third = home.serve(&["--state", other.to_str().unwrap()]);
    let state = other.to_str().unwrap();
    wait_until("it has looked into the store", || {
        let status = home.ran(&["status", "--json", "--state", state]);
        status.stdout.lines().next().is_some_and(|line| {
            let status: Value = serde_json::from_str(line).unwrap();
            status["databases"][0]["newest_backup"].is_object()
        })
    });
    third.signal("TERM");
    third.wait();
    assert!(seconds().is_none() && home.backups("shop").len() == 1);
}

#[test]
fn what_is_wrong_is_told_before_anything_begins_and_the_next_runs_can_be_seen() {
    let home = Home::new(&entry(
        "shop",
        "postgres://x",
        "schedule = '0 2 * * *'\ndrill_schedule = 'cron(0 4 ? * SUN *)'\ntime_zone = 'Europe/Berlin'",
    ));
    let next = home.ran(&["serve", "--next", "3", "--json"]).ok();
    let lines: Vec<Value> = next.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    let hour = |line: &Value| {
        let at: Timestamp = line["at"].as_str().unwrap().parse().unwrap();
        at.in_tz("Europe/Berlin").unwrap().hour()
    };
    for line in &lines {
        let expected = if line["task"] == "shop/backup" { 2 } else { 4 };
        assert_eq!(hour(line), expected, "{line}");
    }
    home.configure(&entry("shop", "postgres://x", "schedule = '0 2 * *'"));
    let told = home.ran(&["serve"]).failed(2, &["line 8", "5 fields"]);
    assert!(!home.path("state").exists(), "{told:?}");
    home.ran(&["config", "check"]).says(&["line 8"]);
    let one = entry("shop", "postgres://x", "schedule = '@daily'") + &entry("other", "postgres://y", "");
    home.configure(&one);
    home.ran(&["config", "check"]).ok().says(&["\"other\": it has no schedule"]);
    home.configure(&entry("shop", "postgres://x", "schedule = '@daily'\ntime_zone = 'Mars/Base'"));
    home.ran(&["config", "check"]).says(&["Mars/Base"]);
    home.ran(&["serve"]).failed(2, &["Mars/Base", "Europe/Berlin"]);
}

#[test]
fn rds_makes_snapshots_by_their_schedule() {
    let fake = AwsFake::start();
    fake.order(r#"{"do":"database","region":"eu-central-1","name":"shop-prod"}"#);
    fake.order(r#"{"do":"set","tick":60}"#);
    let own = "rds_instance = 'shop-prod'\nrds_snapshot_schedule = 'rate(1 hour)'\nrds_poll = '10ms'";
    let home = Home::new(&entry("shop", "postgres://db.invalid/shop", own));
    let _daemon = Running::start(home.command(&["serve"]).envs(fake.environment()));
    let run = home.wait_for("shop/rds", RunState::Completed);
    let made: Value = serde_json::from_str(&fake.order(r#"{"do":"snapshots"}"#)).unwrap();
    assert_eq!(made.as_array().unwrap().len(), 1);
    assert_eq!(made[0]["name"], run.backup.unwrap());
    assert_eq!(run.command, "pgkeep rds snapshot create shop");
    assert!(run.result.unwrap()["taken"].is_string());
}
