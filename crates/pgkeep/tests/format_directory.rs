//! The directory format: stock pg_restore restores what pgkeep writes, and pgkeep restores what pg_dump writes.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};

use pgkeep_testbed::{Database, Server, compare_databases};
use support::{pgkeep, program, restore, succeed};

fn odd(major: u32) -> Database {
    Database::with_fixture(&Server::major(major), "odd_objects")
}

/// `pg_dump -Fd` of a database.
fn stock_directory(source: &Database, dir: &Path, extra: &[&str]) -> PathBuf {
    let path = dir.join("stock");
    succeed(
        source
            .server()
            .bin("pg_dump")
            .args(["-Fd", "-j", "2", "-f"])
            .arg(&path)
            .args(extra)
            .arg(source.url()),
    );
    path
}

/// Restored by pgkeep straight from pg_dump's own directory, proven, and judged.
fn stock_is_restored(major: u32, extra: &[&str]) {
    let source = odd(major);
    let dir = tempfile::tempdir().unwrap();
    let path = stock_directory(&source, dir.path(), extra);
    succeed(program().arg("verify").arg(&path));
    let target = Database::create(source.server(), "target");
    let told = restore(path.to_str().unwrap(), &target, &[]);
    assert_eq!((&told["proven"], &told["proven_against"]), (&true.into(), &"archive".into()), "{told}");
    compare_databases(&source, &target).unwrap_or_else(|e| panic!("{major} {extra:?}: {e}"));
}

#[test]
fn directories_of_stock_pg_dump_14_are_restored_and_proven() {
    stock_is_restored(14, &[]);
}

#[test]
fn uncompressed_directories_of_stock_pg_dump_15_are_restored_and_proven() {
    stock_is_restored(15, &["-Z0"]);
}

#[test]
fn lz4_directories_of_stock_pg_dump_16_are_restored_and_proven() {
    stock_is_restored(16, &["-Zlz4"]);
}

#[test]
fn zstd_directories_of_stock_pg_dump_18_are_restored_and_proven() {
    stock_is_restored(18, &["-Zzstd"]);
}

#[test]
fn a_directory_that_somebody_changed_is_told_by_the_file() {
    let source = Database::create(&Server::major(18), "source");
    source.psql("create table t as select g, md5(g::text) from generate_series(1, 20000) g");
    let dir = tempfile::tempdir().unwrap();
    let path = stock_directory(&source, dir.path(), &[]);
    let data = std::fs::read_dir(&path).unwrap().map(|f| f.unwrap().path());
    let data = data.filter(|f| f.extension().is_some_and(|e| e == "gz")).last().unwrap();
    let name = data.file_stem().unwrap().to_str().unwrap().to_owned();
    let verify = || {
        let out = pgkeep(&["verify", path.to_str().unwrap()]);
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };

    succeed(std::process::Command::new("gunzip").arg(&data));
    let (code, said) = verify();
    assert!(code == Some(3) && said.contains(&name) && said.contains("by hand"), "{code:?} {said}");

    std::fs::remove_file(path.join(&name)).unwrap();
    let (code, said) = verify();
    assert!(code == Some(3) && said.contains(&name) && said.contains("missing"), "{code:?} {said}");

    // A table of contents that was packed by hand is read by stock, too.
    let other = tempfile::tempdir().unwrap();
    let path = stock_directory(&source, other.path(), &[]);
    succeed(std::process::Command::new("gzip").arg(path.join("toc.dat")));
    succeed(program().arg("verify").arg(&path));
}
