//! From any format to any other without a database; stock pg_restore and psql judge what comes out.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};

use pgkeep_testbed::{Database, S3, Server, compare_databases};
use support::stock::PgRestore;
use support::{Backup, pgkeep, program, restore, succeed};

fn odd(major: u32) -> Database {
    Database::with_fixture(&Server::major(major), "odd_objects")
}

#[track_caller]
fn convert(from: &Path, format: &str, to: &Path, extra: &[&str]) {
    let mut command = program();
    command.arg("convert").arg(from).args(["--format", format, "--to"]).arg(to).args(extra);
    succeed(&mut command);
}

/// What stock makes of it equals the source.
#[track_caller]
fn stock_restores(major: u32, archive: &Path, source: &Database) {
    let target = Database::create(source.server(), "by_stock");
    PgRestore { major, archive }.in_parallel(&target);
    compare_databases(source, &target).unwrap_or_else(|e| panic!("{}: {e}", archive.display()));
}

fn stock_dump(source: &Database, format: &str, extra: &[&str], dir: &Path) -> PathBuf {
    let path = dir.join(format!("stock.{format}"));
    succeed(
        source
            .server()
            .bin("pg_dump")
            .arg(format!("-F{format}"))
            .args(extra)
            .arg("-f")
            .arg(&path)
            .arg(source.url()),
    );
    path
}

/// custom → directory → custom → directory, with a change of codec on every way.
fn there_and_back(major: u32, first: &str, second: &str) {
    let source = odd(major);
    let backup = Backup::of(&source, &["--segment-size", "1MiB", "--jobs", "4"]);
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one.dir"), dir.path().join("two.dump"));
    convert(&backup.path(), "directory", &one, &["--compress", first]);
    stock_restores(major, &one, &source);
    convert(&one, "custom", &two, &["--compress", second]);
    stock_restores(major, &two, &source);
    for archive in [&one, &two] {
        succeed(program().arg("verify").arg(archive));
    }
    let target = Database::create(source.server(), "by_pgkeep");
    let told = restore(two.to_str().unwrap(), &target, &[]);
    assert_eq!((&told["proven"], &told["proven_against"]), (&true.into(), &"archive".into()), "{told}");
    compare_databases(&source, &target).unwrap();
}

#[test]
fn an_archive_of_server_14_becomes_a_directory_and_an_archive_again() {
    there_and_back(14, "none", "gzip:1");
}

#[test]
fn an_archive_of_server_18_becomes_a_directory_and_an_archive_again() {
    there_and_back(18, "lz4", "zstd:1");
}

#[test]
fn stock_archives_of_either_format_become_the_other() {
    for (major, compress) in [(14, "-Z6"), (17, "-Zzstd")] {
        let source = odd(major);
        let dir = tempfile::tempdir().unwrap();
        let custom = stock_dump(&source, "c", &[compress], dir.path());
        let directory = stock_dump(&source, "d", &[compress], dir.path());
        let (made, back) = (dir.path().join("made.dir"), dir.path().join("made.dump"));
        convert(&custom, "directory", &made, &[]);
        convert(&directory, "custom", &back, &[]);
        stock_restores(major, &made, &source);
        stock_restores(major, &back, &source);
    }
}

/// The same text, by the judge that makes it of the stock archive.
#[test]
fn a_directory_becomes_the_script_that_stock_pg_restore_makes_of_it() {
    let source = odd(18);
    let dir = tempfile::tempdir().unwrap();
    let directory = stock_dump(&source, "d", &[], dir.path());
    let stock = succeed(Server::major(18).bin("pg_restore").args(["-f", "-"]).arg(&directory));
    let script = dir.path().join("made.sql");
    convert(&directory, "plain", &script, &[]);
    let lines = |text: &[u8]| -> Vec<Vec<u8>> {
        let random = |l: &&[u8]| !l.starts_with(b"\\restrict ") && !l.starts_with(b"\\unrestrict ");
        text.split(|b| *b == b'\n').filter(random).map(<[u8]>::to_vec).collect()
    };
    assert!(lines(&std::fs::read(&script).unwrap()) == lines(&stock));
}

#[test]
fn a_recompressed_archive_is_smaller_and_the_same() {
    let source = odd(18);
    let backup = Backup::of(&source, &["--segment-size", "1MiB", "--compress", "none"]);
    let dir = tempfile::tempdir().unwrap();
    let packed = dir.path().join("packed.dump");
    convert(&backup.path(), "custom", &packed, &["--compress", "zstd:9"]);
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    assert!(size(&packed) * 2 < size(&backup.path()), "{} {}", size(&packed), size(&backup.path()));
    stock_restores(18, &packed, &source);
    // Through a pipe, too.
    let piped = dir.path().join("piped.dump");
    let text = succeed(program().arg("convert").arg(&packed).args(["--format", "custom", "--to", "-"]));
    std::fs::write(&piped, text).unwrap();
    stock_restores(18, &piped, &source);
}

#[test]
fn conversion_goes_from_bucket_to_bucket() {
    let source = odd(16);
    let bucket = S3::from_env().create_bucket("convert");
    let mut made = program();
    made.envs(bucket.credentials()).args(["backup", &source.url(), "--to", &bucket.url("backups"), "--json"]);
    let made: serde_json::Value = serde_json::from_slice(&succeed(&mut made)).unwrap();
    let name = format!("{}@latest", made["name"].as_str().unwrap());
    let mut command = program();
    command.envs(bucket.credentials()).args(["convert", &name, "--store", &bucket.url("backups")]);
    let to = bucket.url("made/odd.dir");
    succeed(command.args(["--format", "directory", "--to", &to]));
    let dir = tempfile::tempdir().unwrap();
    bucket.download_all("made/odd.dir/", dir.path());
    stock_restores(16, dir.path(), &source);
    let target = Database::create(source.server(), "by_pgkeep");
    let mut command = program();
    command.envs(bucket.credentials()).args(["restore", &to, "--into", &target.url()]);
    succeed(&mut command);
    compare_databases(&source, &target).unwrap();
}

#[test]
fn what_is_there_is_not_mixed_with_what_is_written() {
    let source = Database::create(&Server::major(18), "source");
    source.psql("create table t as select 1 a");
    let backup = Backup::of(&source, &[]);
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("x.dir");
    convert(&backup.path(), "directory", &to, &[]);
    for extra in [&[][..], &["--force"]] {
        let args = ["convert", &backup.file(), "--format", "directory", "--to", to.to_str().unwrap()];
        let out = pgkeep(&[&args[..], extra].concat());
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.code() == Some(1) && said.contains("is there already"), "{said}");
    }
    let out = pgkeep(&["convert", &backup.file(), "--format", "directory", "--to", "-"]);
    assert_eq!(out.status.code(), Some(2), "{out:?}");
}

#[test]
fn a_damaged_archive_is_told_and_nothing_of_it_stays() {
    let source = Database::create(&Server::major(18), "source");
    source.psql("create table t as select g, md5(g::text) from generate_series(1, 50000) g; create table u as table t");
    let backup = Backup::of(&source, &["--no-segments"]);
    let mut bytes = std::fs::read(backup.path()).unwrap();
    let end = bytes.len();
    bytes[end - 100..end - 50].fill(7);
    let damaged = backup.store().join("damaged.dump");
    std::fs::write(&damaged, bytes).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for (format, name) in [("directory", "x.dir"), ("custom", "x.dump"), ("plain", "x.sql")] {
        let to = dir.path().join(name);
        let file = damaged.to_str().unwrap();
        let args = ["convert", file, "--format", format, "--compress", "none", "--to", to.to_str().unwrap()];
        let out = pgkeep(&args);
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.code() == Some(3) && said.contains("TABLE DATA public."), "{said}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{format}");
    }
}
