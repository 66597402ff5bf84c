//! The database cannot be reached, read, or dumped by the programs there are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::time::Duration;

use failures_support::closed_port;
use failures_support::data::{no_sessions, noise};
use failures_support::place::Place;
use failures_support::program::{PLANTED, PLANTED_IN_URL, Running, run};
use failures_support::wait_until;
use pgkeep_testbed::{Database, FaultProxy, Server};

#[test]
fn a_port_where_nobody_listens_is_named() {
    let place = Place::folder();
    let port = closed_port();
    let url = format!("postgres://postgres:{PLANTED_IN_URL}@127.0.0.1:{port}/shop");
    let ran = place.backup(&url, &[]);
    ran.failed(4, &[&format!("connecting to 127.0.0.1:{port}"), "refused", "check host and port"]);
    place.is_clean();
}

#[test]
fn a_host_without_an_address_is_named() {
    let place = Place::folder();
    let ran = place.backup(&format!("postgres://u:{PLANTED_IN_URL}@no-such-host.invalid/shop"), &[]);
    ran.failed(4, &["no-such-host.invalid", "check the host's name"]);
    place.is_clean();
}

#[test]
fn a_server_that_never_answers_is_given_up_after_the_connect_timeout() {
    let server = Server::major(18);
    let proxy = FaultProxy::to(("127.0.0.1", server.port()));
    proxy.stall();
    // With TLS asked for the silence comes before the log-in, without it within.
    for sslmode in ["prefer", "disable"] {
        let place = Place::folder();
        let url = format!("{}?connect_timeout=2&sslmode={sslmode}", server.url_via(proxy.port(), "postgres"));
        let ran = place.backup(&url, &[]).failed(4, &["127.0.0.1", "no answer within 2 s"]);
        assert!(ran.took < Duration::from_secs(8), "{ran:#?}");
        place.is_clean();
    }
}

#[test]
fn a_server_that_closes_at_once_is_named() {
    let server = Server::major(18);
    let proxy = FaultProxy::to(("127.0.0.1", server.port()));
    proxy.refuse(true);
    let place = Place::folder();
    place.backup(&server.url_via(proxy.port(), "postgres"), &[]).failed(4, &["connecting to", "127.0.0.1"]);
    place.is_clean();
}

#[test]
fn a_web_server_is_not_taken_for_a_database() {
    let s3 = pgkeep_testbed::S3::from_env();
    let place = Place::folder();
    let url = format!("postgres://u:{PLANTED_IN_URL}@{}/shop?connect_timeout=3", s3.address());
    place.backup(&url, &[]).failed(4, &["connecting to", "no PostgreSQL server"]);
    place.is_clean();
}

#[test]
fn a_wrong_password_is_told_without_the_password() {
    for major in [14, 18] {
        let server = Server::major(major);
        let place = Place::folder();
        let url = format!("postgres://postgres:{PLANTED_IN_URL}@127.0.0.1:{}/postgres", server.port());
        let ran = place.backup(&url, &["--json"]);
        let ran = ran.failed(
            4,
            &["password authentication failed", "\"postgres\"", "check the user and its password"],
        );
        let error = &ran.json()["error"];
        assert_eq!((error["kind"].as_str(), error["exit_code"].as_u64()), (Some("authentication"), Some(4)));
        place.is_clean();
    }
}

#[test]
fn a_missing_password_is_asked_for() {
    let server = Server::major(18);
    let place = Place::folder();
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", server.port());
    place.backup(&url, &[]).failed(4, &["asks for a password", "PGPASSWORD"]);
    place.is_clean();
}

#[test]
fn a_missing_database_is_named() {
    let server = Server::major(18);
    let place = Place::folder();
    place
        .backup(&server.url("no_such_database"), &[])
        .failed(4, &["\"no_such_database\" does not exist", "psql -l"]);
    place.is_clean();
}

/// A role with a planted password; dropped with its database.
fn role(database: &Database) -> String {
    let name = format!("r_{}", database.name().replace(' ', "_"));
    database.psql(&format!("create role {name} login password '{PLANTED}'"));
    name
}

fn drop_role(server: &Server, database: Database, role: &str) {
    database.psql(&format!("drop owned by {role}"));
    drop(database);
    server.psql("postgres", &format!("drop role {role}"));
}

#[test]
fn a_table_that_may_not_be_read_is_named() {
    for major in [14, 18] {
        let server = Server::major(major);
        let database = noise(&server, 1000);
        database.psql(
            "create table public.payroll (x int); create schema hidden; create table hidden.diary (x int)",
        );
        let role = role(&database);
        database.psql(&format!("grant select on t to {role}"));
        let url =
            format!("postgres://{role}:{PLANTED_IN_URL}@127.0.0.1:{}/{}", server.port(), database.name());
        let place = Place::folder();
        place
            .backup(&url, &["--json"])
            .failed(1, &["permission denied for table payroll", "pg_read_all_data"]);
        place.is_clean();
        database.psql(&format!("grant select on payroll to {role}"));
        place.backup(&url, &[]).failed(1, &["permission denied for schema hidden"]);
        place.is_clean();
        database.psql(&format!("grant pg_read_all_data to {role}"));
        place.backup(&url, &[]).ok();
        no_sessions(&database);
        drop_role(&server, database, &role);
    }
}

#[test]
fn a_table_with_row_security_that_hides_rows_from_the_user_is_named() {
    let server = Server::major(18);
    let database = noise(&server, 100);
    database.psql("alter table t enable row level security");
    let role = role(&database);
    database.psql(&format!("grant pg_read_all_data to {role}"));
    let url = format!("postgres://{role}:{PLANTED_IN_URL}@127.0.0.1:{}/{}", server.port(), database.name());
    let place = Place::folder();
    place.backup(&url, &[]).failed(1, &["row-level security", "\"t\""]);
    place.is_clean();
    drop_role(&server, database, &role);
}

#[test]
fn a_large_object_that_may_not_be_read_is_named() {
    let server = Server::major(18);
    let database = noise(&server, 100);
    database.psql("select lo_from_bytea(77001, 'hers alone')");
    let role = role(&database);
    database.psql(&format!("grant pg_read_all_data to {role}"));
    let url = format!("postgres://{role}:{PLANTED_IN_URL}@127.0.0.1:{}/{}", server.port(), database.name());
    let place = Place::folder();
    place.backup(&url, &[]).failed(1, &["permission denied for large object 77001"]);
    place.is_clean();
    drop_role(&server, database, &role);
}

#[test]
fn without_a_pg_dump_that_is_new_enough_the_next_step_is_told() {
    let server = Server::major(18);
    let database = noise(&server, 100);
    let place = Place::folder();
    let empty = tempfile::tempdir().unwrap();
    let older = Server::major(14).bin_dir().to_owned();
    let mut command = place.pgkeep(&["backup", &database.url(), "--to", &place.url(), "--json"]);
    command.env("PATH", "").env("PGKEEP_PG_BIN", std::env::join_paths([empty.path(), &older]).unwrap());
    let version = format!("14.{}", server_minor(&Server::major(14)));
    let ran = run(command)
        .failed(6, &["pg_dump 18 or newer", "is older", &version, "postgresql-client-18", "PGKEEP_PG_BIN"]);
    assert_eq!(ran.json()["error"]["kind"], "client-tool");
    place.is_clean();
    no_sessions(&database);
}

fn server_minor(server: &Server) -> String {
    let version = server.psql("postgres", "show server_version");
    version.split(['.', ' ']).nth(1).unwrap().to_owned()
}

/// Distributions' folders are looked into as well, which a test cannot empty; what is said where there is no
/// pg_dump at all is tested beside the code (`client_tools.rs`). Here: a pg_dump that does not work is none.
#[test]
fn a_pg_dump_that_does_not_run_is_not_counted() {
    let server = Server::major(18);
    let place = Place::folder();
    let broken = tempfile::tempdir().unwrap();
    let path = broken.path().join("pg_dump");
    std::fs::write(&path, "#!/bin/sh\necho 'pg_dump (PostgreSQL) 18.9'; exit 1\n").unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = place.pgkeep(&["backup", &server.url("postgres"), "--to", &place.url()]);
    command.env("PATH", "").env("PGKEEP_PG_BIN", broken.path());
    run(command).failed(6, &["pg_dump 18 or newer", "postgresql-client-18"]);
    place.is_clean();
}

#[test]
fn a_pg_dump_that_breaks_off_is_told_in_its_own_words() {
    let server = Server::major(18);
    let place = Place::folder();
    let broken = tempfile::tempdir().unwrap();
    let path = broken.path().join("pg_dump");
    let script = "#!/bin/sh\n[ \"$1\" = --version ] && echo 'pg_dump (PostgreSQL) 18.0' && exit 0\n\
                  echo 'pg_dump: error: the sky fell' >&2\nprintf 'PGDMP\\001'\nexit 1\n";
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = place.pgkeep(&["backup", &server.url("postgres"), "--to", &place.url()]);
    command.env("PGKEEP_PG_BIN", broken.path());
    run(command).failed(6, &["pg_dump", "the sky fell"]);
    place.is_clean();
}

#[test]
fn the_password_is_on_no_command_line_of_a_child() {
    let server = Server::major(18);
    let database = noise(&server, 1000);
    let role = role(&database);
    database.psql(&format!("grant pg_read_all_data to {role}"));
    let proxy = FaultProxy::to(("127.0.0.1", server.port()));
    proxy.throttle(40_000);
    let place = Place::folder();
    let url = format!("postgres://{role}@127.0.0.1:{}/{}", proxy.port(), database.name());
    let mut command = place.pgkeep(&["backup", &url, "--to", &place.url(), "--progress", "json"]);
    command.env("PGPASSWORD", PLANTED);
    let running = Running::start(&mut command);
    let mut seen = String::new();
    wait_until("pg_dump runs", || {
        seen = running
            .children()
            .iter()
            .map(|c| c.arguments.clone())
            .find(|a| a.contains("--snapshot"))
            .unwrap_or_default();
        !seen.is_empty()
    });
    assert!(!seen.contains("planted"), "{seen}");
    proxy.heal();
    running.wait().ok();
    place.holds_one_backup();
    drop_role(&server, database, &role);
}
