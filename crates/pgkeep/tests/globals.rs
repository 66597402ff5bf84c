//! Roles, tablespaces, and all databases of a server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;
use std::process::{Command, Output};

use pgkeep_testbed::{Server, private_server};
use serde_json::Value;
use support::{output, program, succeed};

const ROLES: &str = r#"
create role readers;
create role app login password 'pw-of-app' connection limit 5 valid until '2099-01-01';
create role "Odd ""Role""; x" createdb createrole;
create role keeper superuser replication bypassrls;
alter role app set search_path to 'a;b', public;
alter role app set work_mem to '8MB';
comment on role app is E'it''s; the\n-- app\\';
grant readers to app;
grant readers to "Odd ""Role""; x" with admin option;
grant pg_monitor to readers;
grant set on parameter log_min_messages to readers;
"#;

/// The server's globals by stock pg_dumpall, without what differs between any two servers: the superuser that initdb
/// made, whose password has a salt of its own, and the key of `\restrict`.
fn globals(server: &Server) -> String {
    let all = succeed(server.bin("pg_dumpall").arg("--globals-only"));
    let all = String::from_utf8(all).unwrap();
    let noise = ["\\restrict", "\\unrestrict", "ALTER ROLE postgres "];
    all.lines().filter(|l| !noise.iter().any(|n| l.starts_with(n))).collect::<Vec<_>>().join("\n")
}

fn json(out: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
}

fn backup_all(url: &str, to: &Path, extra: &[&str]) -> Output {
    let mut command = program();
    command.args(["backup", "--all", url, "--json", "--to"]).arg(to).args(extra);
    output(&mut command)
}

fn restore_globals(what: &str, store: &Path, into: &Server) -> Output {
    let mut command = program();
    command
        .args(["restore", "--globals", what, "--json", "--into", &into.url("postgres"), "--store"])
        .arg(store);
    output(&mut command)
}

fn listed(store: &Path, name: &str) -> Vec<Value> {
    let mut command = program();
    json(&output(command.args(["list", name, "--json", "--store"]).arg(store)))
}

/// A folder that the server may make a tablespace in.
fn tablespace_folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    // As root the servers run as another user, who must own it.
    let own = format!("test $(id -u) -ne 0 || chown postgres {}", dir.path().display());
    succeed(Command::new("sh").args(["-c", &own]));
    dir
}

#[test]
fn roles_and_tablespaces_restored_on_a_fresh_server_are_those_of_the_old_one() {
    let (source, target) = (private_server(17, &[]), private_server(17, &[]));
    let store = tempfile::tempdir().unwrap();
    let folder = tablespace_folder();
    source.psql("postgres", ROLES);
    source.psql(
        "postgres",
        &format!("create tablespace fast owner app location '{}'", folder.path().display()),
    );
    source.psql(
        "postgres",
        "grant create on tablespace fast to readers; alter tablespace fast set (seq_page_cost = 2)",
    );
    let before = globals(&source);
    let out = backup_all(&source.url("postgres"), store.path(), &[]);
    assert!(out.status.success(), "{out:?}");
    let last = json(&out).pop().unwrap();
    assert_eq!(
        (last["ok"].as_bool(), last["globals"]["passwords"].as_bool()),
        (Some(true), Some(true)),
        "{last}"
    );
    // Both servers share this machine's folders.
    source.stop();
    succeed(Command::new("sh").arg("-c").arg(format!("rm -rf {}/*", folder.path().display())));

    let out = restore_globals("postgres@latest", store.path(), &target);
    assert!(out.status.success(), "{out:?}");
    let report = json(&out).pop().unwrap();
    assert_eq!(report["existing_roles"], serde_json::json!(["postgres"]), "{report}");
    assert_eq!(report["roles"].as_array().unwrap().len(), 4, "{report}");
    assert_eq!(report["tablespaces"], serde_json::json!(["fast"]), "{report}");
    assert_eq!(globals(&target), before);
    let verified = succeed(program().args(["verify", "postgres@latest", "--store"]).arg(store.path()));
    assert!(String::from_utf8_lossy(&verified).contains("globals   size and SHA-256 match"));
    // The password itself came along.
    let mut psql = target.bin("psql");
    psql.env("PGUSER", "app").env("PGPASSWORD", "pw-of-app").args([
        "-X",
        "-Atc",
        "select current_user",
        "postgres",
    ]);
    assert_eq!(succeed(&mut psql), b"app\n");

    let out = restore_globals("postgres@latest", store.path(), &target);
    assert!(out.status.success(), "{out:?}");
    let report = json(&out).pop().unwrap();
    let empty = serde_json::json!([]);
    assert_eq!(
        (&report["roles"], &report["tablespaces"], &report["errors"]),
        (&empty, &empty, &empty),
        "{report}"
    );
    assert_eq!(report["existing_roles"].as_array().unwrap().len(), 5, "{report}");
    assert_eq!(globals(&target), before, "a second restore changes nothing");
    for out in [out, backup_all(&target.url("postgres"), store.path(), &["--no-globals"])] {
        let said = [out.stdout, out.stderr].concat();
        assert!(!String::from_utf8_lossy(&said).contains("SCRAM-SHA-256"), "no hash is printed");
    }
}

#[test]
fn without_pg_authid_the_roles_come_without_passwords_and_a_role_that_is_there_keeps_its_own() {
    let (source, target) = (private_server(15, &[]), private_server(16, &[]));
    let store = tempfile::tempdir().unwrap();
    source.psql(
        "postgres",
        "create role app login password 'old'; create role team; grant team to app; \
         create role backup login password 'pw-of-backup' in role pg_read_all_settings",
    );
    let url = source.url("postgres").replace("postgres:secret@", "backup:pw-of-backup@");
    let out = output(program().args(["backup", &url, "--globals", "--to"]).arg(store.path()));
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success() && said.contains("without hashes of passwords"), "{out:?}");
    let shown = succeed(program().args(["show", "postgres@latest", "--store"]).arg(store.path()));
    assert!(String::from_utf8_lossy(&shown).contains("without hashes of passwords"));

    // The restore goes to a role that is no superuser, on another version, where one of the roles is there.
    target.psql(
        "postgres",
        "create role boss login createrole password 'pw-of-boss'; create role app login password 'kept'; \
         grant app to boss with admin option",
    );
    let kept = target.psql("postgres", "select rolpassword from pg_authid where rolname = 'app'");
    let into = target.url("postgres").replace("postgres:secret@", "boss:pw-of-boss@");
    let mut command = program();
    command.args(["restore", "--globals", "postgres@latest", "--into", &into, "--store"]).arg(store.path());
    let said = String::from_utf8(output(&mut command).stdout).unwrap();
    assert!(
        said.contains("existing") && said.contains("app") && said.contains("without passwords"),
        "{said}"
    );
    assert_eq!(target.psql("postgres", "select rolpassword from pg_authid where rolname = 'app'"), kept);
    assert_eq!(target.psql("postgres", "select pg_has_role('app', 'team', 'member')"), "t");
}

#[test]
fn what_cannot_be_restored_is_named_and_the_rest_is_done() {
    let (source, target) = (private_server(18, &[]), private_server(18, &[]));
    let store = tempfile::tempdir().unwrap();
    let folder = tablespace_folder();
    source.psql("postgres", "create role app");
    source.psql("postgres", &format!("create tablespace lost location '{}'", folder.path().display()));
    let out = backup_all(&source.url("postgres"), store.path(), &[]);
    assert!(out.status.success(), "{out:?}");
    drop(source);
    drop(folder);
    let out = restore_globals("postgres@latest", store.path(), &target);
    assert_eq!(out.status.code(), Some(1), "{out:?}");
    let report = json(&out).pop().unwrap();
    assert_eq!(report["errors"][0]["object"], "tablespace lost", "{report}");
    assert_eq!(report["roles"], serde_json::json!(["app"]), "{report}");
    // A script that was changed is not run.
    let id = listed(store.path(), "postgres")[0]["id"].as_str().unwrap().to_owned();
    let script = store.path().join(format!("postgres/{id}.globals.sql"));
    std::fs::write(&script, "CREATE ROLE intruder SUPERUSER;\n").unwrap();
    for out in [
        restore_globals(&id, store.path(), &target),
        output(program().args(["verify", &id, "--store"]).arg(store.path())),
    ] {
        assert_eq!(out.status.code(), Some(3), "{out:?}");
    }
    assert_eq!(target.psql("postgres", "select count(*) from pg_roles where rolname = 'intruder'"), "0");
}

#[test]
fn a_backup_without_globals_says_so() {
    let server = private_server(17, &[]);
    let store = tempfile::tempdir().unwrap();
    succeed(program().args(["backup", &server.url("postgres"), "--to"]).arg(store.path()));
    let out = restore_globals("postgres@latest", store.path(), &server);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("holds no roles") && said.contains("--globals"), "{said}");
}

#[test]
fn all_databases_of_a_server_are_backed_up_though_one_fails() {
    let server = private_server(17, &[]);
    let store = tempfile::tempdir().unwrap();
    for name in ["shop", "shop2", "\"shop/x\"", "shop_x", "closed", "\"Left.out\"", "locked"] {
        server.psql("postgres", &format!("create database {name}"));
    }
    server.psql("postgres", "alter database closed allow_connections false");
    for name in ["shop", "shop2", "shop/x", "shop_x", "locked"] {
        server.psql(name, &format!("create table here as select '{name}' as name"));
    }
    let mut holder = server.bin("psql");
    holder.args(["-X", "-d", "locked", "-c", "begin; lock table here; select pg_sleep(600)"]);
    let mut holder = holder.stdout(std::process::Stdio::null()).spawn().unwrap();
    let locked = "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and database = \
                  (select oid from pg_database where datname = 'locked')";
    while server.psql("locked", locked) == "0" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }

    let extra =
        ["--exclude-database", "\"Left.*\"", "--exclude-database", "\"Left.out\"", "--lock-timeout", "300ms"];
    let out = backup_all(&server.url("postgres"), store.path(), &extra);
    server
        .psql("postgres", "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'locked'");
    holder.wait().unwrap();
    assert_eq!(out.status.code(), Some(1), "{out:?}");
    let mut lines = json(&out);
    let last = lines.pop().unwrap();
    assert_eq!(last["ok"], false, "{last}");
    assert_eq!(last["backed_up"], 5, "{last}");
    assert_eq!(last["failed"], serde_json::json!(["locked"]), "{last}");
    let skipped: Vec<&str> =
        last["skipped"].as_array().unwrap().iter().map(|s| s["database"].as_str().unwrap()).collect();
    assert_eq!(skipped, ["Left.out", "closed"], "{last}");
    let failed: Vec<&Value> = lines.iter().filter(|l| l["ok"] == false).collect();
    assert_eq!((failed.len(), &failed[0]["database"]), (1, &"locked".into()), "{failed:?}");
    assert_eq!(failed[0]["error"]["kind"], "lock-timeout");

    // Names that begin alike, or are alike but for a sign that no key can have, never mix.
    let oid = server.psql("postgres", "select oid from pg_database where datname = 'shop/x'");
    let of = |name: &str| -> Vec<String> {
        listed(store.path(), name)
            .iter()
            .map(|l| l["database"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    for (name, database) in [
        ("shop".to_owned(), "shop"),
        ("shop2".into(), "shop2"),
        ("shop_x".into(), "shop_x"),
        (format!("shop_x-{oid}"), "shop/x"),
    ] {
        assert_eq!(of(&name), [database]);
        let shown = succeed(
            program().args(["show", &format!("{name}@latest"), "--json", "--store"]).arg(store.path()),
        );
        let shown: Value = serde_json::from_slice(&shown).unwrap();
        assert_eq!(shown["dump"]["database"]["name"], database);
    }
    // Below a name for the server.
    let out = backup_all(&server.url("postgres"), store.path(), &["--name", "shop", "--no-globals"]);
    assert!(out.status.success(), "{out:?}");
    assert_eq!((of("shop"), of("shop/shop2")), (vec!["shop".to_owned()], vec!["shop2".to_owned()]));
    assert!(json(&out).pop().unwrap()["globals"].is_null());
}
