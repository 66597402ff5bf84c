//! A backup in the directory format is stopped, killed, or left by its store: its files must not stay.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use failures_support::data::{no_sessions, noise};
use failures_support::place::Place;
use failures_support::program::Running;
use failures_support::wait_until;
use pgkeep_testbed::{Database, FaultProxy, S3, Server};

const DIRECTORY: [&str; 6] = ["--format", "directory", "--segment-size", "1MiB", "--jobs", "2"];

/// Tables that are read one after the other, slowly.
fn source() -> Database {
    let source = noise(&Server::major(18), 60_000);
    source.psql("create table second as select * from t; select lo_from_bytea(0, 'a large object')");
    source
}

/// Begins a backup whose rows come slowly, and waits until it has written a file.
fn begin(source: &Database, place: &Place, rows: &FaultProxy) -> Running {
    rows.throttle(400_000);
    let (url, to) = (source.url_via(rows.port()), place.url());
    let arguments = [&["backup", &url, "--to", &to, "--progress", "none"][..], &DIRECTORY].concat();
    let running = Running::start(&mut place.pgkeep(&arguments));
    let is_file = |name: &String| name.contains(".dir/") && name.ends_with(".dat.zst");
    wait_until("a file is whole", || place.contents().iter().any(is_file));
    running
}

fn rows_of(source: &Database) -> FaultProxy {
    FaultProxy::to(("127.0.0.1", source.server().port()))
}

#[test]
fn a_backup_that_is_stopped_leaves_no_file() {
    for place in [Place::folder(), Place::bucket()] {
        let source = source();
        let rows = rows_of(&source);
        let running = begin(&source, &place, &rows);
        running.signal("TERM");
        running.wait().failed(130, &["stopped"]);
        place.is_clean();
        no_sessions(&source);
    }
}

#[test]
fn files_of_a_killed_backup_are_no_backup_and_are_removed_by_the_next() {
    for place in [Place::folder(), Place::bucket()] {
        let source = source();
        let rows = rows_of(&source);
        let running = begin(&source, &place, &rows);
        running.signal("KILL");
        running.wait();
        place.lists_nothing();
        let left = place.contents();
        let ran = place.backup(&source.url(), &[&DIRECTORY[..], &["--json"]].concat()).ok();
        assert!(ran.stderr.contains("removed what the interrupted backup"), "{ran:#?}");
        let stays: Vec<String> = place.contents().into_iter().filter(|name| left.contains(name)).collect();
        assert!(stays.is_empty(), "{stays:?}");
    }
}

/// The first data file, the table of contents, the manifest: refused for good.
#[test]
fn a_file_that_the_store_refuses_ends_the_backup_and_removes_the_others() {
    for refused in [".dat.zst", "/toc.dat", ".manifest.json"] {
        let (source, place) = (source(), Place::bucket());
        let Place::Bucket(bucket) = &place else { panic!("a folder") };
        let proxy = FaultProxy::to_http(S3::from_env().address());
        proxy.fail_requests(move |line| line.starts_with("PUT ") && line.contains(refused), u32::MAX, 403);
        let to = bucket.url_via(&proxy.endpoint(), "backups");
        let ran = place.ran(&[&["backup", &source.url(), "--to", &to][..], &DIRECTORY].concat());
        ran.failed(5, &["AccessDenied", refused]);
        place.is_clean();
        no_sessions(&source);
    }
}

#[test]
fn files_that_fail_for_a_while_are_sent_again() {
    let (source, place) = (source(), Place::bucket());
    let Place::Bucket(bucket) = &place else { panic!("a folder") };
    let proxy = FaultProxy::to_http(S3::from_env().address());
    let is_file = |line: &str| line.starts_with("PUT ") && line.contains(".dat");
    proxy.fail_requests(is_file, 2, 503);
    proxy.cut_requests(is_file, 1);
    proxy.lose_replies(is_file, 1);
    let to = bucket.url_via(&proxy.endpoint(), "backups");
    let ran = place.ran(&[&["backup", &source.url(), "--to", &to, "--json"][..], &DIRECTORY].concat()).ok();
    let id = ran.json()["id"].as_str().unwrap().to_owned();
    place.ran(&["verify", &id, "--store", &place.url()]).ok();
}

/// A connection that breaks while a file is written: the file is written again under its own name.
#[test]
fn a_table_whose_connection_breaks_is_written_again() {
    let (source, place) = (source(), Place::folder());
    let rows = rows_of(&source);
    let running = begin(&source, &place, &rows);
    let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
               where datname = current_database() and query ilike '%copy %to stdout%' and pid <> pg_backend_pid()";
    wait_until("a reading connection was cut", || source.psql(cut) != "0");
    rows.heal();
    running.wait().ok();
    let listed = place.ran(&["list", "--json", "--store", &place.url()]).ok();
    place.ran(&["verify", listed.json()["id"].as_str().unwrap(), "--store", &place.url()]).ok();
}
