//! Restores that are killed at any point and go on there.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use failures_support::data::{no_sessions, noise};
use failures_support::place::Place;
use failures_support::program::{Running, ran};
use failures_support::wait_until;
use pgkeep_testbed::{Database, FaultProxy, Server, compare_databases};

struct Case {
    source: Database,
    place: Place,
    id: String,
    proxy: FaultProxy,
}

impl Case {
    fn make() -> Case {
        let server = Server::major(18);
        let source = noise(&server, 150_000);
        source.psql(
            "create index t_h on t (h); create table small (id serial primary key, v text);
             insert into small (v) select 'x' || i from generate_series(1, 100) i;
             create materialized view sums as select count(*) from t;
             select lo_from_bytea(0, 'a large object');
             create function dropped() returns event_trigger language plpgsql as 'begin insert into small (v) values (tg_tag); end';
             create event trigger watch_drops on sql_drop execute function dropped();",
        );
        let place = Place::folder();
        place.backup(&source.url(), &["--segment-size", "1MiB"]).ok();
        let id = place.holds_one_backup();
        let proxy = FaultProxy::to(("127.0.0.1", server.port()));
        Case { source, place, id, proxy }
    }

    fn begin(&self, target: &Database, more: &[&str]) -> Running {
        let (url, store) = (target.url_via(self.proxy.port()), self.place.url());
        let args = ["restore", &self.id, "--into", &url, "--store", &store, "--jobs", "2", "--json"];
        Running::pgkeep(&[&args, more].concat())
    }

    /// Restores until so many bytes went to the server, and is killed.
    fn kill_after(&self, target: &Database, bytes: u64, more: &[&str]) -> bool {
        self.proxy.throttle(4_000_000);
        let before = self.proxy.bytes_to_server();
        let mut running = self.begin(target, more);
        let mut ended = false;
        wait_until("bytes went to the server", || {
            ended = !running.is_alive();
            ended || self.proxy.bytes_to_server() > before + bytes
        });
        running.signal("KILL");
        running.wait();
        self.proxy.throttle(0);
        no_sessions(target);
        !ended
    }
}

#[test]
fn a_restore_that_was_killed_goes_on_where_it_was() {
    let case = Case::make();
    for bytes in [500, 4_000, 1_000_000, 5_000_000, 9_000_000] {
        let target = Database::create(case.source.server(), "killed");
        assert!(case.kill_after(&target, bytes, &[]), "{bytes}");
        let is_there = target.psql("select to_regclass('public.t') is not null") == "t";
        let loaded = if is_there { target.psql("select count(*) from t") } else { "0".into() };
        assert!(bytes < 5_000_000 || loaded.parse::<u64>().unwrap() > 10_000, "{loaded}");
        let now = target.psql("select pg_current_xact_id()::xid");
        let has_marks = target.psql("select to_regclass('pgkeep_restore.done') is not null") == "t";
        let result = case.begin(&target, if has_marks { &["--resume"] } else { &[] }).wait().ok().json();
        assert_eq!(result["proven"], true, "{result}");
        let kept = target.psql(&format!("select count(*) from t where age(xmin) > age('{now}'::xid)"));
        assert_eq!(kept, loaded, "what was loaded was not loaded again");
        compare_databases(&case.source, &target).unwrap();
    }
}

#[test]
fn a_restore_that_is_killed_again_and_again_ends_well() {
    let case = Case::make();
    let target = Database::create(case.source.server(), "killed");
    let mut resume: &[&str] = &[];
    let mut kills = 0;
    while case.kill_after(&target, 4_000_000, resume) {
        resume = &["--resume"];
        kills += 1;
        assert!(kills < 20, "it comes no further");
    }
    assert!(kills > 1, "{kills}");
    compare_databases(&case.source, &target).unwrap();
}

#[test]
fn only_what_was_interrupted_can_go_on() {
    let case = Case::make();
    let target = Database::create(case.source.server(), "killed");
    let store = case.place.url();
    let url = target.url();
    let again =
        |more: &[&str]| ran(&[&["restore", &case.id, "--into", &url, "--store", &store], more].concat());
    again(&["--resume"]).failed(2, &["none was interrupted in this database"]);
    assert!(case.kill_after(&target, 3_000_000, &[]));
    again(&[]).failed(1, &["was interrupted", "--resume"]);
    again(&["--resume", "--no-owner"]).failed(2, &["another archive or had other options"]);
    again(&["--resume"]).ok().says(&["proven"]);
    // Anew, over what is left of one that was interrupted.
    let target = Database::create(case.source.server(), "killed");
    assert!(case.kill_after(&target, 3_000_000, &[]));
    let url = target.url();
    ran(&["restore", &case.id, "--into", &url, "--store", &store, "--clean", "--if-exists"]).ok();
    compare_databases(&case.source, &target).unwrap();
}

#[test]
fn a_database_that_is_created_can_be_gone_on_with_too() {
    let case = Case::make();
    let server = case.source.server();
    let target = Database::reserve(server, "made");
    let (url, store) = (server.url_via(case.proxy.port(), "postgres"), case.place.url());
    let args = ["restore", &case.id, "--into", &url, "--store", &store, "--create-as", target.name()];
    case.proxy.throttle(4_000_000);
    let running = Running::pgkeep(&args);
    wait_until("rows go in", || case.proxy.bytes_to_server() > 3_000_000);
    running.signal("KILL");
    running.wait();
    case.proxy.throttle(0);
    no_sessions(&target);
    ran(&[&args[..], &["--resume"]].concat()).ok().says(&["proven"]);
    compare_databases(&case.source, &target).unwrap();
}
