//! The ways to a server that libpq knows: files, sockets, several hosts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use failures_support::closed_port;
use failures_support::data::noise;
use failures_support::place::Place;
use failures_support::program::{Ran, run};
use pgkeep_testbed::{Database, OwnServer, Server, compare_databases, private_server};

/// Backs up with variables set.
fn backup(place: &Place, database: &str, vars: &[(&str, &str)]) -> Ran {
    let mut command = place.pgkeep(&["backup", database, "--to", &place.url()]);
    command.envs(vars.iter().copied());
    run(command)
}

fn write(path: &Path, text: &str, mode: u32) -> String {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_password_file_is_used_unless_others_may_read_it() {
    let server = Server::major(17);
    let home = tempfile::tempdir().unwrap();
    let line = format!("127.0.0.1:{}:*:postgres:{}\n", server.port(), Server::PASSWORD);
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", server.port());
    let place = Place::folder();
    let pgpass = home.path().join(".pgpass");
    write(&pgpass, &line, 0o600);
    let home_dir = home.path().to_str().unwrap();
    backup(&place, &url, &[("HOME", home_dir)]).ok();
    place.holds_one_backup();
    write(&pgpass, &line, 0o644);
    backup(&place, &url, &[("HOME", home_dir)])
        .failed(4, &["asks for a password", ".pgpass is ignored", "chmod 600"]);
    let other = write(&home.path().join("other"), &line, 0o600);
    backup(&place, &url, &[("HOME", home_dir), ("PGPASSFILE", &other)]).ok();
    backup(&place, &format!("{url}?passfile={other}"), &[]).ok();
}

#[test]
fn a_service_says_where_to_go() {
    let server = Server::major(16);
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "[shop]\nhost=127.0.0.1\nport={}\nuser=postgres\npassword={}\ndbname=postgres\n",
        server.port(),
        Server::PASSWORD
    );
    let file = write(&dir.path().join("services"), &text, 0o600);
    let place = Place::folder();
    backup(&place, "service=shop", &[("PGSERVICEFILE", &file)]).ok();
    backup(&place, "postgres://?service=shop", &[("PGSERVICEFILE", &file), ("PGPORT", "1")]).ok();
    write(&dir.path().join(".pg_service.conf"), &text, 0o600);
    let home = dir.path().to_str().unwrap();
    backup(&place, "dbname=postgres", &[("HOME", home), ("PGSERVICE", "shop")]).ok();
    backup(&place, "service=shoq", &[("PGSERVICEFILE", &file)]).failed(2, &["\"shoq\" is not defined"]);
}

#[test]
fn a_dead_host_is_passed_over() {
    let server = Server::major(18);
    let (dead, live) = (closed_port(), server.port());
    let place = Place::folder();
    let login = format!("postgres:{}", Server::PASSWORD);
    let url = format!("postgres://{login}@127.0.0.1:{dead},localhost:{live}/postgres");
    place.backup(&url, &["--jobs", "3"]).ok();
    place.holds_one_backup();
    place.backup(&format!("{url}?load_balance_hosts=random"), &[]).ok();
    let both = format!("postgres://{login}@127.0.0.1:{dead},localhost:{dead}/postgres");
    place.backup(&both, &[]).failed(4, &["none of 2 servers will do", "connecting to localhost"]);
    place
        .backup(&format!("postgres://postgres:wrong@127.0.0.1:{live},127.0.0.1:{dead}/postgres"), &[])
        .failed(4, &["password authentication failed"]);
}

#[test]
fn a_restore_passes_over_a_dead_host_with_all_its_sessions() {
    let server = Server::major(17);
    let (source, target) = (noise(&server, 50_000), Database::create(&server, "restored"));
    let place = Place::folder();
    place.backup(&source.url(), &[]).ok();
    let id = place.holds_one_backup();
    let into = format!(
        "host=127.0.0.1,localhost port={},{} user=postgres password={} dbname='{}' target_session_attrs=read-write",
        closed_port(),
        server.port(),
        Server::PASSWORD,
        target.name()
    );
    place.ran(&["restore", &id, "--store", &place.url(), "--into", &into, "--jobs", "3"]).ok();
    compare_databases(&source, &target).unwrap();
}

/// A server on a Unix socket, and the socket's directory.
fn on_socket(major: u32, hba: &str) -> (OwnServer, String) {
    let server = private_server(major, &[]);
    let dir = server.data_dir().parent().unwrap().to_str().unwrap().to_owned();
    server.append(
        "postgresql.conf",
        &format!("unix_socket_directories = '{dir}, @pgkeep-{}'\n", server.port()),
    );
    server.set_hba(hba);
    server.restart();
    (server, dir)
}

#[test]
fn unix_sockets_are_reached_by_path_and_by_abstract_name() {
    let (server, dir) =
        on_socket(17, "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n");
    let place = Place::folder();
    let (port, password) = (server.port(), Server::PASSWORD);
    place
        .backup(&format!("host={dir} port={port} user=postgres password={password} dbname=postgres"), &[])
        .ok();
    place.holds_one_backup();
    let encoded = dir.replace('/', "%2F");
    place
        .backup(&format!("postgres://postgres:{password}@{encoded}:{port}/postgres?sslmode=require"), &[])
        .ok();
    let name = format!("%40pgkeep-{port}");
    place.backup(&format!("postgres://postgres:{password}@{name}:{port}/postgres"), &[]).ok();
}

#[test]
fn md5_and_plain_passwords_work_and_peer_says_why_it_does_not() {
    let (server, dir) = on_socket(
        16,
        "local all postgres peer\nhost all plain 127.0.0.1/32 password\nhost all old 127.0.0.1/32 md5\n\
         host all all 127.0.0.1/32 scram-sha-256\n",
    );
    server.psql("postgres", "create role plain superuser login password 'pw-planted-a'");
    server.psql(
        "postgres",
        "set password_encryption = md5; create role old superuser login password 'pw-planted-a'",
    );
    let place = Place::folder();
    let at = |role: &str| format!("postgres://{role}:pw-planted-a@127.0.0.1:{}/postgres", server.port());
    for role in ["plain", "old"] {
        place.backup(&at(role), &[]).ok();
        place
            .backup(&format!("{}?require_auth=scram-sha-256", at(role)), &[])
            .failed(4, &["require_auth=scram-sha-256 forbids it"]);
    }
    place
        .backup(&format!("host={dir} port={} user=postgres dbname=postgres", server.port()), &[])
        .failed(4, &["Peer authentication failed", "name another host"]);
}

#[test]
fn a_server_that_asks_for_nothing_does_not_satisfy_who_demands_a_proof() {
    let server = private_server(17, &[]);
    server.set_hba("host all all 127.0.0.1/32 trust\n");
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", server.port());
    let place = Place::folder();
    place.backup(&url, &[]).ok();
    place.backup(&format!("{url}?require_auth=!none"), &[]).failed(4, &["asks for no proof"]);
}

#[test]
fn a_parameter_that_is_not_known_or_not_done_is_told_before_anything_is_sent() {
    let place = Place::folder();
    for (parameters, words) in [
        ("sslmodee=require", ["\"sslmodee\"", "did you mean \"sslmode\"?"]),
        ("sslmode=maybe", ["sslmode \"maybe\"", "verify-full"]),
        ("gssencmode=require", ["GSSAPI", "verify-full"]),
        ("sslpassword=pw-planted-b", ["encrypted client key", "openssl pkey"]),
        ("port=70000", ["70000", "65535"]),
        ("hostaddr=nowhere", ["hostaddr", "IP address"]),
        ("target_session_attrs=writer", ["writer", "read-write"]),
        ("require_auth=md6", ["md6", "scram-sha-256"]),
        ("sslrootcert=system&sslmode=require", ["too weak", "verify-full"]),
    ] {
        place.backup(&format!("postgres://u@h/d?{parameters}"), &[]).failed(2, &words);
    }
}

#[test]
fn nothing_of_the_users_environment_reaches_pg_dump_but_the_connection() {
    let server = Server::major(18);
    let place = Place::folder();
    // libpq sends these to the server, which refuses them.
    let foreign = [("PGGEQO", "maybe"), ("PGDATESTYLE", "nonsense"), ("PGTZ", "Nowhere/At_All")];
    let psql = server.bin("psql").envs(foreign).args(["-c", "select 1", "postgres"]).output().unwrap();
    assert!(!psql.status.success());
    backup(&place, &server.url("postgres"), &foreign).ok();
}

#[test]
fn a_file_of_trusted_certificates_for_pg_dump_is_gone_afterwards() {
    let server = Server::major(16);
    let place = Place::folder();
    let temp = tempfile::tempdir().unwrap();
    let url = format!(
        "postgres://postgres:{}@localhost:{}/postgres?sslrootcert=system",
        Server::PASSWORD,
        server.port()
    );
    let ca = Server::ca_certificate();
    let vars = [("TMPDIR", temp.path().to_str().unwrap()), ("SSL_CERT_FILE", ca.to_str().unwrap())];
    backup(&place, &url, &vars).ok();
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
}
