//! What goes wrong is named, and nothing that went wrong passes for success.
#![allow(clippy::unwrap_used, clippy::panic)]

mod restore_support;

use std::time::{Duration, Instant};

use pgkeep_engine::Cancel;
use pgkeep_engine::error::ErrorKind;
use pgkeep_engine::restore::RestoreOptions;
use pgkeep_testbed::{Database, FaultProxy, Server, private_server};
use restore_support::{Archive, options, prove_report, small_database};

#[test]
fn an_sql_error_names_its_object_and_says_what_to_do() {
    let server = Server::major(18);
    let archive = Archive::dump(&server, &small_database(&server), &[]);
    let target = Database::create(&server, "not empty");
    target.psql("create view all_of_a as select 1 as x");
    let error = archive.restore(&target.url(), &options()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Server);
    assert!(error.to_string().contains("restoring VIEW public.all_of_a (entry "), "{error}");
    assert!(error.hint.unwrap().contains("--clean"), "{:?}", error.why);
}

#[test]
fn keeping_going_lists_every_error_and_loads_no_data_of_tables_that_failed() {
    let server = Server::major(18);
    let source = small_database(&server);
    let archive = Archive::dump(&server, &source, &[]);
    let target = Database::create(&server, "keep going");
    // A table in the way that has other rows, and rows in it that are not ours.
    target.psql(
        "create table b (other text); insert into b values ('mine'); create view all_of_a as select 1 as x",
    );
    let keep_going = RestoreOptions { keep_going: true, ..options() };
    let report = archive.restore(&target.url(), &keep_going).unwrap();
    let objects: Vec<&str> = report.errors.iter().map(|e| e.object.as_str()).collect();
    for expected in
        ["TABLE public.b ", "VIEW public.all_of_a ", "CONSTRAINT public.b b_pkey ", "FK CONSTRAINT public.b "]
    {
        assert!(objects.iter().any(|o| o.starts_with(expected)), "{expected} in {objects:?}");
    }
    assert!(report.errors.iter().all(|e| e.sqlstate.is_some()), "{:?}", report.errors);
    assert!(report.notes.iter().any(|n| n.contains("TABLE DATA public.b")), "{:?}", report.notes);
    assert_eq!(target.psql("select * from b"), "mine");
    assert_eq!(target.psql("select count(*) from a"), "20000");
}

#[test]
fn an_archive_cut_short_fails_wherever_it_was_cut() {
    let server = Server::major(18);
    let source = small_database(&server);
    for compression in ["0", "6"] {
        let whole = Archive::dump(&server, &source, &["-Z", compression]).len();
        for cut in [1, 6, 300, 3000, whole / 2] {
            let archive = Archive::dump(&server, &source, &["-Z", compression]);
            archive.truncate(whole - cut);
            let target = Database::create(&server, "cut");
            let error = archive.restore(&target.url(), &options()).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Archive, "cut by {cut}: {error}");
            let piped = Archive::dump_through_pipe(&server, &source);
            piped.truncate(piped.len() - cut.min(piped.len() / 2));
            let error = piped.restore(&target.url(), &options()).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Archive, "piped, cut by {cut}: {error}");
        }
    }
}

#[test]
fn damage_in_compressed_data_is_noticed() {
    let server = Server::major(18);
    let source = small_database(&server);
    let archive = Archive::dump(&server, &source, &[]);
    let mut bytes = std::fs::read(&archive.path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 0x55;
    std::fs::write(&archive.path, bytes).unwrap();
    let target = Database::create(&server, "damaged");
    let error = archive.restore(&target.url(), &options()).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Archive | ErrorKind::Server), "{error}");
}

#[test]
fn a_missing_role_is_named_with_a_way_around_it() {
    let server = Server::major(18);
    let source = small_database(&server);
    source.psql("create role restore_test_gone; alter table a owner to restore_test_gone");
    let archive = Archive::dump(&server, &source, &[]);
    source.psql("alter table a owner to postgres; drop role restore_test_gone");
    let target = Database::create(&server, "no role");
    let error = archive.restore(&target.url(), &options()).unwrap_err();
    assert!(error.to_string().contains("restoring TABLE public.a ("), "{error}");
    assert!(error.hint.unwrap().contains("--no-owner"));
    let target = Database::create(&server, "no role");
    archive.restore(&target.url(), &RestoreOptions { no_owner: true, ..options() }).unwrap();
}

#[test]
fn a_wish_to_stop_ends_a_restore_soon_and_leaves_nothing_running() {
    let server = Server::major(18);
    let (source, target) =
        (Database::create(&server, "slow source"), Database::create(&server, "slow target"));
    for database in [&source, &target] {
        database.psql(
            "create table never (i int);
             create function slow(int) returns int immutable language plpgsql as
                 $$ begin perform pg_sleep(1); return $1; end $$",
        );
    }
    // Empty in the source, so that the dump is quick; in the target an index over it takes a quarter of an hour.
    source.psql("create index slow_index on never (slow(i))");
    target.psql("insert into never select generate_series(1, 1000)");
    let archive = Archive::dump(&server, &source, &["--section=post-data"]);
    let cancel = Cancel::new();
    let began = Instant::now();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(1500));
            cancel.raise();
        });
        archive.restore_until(&target.url(), &options(), &cancel).unwrap_err()
    });
    assert_eq!(error.kind, ErrorKind::Cancelled, "{error}");
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    let running = format!(
        "select count(*) from pg_stat_activity where state = 'active' and query like '%INDEX slow_index%'
         and pid <> pg_backend_pid() and datname = '{}'",
        target.name().replace('\'', "''")
    );
    let until = Instant::now() + Duration::from_secs(5);
    while target.psql(&running) != "0" {
        assert!(Instant::now() < until, "the server still builds the index");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_failure_of_one_worker_stops_the_others_soon() {
    let server = Server::major(18);
    let (source, target) =
        (Database::create(&server, "slow source"), Database::create(&server, "slow target"));
    for database in [&source, &target] {
        database.psql(
            "create table never (i int); create table other (i int);
             create function slow(int) returns int immutable language plpgsql as
                 $$ begin perform pg_sleep(1); return $1; end $$",
        );
    }
    source.psql("create index slow_index on never (slow(i)); create unique index twice on other (i)");
    target.psql("insert into never select generate_series(1, 1000); insert into other values (1), (1)");
    let archive = Archive::dump(&server, &source, &["--section=post-data"]);
    let began = Instant::now();
    let error = archive.restore(&target.url(), &options()).unwrap_err();
    assert!(error.to_string().contains("restoring INDEX public.twice ("), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn a_connection_lost_while_loading_is_made_again_and_no_row_comes_twice() {
    let server = Server::major(18);
    let source = Database::create(&server, "lost source");
    source.psql("create table t (v text); insert into t select repeat(md5(i::text), 10) from generate_series(1, 20000) i");
    let archive = Archive::dump(&server, &source, &[]);
    let proxy = FaultProxy::to(("127.0.0.1", server.port()));
    let target = Database::create(&server, "lost target");
    // 6 MB of rows at 4 MB/s.
    proxy.throttle(4 << 20);
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            while proxy.bytes_to_server() < 2 << 20 {
                std::thread::sleep(Duration::from_millis(10));
            }
            proxy.cut_all_now();
        });
        archive.restore(&target.url_via(proxy.port()), &RestoreOptions { jobs: 1, ..options() }).unwrap()
    });
    assert!(report.notes.iter().any(|n| n.contains("trying again")), "{:?}", report.notes);
    assert!(prove_report(&target, &report).is_proven());
    assert_eq!(target.psql("select count(*) from t"), "20000");
}

#[test]
fn a_server_that_crashed_meanwhile_is_not_trusted_to_have_all_rows() {
    let server = private_server(17, &[]);
    let source = Database::create(&server, "crash source");
    source.psql("create table t (v text); insert into t select repeat(md5(i::text), 10) from generate_series(1, 20000) i");
    let archive = Archive::dump(&server, &source, &[]);
    let proxy = FaultProxy::to(("127.0.0.1", server.port()));
    let target = Database::create(&server, "crash target");
    proxy.throttle(4 << 20);
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            while proxy.bytes_to_server() < 2 << 20 {
                std::thread::sleep(Duration::from_millis(10));
            }
            // The server treats the death of one session as a crash of all.
            let pid = source.psql("select pid from pg_stat_activity where query like 'COPY public.t%'");
            assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        });
        archive.restore(&target.url_via(proxy.port()), &RestoreOptions { jobs: 1, ..options() }).unwrap_err()
    });
    assert!(error.to_string().contains("started anew") || error.kind == ErrorKind::Connect, "{error}");
}
