//! Archives that stock pg_dump made become backups.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use pgkeep_testbed::{Database, Server, compare_databases};
use serde_json::Value;
use support::{backup, output, program, restore, succeed};

fn source() -> Database {
    let source = Database::create(&Server::major(17), "adoptee");
    source.psql(
        r#"create table orders (id serial primary key, "a note" text, twice int generated always as (1 + 1) stored);
           insert into orders ("a note") select 'note ' || i from generate_series(1, 700) i;
           create table nothing ();
           create schema other; create table other.t as select 1.5::float8 as x;
           select lo_from_bytea(0, 'a large object');"#,
    );
    source
}

#[track_caller]
fn pg_dump(source: &Database, args: &[&str], to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    succeed(source.server().bin("pg_dump").args(args).arg("-f").arg(to).arg("-d").arg(source.url()));
}

#[track_caller]
fn adopt(store: &str, args: &[&str]) -> Value {
    let mut command = program();
    command.args(["adopt", "--json", "--store", store]).args(args);
    serde_json::from_slice(&succeed(&mut command)).unwrap()
}

fn listed(store: &str) -> Vec<Value> {
    let out = succeed(program().args(["list", "--json", "--store", store]));
    String::from_utf8(out).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn stock_archives_of_every_format_are_adopted_verified_restored_and_proven() {
    let source = source();
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().to_str().unwrap();
    for (key, dump, args) in [
        ("old/a.dump", &["-Fc"][..], &[][..]),
        ("b.backup", &["-Fc", "-Z0"], &[]),
        ("old/folder", &["-Fd"], &[]),
        ("old/c.sql.gz", &["-Fp", "-Z6"], &["--name", "scripted"]),
    ] {
        pg_dump(&source, dump, &dir.path().join(key));
        let told = adopt(store, &[&[key], args].concat());
        let name = if args.is_empty() { source.name() } else { "scripted" };
        assert_eq!((&told["rows"], &told["name"]), (&701.into(), &name.into()), "{told}");
        let id = told["id"].as_str().unwrap();
        assert!(listed(store).iter().any(|l| l["id"] == id && l["adopted"] == true), "{key}");
        let verified = succeed(program().args(["verify", id, "--store", store, "--json"]));
        let verified: Value = serde_json::from_slice(&verified).unwrap();
        assert_eq!(verified["against_manifest"], true, "{key}: {verified}");
        let target = Database::create(source.server(), "target");
        let restored = restore(id, &target, &["--store", store]);
        assert_eq!(restored["proven_against"], "manifest", "{key}: {restored}");
        compare_databases(&source, &target).unwrap();
    }
    assert!(listed(store).iter().all(|l| l["foreign"].is_null()), "nothing is foreign any more");
    let again = output(program().args(["adopt", "b.backup", "--store", store]));
    assert_eq!(again.status.code(), Some(2), "{}", String::from_utf8_lossy(&again.stderr));
}

#[test]
fn what_is_changed_after_the_adoption_is_noticed_and_what_is_damaged_is_not_adopted() {
    let source = source();
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().to_str().unwrap();
    let file = dir.path().join("a.dump");
    pg_dump(&source, &["-Fc"], &file);
    let id = adopt(store, &["a.dump"])["id"].as_str().unwrap().to_owned();
    let mut bytes = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    bytes.seek(SeekFrom::Start(3000)).unwrap();
    bytes.write_all(b"rot").unwrap();
    let out = output(program().args(["verify", &id, "--store", store]));
    assert_eq!(out.status.code(), Some(3), "{}", String::from_utf8_lossy(&out.stderr));

    pg_dump(&source, &["-Fc"], &dir.path().join("cut.dump"));
    let length = std::fs::metadata(dir.path().join("cut.dump")).unwrap().len();
    succeed(
        Command::new("truncate").args(["-s", &(length - 100).to_string()]).arg(dir.path().join("cut.dump")),
    );
    pg_dump(&source, &["-Fp"], &dir.path().join("nameless.sql"));
    pg_dump(&source, &["-Fc"], &dir.path().join("good.dump"));
    let out = output(program().args(["adopt", "--all", "--store", store]));
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success() && said.contains("cut.dump"), "{said}");
    assert!(said.contains("nameless.sql") && said.contains("--name"), "{said}");
    let printed = String::from_utf8_lossy(&out.stdout);
    assert!(
        printed.contains("good.dump") && listed(store).iter().filter(|l| l["foreign"] == true).count() == 2
    );
}

#[test]
fn retention_counts_an_adopted_backup_by_itself_unless_it_is_told_whose_it_is() {
    let source = source();
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().to_str().unwrap();
    pg_dump(&source, &["-Fc"], &dir.path().join("apart.dump"));
    pg_dump(&source, &["-Fc"], &dir.path().join("together.dump"));
    let own = backup(&source, store, &["--name", "shop"])["id"].as_str().unwrap().to_owned();
    let apart = adopt(store, &["apart.dump", "--name", "shop"])["id"].as_str().unwrap().to_owned();
    adopt(store, &["together.dump", "--name", "shop", "--same-database-as", &own]);
    succeed(program().args(["prune", "--keep-last", "1", "--store", store]));
    let mut left: Vec<String> = listed(store).iter().map(|l| l["id"].as_str().unwrap().to_owned()).collect();
    let mut expected = [own, apart];
    left.sort();
    expected.sort();
    assert_eq!(left, expected);
    assert!(!dir.path().join("together.dump").exists() && dir.path().join("apart.dump").exists());
}
