//! Connections to the database break while rows are read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use failures_support::data::{no_sessions, noise, one_big_row, sessions, twin, wait_for_reading};
use failures_support::place::Place;
use failures_support::program::{Ran, Running};
use pgkeep_testbed::{Database, FaultProxy, Server, compare_databases, private_server};

/// The first connection that a backup makes holds the snapshot; the second is pg_dump's.
const COORDINATOR: u64 = 1;

/// A proxy slow enough that things can be done while rows pass.
fn slow_proxy(server: &Server, bytes_per_second: u64) -> FaultProxy {
    let proxy = FaultProxy::to(("127.0.0.1", server.port()));
    proxy.throttle(bytes_per_second);
    proxy
}

/// A backup through the proxy, with one worker, that has come to reading rows.
fn reading(source: &Database, proxy: &FaultProxy, place: &Place) -> Running {
    let (url, to) = (source.url_via(proxy.port()), place.url());
    let running = Running::start(&mut place.pgkeep(&["backup", &url, "--to", &to, "--jobs", "1", "--json"]));
    wait_for_reading(source);
    running
}

/// The same, its worker's connection cut once it has carried so many bytes.
fn cut_while_reading(source: &Database, bytes: u64, place: &Place) -> Ran {
    let proxy = slow_proxy(source.server(), 8_000_000);
    let running = reading(source, &proxy, place);
    proxy.cut_nth_after(proxy.connections(), bytes);
    proxy.throttle(0);
    running.wait()
}

fn notes(ran: &Ran) -> Vec<String> {
    let notes = ran.json()["notes"].as_array().expect("notes").clone();
    notes.iter().map(|n| n.as_str().unwrap().to_owned()).collect()
}

/// Restores by pgkeep and compares with a copy of the database from before.
#[track_caller]
fn restores_as(place: &Place, id: &str, twin: &Database) {
    let target = Database::create(twin.server(), "target");
    place.ran(&["restore", id, "--into", &target.url(), "--store", &place.url()]).ok().says(&["proven"]);
    compare_databases(twin, &target).unwrap();
}

#[test]
fn a_worker_whose_connection_is_cut_reads_again_under_the_same_snapshot() {
    for major in [14, 18] {
        let server = Server::major(major);
        let source = noise(&server, 150_000);
        let before = twin(&source);
        let proxy = slow_proxy(&server, 3_000_000);
        let place = Place::folder();
        let running = reading(&source, &proxy, &place);
        proxy.cut_nth_after(proxy.connections(), 4_000_000);
        // Whoever reads again must not see this.
        source.psql(
            "insert into t select -i, 'x' from generate_series(1, 1000) i; delete from t where i < 5000",
        );
        let ran = running.wait().ok();
        let notes = notes(&ran);
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].contains("table public.t") && notes[0].contains("reading it again"), "{notes:?}");
        assert!(ran.stderr.contains(&notes[0]), "the note is shown while it runs: {ran:#?}");
        let id = place.holds_one_backup();
        restores_as(&place, &id, &before);
        no_sessions(&source);
    }
}

/// The archive as the stock pg_restore of a major reads it.
fn stock_reads(place: &Place, source: &Database, major: u32, piped: bool) {
    let name = place.contents().into_iter().find(|f| f.ends_with(".dump")).unwrap();
    let archive = Path::new(&place.url()).join(name);
    let target = Database::create(source.server(), "stock");
    let mut command = Server::major(major).bin("pg_restore");
    command.arg("-d").arg(target.url());
    // In a pipe nothing can be sought: the dead block must be read over.
    let out = match piped {
        true => {
            let mut cat = Command::new("cat").arg(archive).stdout(Stdio::piped()).spawn().unwrap();
            let out = command.stdin(cat.stdout.take().unwrap()).output();
            cat.wait().unwrap();
            out
        }
        false => command.arg("-j2").arg(archive).output(),
    };
    let out = out.unwrap();
    assert!(out.status.success(), "{major}: {}", String::from_utf8_lossy(&out.stderr));
    compare_databases(source, &target).unwrap();
}

#[test]
fn what_a_cut_connection_has_streamed_stays_as_a_dead_block_that_every_reader_skips() {
    let server = Server::major(18);
    let source = one_big_row(&server);
    source.psql("create table after (i int); insert into after select generate_series(1, 1000)");
    let place = Place::folder();
    // 45 MB of text come; a worker streams from 33 MB on.
    let ran = cut_while_reading(&source, 40_000_000, &place).ok();
    assert!(notes(&ran)[0].contains("table public.big"), "{ran:#?}");
    let size = ran.json()["size"].as_u64().unwrap();
    assert!(size > 38_000_000, "the dead block should be in it: {size}");
    let id = place.holds_one_backup();
    let to = place.url();
    let verified = place.ran(&["verify", &id, "--store", &to, "--json"]).ok().json();
    assert_eq!(verified["dead_blocks"], 1, "{verified}");
    restores_as(&place, &id, &source);
    stock_reads(&place, &source, 18, false);
    stock_reads(&place, &source, 16, true);
}

#[test]
fn a_dead_block_of_large_objects_is_skipped_too() {
    let server = Server::major(18);
    let source = Database::create(&server, "big objects");
    source.psql(
        "select lo_from_bytea(0, string_agg(sha256((o || '-' || i)::bytea), ''))
         from generate_series(1, 3) as o, generate_series(1, 250000) as i group by o",
    );
    let place = Place::folder();
    let ran = cut_while_reading(&source, 45_000_000, &place).ok();
    assert!(notes(&ran)[0].contains("3 large objects"), "{ran:#?}");
    let id = place.holds_one_backup();
    let to = place.url();
    let verified = place.ran(&["verify", &id, "--store", &to, "--json"]).ok().json();
    assert_eq!(verified["dead_blocks"], 1, "{verified}");
    restores_as(&place, &id, &source);
    stock_reads(&place, &source, 17, true);
}

#[test]
fn a_pipe_cannot_take_a_piece_again_and_says_so() {
    let server = Server::major(18);
    let source = one_big_row(&server);
    let proxy = slow_proxy(&server, 8_000_000);
    let running = Running::pgkeep(&["backup", &source.url_via(proxy.port()), "--to", "-", "--jobs", "1"]);
    wait_for_reading(&source);
    proxy.cut_nth_after(proxy.connections(), 40_000_000);
    proxy.throttle(0);
    let ran = running.wait();
    ran.failed(4, &["table public.big", "neither a pipe nor a script can take it again", "folder or bucket"]);
}

#[test]
fn workers_whose_connections_break_again_and_again_give_up() {
    let server = Server::major(18);
    let source = noise(&server, 100_000);
    let proxy = FaultProxy::to(("127.0.0.1", server.port()));
    // The coordinator and pg_dump get less than this, and so does a worker until it reads.
    proxy.cut_after(1_000_000);
    let place = Place::folder();
    let ran = place.backup(&source.url_via(proxy.port()), &["--jobs", "2"]);
    ran.failed(4, &["table public.t", "connection lost"]);
    place.is_clean();
    no_sessions(&source);
}

#[test]
fn a_server_that_vanishes_in_the_middle_ends_the_backup() {
    let server = Server::major(18);
    let source = noise(&server, 150_000);
    let proxy = slow_proxy(&server, 2_000_000);
    let place = Place::folder();
    let running = reading(&source, &proxy, &place);
    proxy.refuse(true);
    proxy.cut_all_now();
    let ran = running.wait().failed(4, &["127.0.0.1"]);
    assert!(ran.took < Duration::from_secs(30), "{ran:#?}");
    place.is_clean();
    no_sessions(&source);
}

/// The pid of the session that holds the snapshot.
fn coordinator(source: &Database) -> String {
    let sql = format!(
        "select pid from pg_stat_activity where datname = '{}' and application_name = 'pgkeep'
         and state = 'idle in transaction' order by backend_start limit 1",
        source.name()
    );
    source.server().psql("postgres", &sql)
}

#[test]
fn without_the_connection_that_holds_the_snapshot_there_is_no_backup() {
    let server = Server::major(18);
    let source = noise(&server, 150_000);
    let proxy = slow_proxy(&server, 2_000_000);
    let place = Place::folder();
    let running = reading(&source, &proxy, &place);
    source.psql(&format!("select pg_terminate_backend({})", coordinator(&source)));
    proxy.throttle(0);
    running.wait().failed(4, &["snapshot", "terminating connection due to administrator command"]);
    place.is_clean();
    no_sessions(&source);
}

#[test]
fn a_cut_of_the_coordinators_connection_ends_the_backup() {
    let server = Server::major(18);
    let source = noise(&server, 150_000);
    let proxy = slow_proxy(&server, 2_000_000);
    let place = Place::folder();
    let running = reading(&source, &proxy, &place);
    proxy.cut_nth_after(COORDINATOR, 0);
    proxy.throttle(0);
    running.wait().failed(4, &["ending the snapshot", "connection lost"]);
    place.is_clean();
    no_sessions(&source);
}

#[test]
fn a_worker_that_comes_back_after_the_snapshot_is_gone_says_why() {
    let server = Server::major(18);
    let source = noise(&server, 150_000);
    let proxy = slow_proxy(&server, 2_000_000);
    let place = Place::folder();
    let running = reading(&source, &proxy, &place);
    source.psql(&format!(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = '{}' and application_name = 'pgkeep'",
        source.name()
    ));
    running.wait().failed(
        4,
        &["the connection that holds the snapshot", "administrator command", "run the backup again"],
    );
    place.is_clean();
    no_sessions(&source);
}

#[test]
fn pg_dump_cut_while_it_reads_the_schema_ends_the_backup() {
    let server = Server::major(18);
    let source = noise(&server, 1000);
    let proxy = FaultProxy::to(("127.0.0.1", server.port()));
    proxy.cut_nth_after(2, 20_000);
    let place = Place::folder();
    place
        .backup(&source.url_via(proxy.port()), &[])
        .failed(4, &["reading the schema with pg_dump", "pg_dump's connection was refused or lost"]);
    place.is_clean();
    no_sessions(&source);
}

#[test]
fn a_server_that_is_restarted_in_the_middle_ends_the_backup() {
    for immediate in [false, true] {
        let server = private_server(17, &[]);
        let source = noise(&server, 150_000);
        let proxy = slow_proxy(&server, 2_000_000);
        let place = Place::folder();
        let running = reading(&source, &proxy, &place);
        if immediate {
            server.kill();
            server.start();
        } else {
            server.restart();
        }
        let ran = running.wait().failed(4, &["connection"]);
        assert_eq!(ran.json()["error"]["exit_code"], 4);
        place.is_clean();
        assert_eq!(sessions(&source), "");
        // And it can be backed up again.
        place.backup(&source.url(), &[]).ok();
        place.holds_one_backup();
    }
}
