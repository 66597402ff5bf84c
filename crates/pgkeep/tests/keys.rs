//! Where archives stand in the store.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pgkeep_testbed::{Database, Server, compare_databases};
use serde_json::Value;
use support::{backup, output, pgkeep, program, restore, succeed};

fn listed(store: &str) -> Vec<Value> {
    let out = succeed(program().args(["list", "--store", store, "--json"]));
    String::from_utf8(out).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn backups_under_every_preset_are_listed_verified_and_restored() {
    let server = Server::major(18);
    let source = Database::create(&server, "shop");
    source.psql("create table t (a int); insert into t values (1), (2)");
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().to_str().unwrap();
    let day = "2[0-9]{3}-[0-9]{2}-[0-9]{2}";
    let name = source.name().to_owned();
    for (key, format, pattern) in [
        ("pgkeep", "custom", format!("/{name}/2[0-9]{{7}}T[0-9]{{6}}Z-[0-9a-f]{{6}}\\.dump$")),
        ("instance", "custom", format!("/backups/127\\.0\\.0\\.1/{name}/2[0-9]{{7}}T[0-9]{{6}}Z\\.dump$")),
        ("daily", "plain", format!("/{name}/{day}/{name}_{day}_[0-9-]{{8}}\\.sql\\.zst$")),
        ("flat", "plain", "/backups/backup_2[0-9]{7}_[0-9]{6}\\.sql\\.zst$".to_owned()),
        ("own/{name}/{id}.sql", "plain", format!("/own/{name}/2.*\\.sql\\.zst$")),
    ] {
        let result = backup(&source, store, &["--key", key, "--format", format]);
        let url = result["url"].as_str().unwrap();
        let judge =
            std::process::Command::new("grep").args(["-qE", &pattern]).stdin(echo(url)).status().unwrap();
        assert!(judge.success(), "{key}: {url}");
        let id = result["id"].as_str().unwrap();
        assert!(listed(store).iter().any(|l| l["id"] == id && l["url"] == url), "{key}");
        succeed(program().args(["verify", id, "--store", store]));
        let manifest = result["manifest_url"].as_str().unwrap();
        for what in [id, manifest] {
            let target = Database::create(&server, "target");
            let told = restore(what, &target, &["--store", store]);
            assert_eq!(told["proven_against"], "manifest", "{key} {what}");
            compare_databases(&source, &target).unwrap();
        }
    }
    assert_eq!(listed(store).len(), 5);
}

fn echo(text: &str) -> std::process::Stdio {
    let mut child =
        std::process::Command::new("echo").arg(text).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    child.wait().unwrap();
    out.into()
}

#[test]
fn databases_whose_names_begin_alike_do_not_mix() {
    let server = Server::major(18);
    let short = Database::create(&server, "shop");
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().to_str().unwrap();
    short.psql("create table short_one ()");
    backup(&short, store, &["--key", "daily", "--format", "plain", "--name", "shop"]);
    let long = Database::create(&server, "shop");
    long.psql("create table long_one ()");
    backup(&long, store, &["--key", "daily", "--format", "plain", "--name", "shop_2"]);
    let target = Database::create(&server, "target");
    restore("shop@latest", &target, &["--store", store]);
    assert_eq!(
        target.psql("select to_regclass('short_one') is not null, to_regclass('long_one') is null"),
        "t|t"
    );
    let only = succeed(program().args(["list", "shop", "--store", store, "--json"]));
    assert_eq!(String::from_utf8(only).unwrap().lines().count(), 1);
}

#[test]
fn an_object_that_is_there_is_never_overwritten() {
    let server = Server::major(18);
    let source = Database::create(&server, "source");
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().to_str().unwrap();
    // Every second that the backup can begin in is taken.
    std::fs::create_dir(dir.path().join("backups")).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    for second in now..now + 120 {
        let date = format!("@{second}");
        let name = succeed(std::process::Command::new("date").args([
            "-u",
            "-d",
            &date,
            "+backup_%Y%m%d_%H%M%S.dump",
        ]));
        let name = String::from_utf8(name).unwrap();
        std::fs::write(dir.path().join("backups").join(name.trim()), "precious").unwrap();
    }
    let out = pgkeep(&["backup", &source.url(), "--to", store, "--key", "flat"]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success() && said.contains("it is there already"), "{said}");
    assert!(listed(store).iter().all(|l| l["foreign"] == true), "no backup came of it");
    for file in std::fs::read_dir(dir.path().join("backups")).unwrap() {
        assert_eq!(std::fs::read(file.unwrap().path()).unwrap(), b"precious");
    }
}

#[test]
fn templates_that_cannot_work_are_refused_with_what_to_do() {
    for (args, word) in [
        (&["--key", "{database}"][..], "add {id}"),
        (&["--key", "{databse}/{id}"], "known are"),
        (&["--key", "weekly"], "preset"),
        (&["--key", "{id}.sql"], "--format"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let url = Server::major(18).url("postgres");
        let mut command = program();
        command.args(["backup", &url, "--to", dir.path().to_str().unwrap()]).args(args);
        let out = output(&mut command);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(word), "{args:?}: {said}");
    }
}
