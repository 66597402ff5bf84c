//! Schema changes that stand in the backup's way, and it in theirs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::time::Duration;

use failures_support::data::{Session, locks, no_sessions, noise, wait_for_reading};
use failures_support::place::Place;
use failures_support::program::Running;
use failures_support::wait_until;
use pgkeep_testbed::{Database, FaultProxy, Server};

const EXCLUSIVE: &str = "AccessExclusiveLock";

#[test]
fn a_table_that_stays_locked_is_named_with_the_process_that_holds_it() {
    for major in [14, 18] {
        let server = Server::major(major);
        let source = noise(&server, 1000);
        source.psql("create table \"Odd Table\" (i int)");
        let _holder = Session::start(
            &source,
            "begin; lock table \"Odd Table\" in access exclusive mode; select pg_sleep(120)",
        );
        wait_until("it is locked", || locks(&source, "\"Odd Table\"", EXCLUSIVE, true) == 1);
        let pid = source.psql(&format!(
            "select pid from pg_locks where mode = '{EXCLUSIVE}' and relation = '\"Odd Table\"'::regclass"
        ));
        let place = Place::folder();
        let ran = place.backup(&source.url(), &["--lock-timeout", "2s", "--json"]);
        let words = ["\"Odd Table\"", &format!("process {pid}"), "lock timeout", "--lock-timeout"];
        let ran = ran.failed(1, &words);
        assert_eq!(ran.json()["error"]["kind"], "lock-timeout");
        assert!(ran.took < Duration::from_secs(20), "{ran:#?}");
        place.is_clean();
        no_sessions(&source);
    }
}

#[test]
fn a_lock_that_is_let_go_in_time_only_delays_the_backup() {
    let server = Server::major(18);
    let source = noise(&server, 1000);
    let _holder = Session::start(
        &source,
        "begin; alter table t add column added int default 7; select pg_sleep(2); commit",
    );
    wait_until("it is locked", || locks(&source, "t", EXCLUSIVE, true) == 1);
    let place = Place::folder();
    place.backup(&source.url(), &["--lock-timeout", "60s"]).ok();
    let id = place.holds_one_backup();
    // The backup is of one moment: before the change or after it, but no mixture.
    let target = Database::create(&server, "target");
    place.ran(&["restore", &id, "--into", &target.url(), "--store", &place.url()]).ok().says(&["proven"]);
    assert_eq!(target.psql("select count(*) from t"), "1000");
}

#[test]
fn a_stop_while_waiting_for_a_lock_is_heard() {
    let server = Server::major(18);
    let source = noise(&server, 1000);
    let _holder =
        Session::start(&source, "begin; lock table t in access exclusive mode; select pg_sleep(120)");
    wait_until("it is locked", || locks(&source, "t", EXCLUSIVE, true) == 1);
    let place = Place::folder();
    let running = Running::pgkeep(&["backup", &source.url(), "--to", &place.url(), "--lock-timeout", "0"]);
    wait_until("pg_dump waits", || locks(&source, "t", "AccessShareLock", false) == 1);
    running.signal("TERM");
    let ran = running.wait().failed(130, &["stopped"]);
    assert!(ran.took < Duration::from_secs(20), "{ran:#?}");
    place.is_clean();
    no_sessions(&source);
}

/// A database with a big table, which is read first, and a small one.
fn big_and_small(server: &Server) -> Database {
    let source = noise(server, 150_000);
    source.psql("create table small (i int primary key); insert into small select generate_series(1, 100)");
    source
}

#[test]
fn a_schema_change_that_queues_for_a_table_waits_and_the_backup_goes_on() {
    for major in [14, 18] {
        let server = Server::major(major);
        let source = big_and_small(&server);
        let proxy = FaultProxy::to(("127.0.0.1", server.port()));
        proxy.throttle(2_000_000);
        let place = Place::folder();
        let (url, to) = (source.url_via(proxy.port()), place.url());
        let running = Running::pgkeep(&["backup", &url, "--to", &to, "--jobs", "1", "--json"]);
        wait_for_reading(&source);
        let change = Session::start(
            &source,
            "alter table small add column added int default 7; insert into small values (-1)",
        );
        wait_until("the change queues", || locks(&source, "small", EXCLUSIVE, false) == 1);
        proxy.throttle(0);
        let ran = running.wait().ok();
        let notes = ran.json()["notes"].to_string();
        assert!(notes.contains("table public.small") && notes.contains("read by the coordinator"), "{notes}");
        assert!(change.wait(), "the change went through");
        let id = place.holds_one_backup();
        let target = Database::create(&server, "target");
        place.ran(&["restore", &id, "--into", &target.url(), "--store", &to]).ok().says(&["proven"]);
        assert_eq!(target.psql("select count(*), count(distinct i) from small"), "100|100");
        assert_eq!(target.psql("select count(*) from t"), "150000");
        assert_eq!(source.psql("select count(*) from small where added = 7"), "101");
    }
}

#[test]
fn a_rule_that_reads_a_table_for_which_a_change_queues_does_not_wait_for_ever() {
    let server = Server::major(17);
    let source = big_and_small(&server);
    source.psql("create table third as select i from generate_series(1, 5000) as i");
    let proxy = FaultProxy::to(("127.0.0.1", server.port()));
    proxy.throttle(2_000_000);
    let place = Place::folder();
    let (url, to) = (source.url_via(proxy.port()), place.url());
    let rule = "public.third=i in (select i from public.small)";
    let running = Running::pgkeep(&["backup", &url, "--to", &to, "--jobs", "1", "--json", "--where", rule]);
    wait_for_reading(&source);
    let change = Session::start(&source, "alter table small add column added int default 7");
    wait_until("the change queues", || locks(&source, "small", EXCLUSIVE, false) == 1);
    proxy.throttle(0);
    let notes = running.wait().ok().json()["notes"].to_string();
    assert!(notes.contains("table public.third: a schema change waits for it"), "{notes}");
    assert!(change.wait(), "the change went through");
    let target = Database::create(&server, "target");
    let id = place.holds_one_backup();
    place.ran(&["restore", &id, "--into", &target.url(), "--store", &to]).ok().says(&["proven"]);
    assert_eq!(target.psql("select count(*) from third"), "100");
}

#[test]
fn a_schema_change_that_queues_for_every_table_leaves_all_to_the_coordinator() {
    let server = Server::major(17);
    let source = big_and_small(&server);
    source.psql("create table third as select i from generate_series(1, 5000) as i");
    let proxy = FaultProxy::to(("127.0.0.1", server.port()));
    proxy.throttle(2_000_000);
    let place = Place::folder();
    let (url, to) = (source.url_via(proxy.port()), place.url());
    let running =
        Running::pgkeep(&["backup", &url, "--to", &to, "--jobs", "2", "--json", "--segment-size", "1MiB"]);
    wait_for_reading(&source);
    // In one transaction one lock is waited for after the other: it takes a session for each.
    let changes = ["t", "small", "third"]
        .map(|t| Session::start(&source, &format!("alter table {t} add column added int")));
    wait_until("they queue", || {
        source.psql(&format!("select count(*) from pg_locks where mode = '{EXCLUSIVE}' and not granted"))
            == "3"
    });
    proxy.throttle(0);
    let ran = running.wait().ok();
    assert!(ran.json()["notes"].to_string().contains("read by the coordinator"), "{ran:#?}");
    for change in changes {
        assert!(change.wait());
    }
    let id = place.holds_one_backup();
    let target = Database::create(&server, "target");
    place.ran(&["restore", &id, "--into", &target.url(), "--store", &to]).ok().says(&["proven"]);
    assert_eq!(target.psql("select count(*), count(distinct i) from t"), "150000|150000");
}

#[test]
fn a_schema_change_that_comes_between_schema_and_data_starts_the_backup_again() {
    let server = Server::major(18);
    let source = big_and_small(&server);
    let proxy = FaultProxy::to(("127.0.0.1", server.port()));
    // pg_dump takes its locks, then reads the catalog for seconds.
    proxy.throttle(60_000);
    let place = Place::folder();
    let (url, to) = (source.url_via(proxy.port()), place.url());
    let running = Running::pgkeep(&["backup", &url, "--to", &to, "--jobs", "2", "--json"]);
    wait_until("pg_dump has its lock", || locks(&source, "small", "AccessShareLock", true) == 1);
    let change = Session::start(&source, "alter table small add column added int default 7");
    wait_until("the change queues", || locks(&source, "small", EXCLUSIVE, false) == 1);
    proxy.throttle(0);
    let ran = running.wait().ok();
    assert!(change.wait(), "the change went through");
    let notes = ran.json()["notes"].to_string();
    assert!(notes.contains("a schema change came between"), "{notes}");
    let id = place.holds_one_backup();
    let target = Database::create(&server, "target");
    place.ran(&["restore", &id, "--into", &target.url(), "--store", &to]).ok().says(&["proven"]);
    assert_eq!(target.psql("select sum(added) from small"), "700");
}

#[test]
fn a_table_that_is_dropped_and_made_again_all_the_time_is_dumped_or_named_in_the_error() {
    let server = Server::major(18);
    let source = big_and_small(&server);
    let _changes = Session::start(
        &source,
        "do $$ begin loop drop table if exists flickers; create table flickers (i int); commit;
         perform pg_sleep(0.02); end loop; end $$",
    );
    let place = Place::folder();
    for _ in 0..3 {
        let ran = place.backup(&source.url(), &["--lock-timeout", "5s"]);
        match ran.code() {
            0 => {}
            1 | 6 => drop(ran.says(&["flickers"])),
            _ => panic!("{ran:#?}"),
        }
    }
    no_sessions(&source);
}
