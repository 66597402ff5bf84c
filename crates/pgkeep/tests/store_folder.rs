//! A backup in a folder: plain files that stock tools check.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;
use std::process::Command;

use pgkeep_testbed::{Database, Server, compare_databases};
use support::digest::assert_digests;
use support::{Backup, pgkeep, program, restore, succeed};

fn files(folder: &Path) -> Vec<String> {
    let out = succeed(Command::new("find").args([".", "-type", "f"]).current_dir(folder));
    let mut files: Vec<String> = String::from_utf8(out).unwrap().lines().map(str::to_owned).collect();
    files.sort();
    files
}

#[test]
fn a_folder_holds_an_archive_and_a_manifest_whose_digests_are_those_of_sha256sum() {
    let source = Database::create(&Server::major(18), "foldered");
    source.psql(
        "create table noise as select i, gen_random_uuid() as v, gen_random_uuid() as w from generate_series(1, 500000) i",
    );
    let backup = Backup::of(&source, &["--name", "shop"]);
    let id = backup.result["id"].as_str().unwrap();
    let expected = ["dump", "manifest.json"].map(|end| format!("./shop/{id}.{end}"));
    assert_eq!(files(backup.store()), expected);
    let object = &backup.manifest()["object"];
    assert!(object["parts"].as_array().unwrap().len() > 1, "{object}");
    assert_digests(object, &backup.path());

    let small = Backup::of(&Database::create(&Server::major(18), "empty"), &[]);
    let object = &small.manifest()["object"];
    assert_digests(object, &small.path());
    let whole = String::from_utf8(succeed(Command::new("sha256sum").arg(small.path()))).unwrap();
    assert!(whole.starts_with(object["sha256"].as_str().unwrap()), "one part: the file's own digest");
}

#[test]
fn a_moved_folder_is_still_a_store_and_its_files_restore_by_path() {
    let source = Database::create(&Server::major(16), "moved");
    source.psql("create table t as select generate_series(1, 1000) as i");
    let backup = Backup::of(&source, &["--name", "shop"]);
    let elsewhere = tempfile::tempdir().unwrap();
    succeed(Command::new("cp").arg("-r").arg(backup.store()).arg(elsewhere.path().join("moved here")));
    let moved = elsewhere.path().join("moved here");
    let id = backup.result["id"].as_str().unwrap();

    let mut list = program();
    let listed = succeed(list.current_dir(&moved).args(["list", "--store", "."]));
    assert!(String::from_utf8_lossy(&listed).contains(id));
    for file in [format!("shop/{id}.dump"), format!("shop/{id}.manifest.json")] {
        let target = Database::create(source.server(), "target");
        let told = restore(moved.join(file).to_str().unwrap(), &target, &[]);
        assert_eq!(told["proven_against"], "manifest", "{told}");
        compare_databases(&source, &target).unwrap();
    }
}

#[test]
fn an_archive_without_its_manifest_is_no_backup_and_can_still_be_restored() {
    let source = Database::create(&Server::major(16), "bare");
    source.psql("create table t as select generate_series(1, 1000) as i");
    let backup = Backup::of(&source, &[]);
    let manifest = backup.path().with_extension("manifest.json");
    std::fs::remove_file(&manifest).unwrap();
    let listed = pgkeep(&["list", "--store", backup.store().to_str().unwrap(), "--json"]);
    assert!(
        listed.status.success() && listed.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&listed.stdout)
    );
    let target = Database::create(source.server(), "target");
    let told = restore(&backup.file(), &target, &[]);
    assert_eq!((&told["proven"], &told["proven_against"]), (&true.into(), &"archive".into()));
    compare_databases(&source, &target).unwrap();
}
