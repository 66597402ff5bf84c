//! What pgkeep backs up it restores: every odd object, every encoding, equal by the judgement of stock tools.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pgkeep_testbed::{Database, Server, compare_databases};
use support::{Backup, restore};

/// Backs up, restores into `to`, and expects the proof and the judge to agree.
#[track_caller]
fn round_trip(source: &Database, target: &Database, extra: &[&str]) {
    let backup = Backup::of(source, extra);
    let told = restore(&backup.file(), target, &[]);
    assert_eq!(told["proven"], true, "{told}");
    assert_eq!(told["proven_against"], "manifest", "{told}");
    assert_eq!(told["differences"].as_array().map(Vec::len), Some(0), "{told}");
    if let Err(differences) = compare_databases(source, target) {
        panic!("{differences}");
    }
}

fn odd_objects(from: u32, to: u32) {
    let source = Database::create(&Server::major(from), "odd");
    // Loaded, not copied: a copy has no subscriptions.
    source.load_fixture("odd_objects");
    let target = Database::create(&Server::major(to), "target");
    round_trip(&source, &target, &["--segment-size", "1MiB", "--jobs", "4"]);
}

#[test]
fn odd_objects_come_back_equal_on_14() {
    odd_objects(14, 14);
}

#[test]
fn odd_objects_come_back_equal_on_18() {
    odd_objects(18, 18);
}

#[test]
fn odd_objects_come_back_equal_from_14_on_18() {
    odd_objects(14, 18);
}

fn encoding(name: &str, fixture: &str) {
    for (from, to) in [(14, 14), (18, 18), (14, 18)] {
        let options = format!("TEMPLATE template0 ENCODING '{name}' LC_COLLATE 'C' LC_CTYPE 'C'");
        let source = Database::create_with(&Server::major(from), fixture, &options);
        source.load_fixture(fixture);
        let target = Database::create_with(&Server::major(to), "target", &options);
        round_trip(&source, &target, &[]);
    }
}

#[test]
fn a_latin1_database_comes_back_equal() {
    encoding("LATIN1", "latin1");
}

#[test]
fn a_latin1_database_comes_back_equal_in_utf_8() {
    let server = Server::major(18);
    let options = "TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'";
    let source = Database::create_with(&server, "latin1", options);
    source.load_fixture("latin1");
    let target = Database::create_with(
        &server,
        "target",
        "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'",
    );
    round_trip(&source, &target, &[]);
}

#[test]
fn a_sql_ascii_database_comes_back_equal() {
    encoding("SQL_ASCII", "sql_ascii");
}

#[test]
fn a_value_of_300_mb_comes_back_equal() {
    let server = Server::major(18);
    let source = Database::with_fixture(&server, "huge_value");
    let target = Database::create(&server, "target");
    round_trip(&source, &target, &[]);
}

#[test]
fn a_big_table_whose_every_row_was_deleted_comes_back_empty() {
    for major in [14, 18] {
        let server = Server::major(major);
        let source = Database::create(&server, "emptied");
        source.psql(
            "create table emptied (id serial primary key, v text) with (autovacuum_enabled = off);
             insert into emptied (v) select repeat('x', 200) from generate_series(1, 20000);
             delete from emptied;",
        );
        let backup = Backup::of(&source, &["--segment-size", "1MiB"]);
        assert!(backup.segments("emptied") >= 3, "its empty pages are still read in segments");
        assert_eq!(backup.result["rows"], 0);
        let target = Database::create(&server, "target");
        restore(&backup.file(), &target, &[]);
        compare_databases(&source, &target).unwrap();
        assert_eq!(target.psql("insert into emptied default values returning id"), "20001");
    }
}
