//! Restoring beside a live database and taking its place.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use failures_support::archive::Sample;
use failures_support::data::Session;
use failures_support::program::{Ran, Running, ran};
use failures_support::wait_until;
use pgkeep_testbed::{Database, Server, compare_databases};

fn swap(sample: &Sample, live: &Database, more: &[&str]) -> Ran {
    let url = live.url();
    ran(&[&["restore", &sample.id, "--into", &url, "--store", sample.store(), "--swap"], more].concat())
}

fn live() -> (Sample, Database) {
    let sample = Sample::make(&Server::major(17), &[]);
    let live = Database::create(sample.source.server(), "live");
    live.psql("create table of_today (i int)");
    (sample, live)
}

/// Databases beside this one, by the begin of their names.
fn beside(live: &Database) -> Vec<String> {
    let sql = format!(
        "select datname from pg_database where starts_with(datname, '{0}') and datname <> '{0}' order by 1",
        live.name()
    );
    live.server().psql("postgres", &sql).lines().map(str::to_owned).collect()
}

fn adopt(live: &Database) -> Vec<Database> {
    beside(live).iter().map(|name| Database::adopt(live.server(), name)).collect()
}

#[test]
fn the_restored_database_takes_the_live_ones_place_and_the_old_one_stays() {
    let (sample, live) = live();
    let ran = swap(&sample, &live, &["--json"]).ok();
    let [old] = &adopt(&live)[..] else { panic!("{:?}", beside(&live)) };
    assert_eq!(
        (ran.json()["replaced"].as_str(), ran.json()["proven"].as_bool()),
        (Some(old.name()), Some(true))
    );
    assert!(old.name().starts_with(&format!("{}_old_20", live.name())));
    compare_databases(&sample.source, &live).unwrap();
    assert_eq!(old.psql("select count(*) from of_today"), "0", "the old one is usable");
    assert_eq!(ran.json()["database"], live.name());
}

#[test]
fn nobody_is_thrown_out_unless_that_is_asked_for() {
    let (sample, live) = live();
    let _user = Session::start(&live, "select pg_sleep(120)");
    let busy = format!("select count(*) from pg_stat_activity where datname = '{}'", live.name());
    wait_until("somebody is connected", || live.server().psql("postgres", &busy) == "1");
    swap(&sample, &live, &[]).failed(1, &["is untouched", "sessions in", "1 of postgres", "--terminate"]);
    assert_eq!(live.psql("select count(*) from of_today"), "0");
    let [restored] = &adopt(&live)[..] else { panic!("{:?}", beside(&live)) };
    compare_databases(&sample.source, restored).unwrap();
    swap(&sample, &live, &["--terminate"]).failed(2, &["already", "drop it"]);
    live.server().psql("postgres", &format!("drop database \"{}\"", restored.name()));
    swap(&sample, &live, &["--terminate"]).ok().says(&["replaced", "proven"]);
    let _old = adopt(&live);
    compare_databases(&sample.source, &live).unwrap();
    let allowed = format!(
        "select count(*) from pg_database where not datallowconn and starts_with(datname, '{}')",
        live.name()
    );
    assert_eq!(live.server().psql("postgres", &allowed), "0");
}

#[test]
fn a_swap_that_is_killed_at_its_renames_leaves_the_live_database_open_to_all() {
    let (sample, live) = live();
    // Holds the lock that the rename needs.
    let comment = format!("begin; comment on database \"{}\" is 'held'; select pg_sleep(600)", live.name());
    let _holding = Session::start(&sample.source, &comment);
    let sessions = |what: &str, which: &str| {
        let sql = format!(
            "select {what} from pg_stat_activity where pid <> pg_backend_pid() and query like '%\"{}\"%{which}%'",
            live.name()
        );
        live.server().psql("postgres", &sql)
    };
    wait_until("the lock is held", || sessions("count(*)", "pg_sleep") == "1");
    let url = live.url();
    let args = ["restore", &sample.id, "--into", &url, "--store", sample.store(), "--swap", "--terminate"];
    let running = Running::pgkeep(&args);
    wait_until("the rename waits", || sessions("count(*)", "RENAME TO") == "1");
    running.signal("KILL");
    running.wait();
    // The server learns of the kill when it answers; until then it goes on.
    assert_eq!(sessions("pg_terminate_backend(pid)", "pg_sleep"), "t");
    wait_until("nobody is at it any more", || sessions("count(*)", "RENAME TO") == "0");
    let _others = adopt(&live);
    let shut = format!(
        "select count(*) from pg_database where not datallowconn and starts_with(datname, '{}')",
        live.name()
    );
    assert_eq!(live.server().psql("postgres", &shut), "0");
    assert_eq!(
        live.psql("select count(*) from pg_class where relname in ('of_today', 't')"),
        "1",
        "one or the other"
    );
}

#[test]
fn a_restore_or_proof_that_fails_leaves_the_live_database_alone_and_nothing_beside_it() {
    let (sample, live) = live();
    sample.edit_manifest(|m| m["dump"]["tables"][0]["rows"] = 1.into());
    swap(&sample, &live, &[]).failed(3, &["NOT PROVEN"]);
    assert_eq!(beside(&live), Vec::<String>::new());
    sample.mend();
    let mut archive = sample.archive.clone();
    let at = archive.len() - 600;
    archive[at..].fill(7);
    sample.set_archive(&archive);
    let failed = swap(&sample, &live, &[]);
    assert_ne!(failed.code(), 0, "{failed:#?}");
    assert_eq!(beside(&live), Vec::<String>::new());
    assert_eq!(live.psql("select count(*) from of_today"), "0");
}

#[test]
fn where_there_is_no_live_database_there_is_nothing_to_swap() {
    let (sample, live) = live();
    let nowhere = Database::reserve(live.server(), "nowhere");
    swap(&sample, &nowhere, &[]).failed(2, &["no such database", "--create-as"]);
}
