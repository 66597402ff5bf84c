//! The directory format: stock pg_restore restores what pgkeep writes, and pgkeep restores what pg_dump writes.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};

use pgkeep_testbed::{Database, S3, Server, compare_databases};
use support::digest::assert_digests;
use support::stock::PgRestore;
use support::{Backup, backup_with, pgkeep, program, restore, succeed};

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

/// The folder of a backup in the directory format.
fn folder(backup: &Backup) -> PathBuf {
    let path = backup.path();
    assert!(path.extension().is_some_and(|e| e == "dir") && path.join("toc.dat").is_file(), "{path:?}");
    path
}

/// The odd objects through a directory in segments, restored by stock and by pgkeep, and judged.
fn round_trip(major: u32, compress: &str) {
    let source = odd(major);
    let args = ["--format", "directory", "--segment-size", "1MiB", "--jobs", "4", "--compress", compress];
    let backup = Backup::of(&source, &args);
    let path = folder(&backup);
    assert!(backup.segments("big_plain") >= 3, "there are segments");
    let target = Database::create(source.server(), "by_stock");
    PgRestore { major, archive: &path }.in_parallel(&target);
    compare_databases(&source, &target).unwrap_or_else(|e| panic!("pg_restore {major}: {e}"));
    let target = Database::create(source.server(), "by_pgkeep");
    let told = restore(path.to_str().unwrap(), &target, &[]);
    assert_eq!((&told["proven"], &told["proven_against"]), (&true.into(), &"manifest".into()), "{told}");
    compare_databases(&source, &target).unwrap_or_else(|e| panic!("pgkeep: {e}"));

    let verified = succeed(program().args(["verify", path.to_str().unwrap(), "--json"]));
    let verified: serde_json::Value = serde_json::from_slice(&verified).unwrap();
    assert_eq!(verified["against_manifest"], true, "{verified}");
}

#[test]
fn a_directory_of_server_14_is_restored_by_stock_and_by_pgkeep() {
    round_trip(14, "gzip");
}

#[test]
fn a_directory_of_server_18_is_restored_by_stock_and_by_pgkeep() {
    round_trip(18, "zstd");
}

#[test]
fn a_directory_in_lz4_is_restored_by_stock_and_by_pgkeep() {
    round_trip(17, "lz4");
}

#[test]
fn the_manifest_names_every_file_with_its_digests_and_list_counts_them_all() {
    let source = odd(18);
    let backup = Backup::of(&source, &["--format", "directory"]);
    let manifest = backup.manifest();
    let path = folder(&backup);
    let mut named = vec![manifest["object"].clone()];
    named.extend(manifest["files"].as_array().unwrap().iter().cloned());
    let mut size = 0;
    for object in &named {
        let file = backup.store().join(object["key"].as_str().unwrap());
        assert_digests(object, &file);
        size += object["size"].as_u64().unwrap();
    }
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), named.len(), "no file is left out");
    let listed = succeed(program().args(["list", "--json", "--store", backup.store().to_str().unwrap()]));
    let listed: serde_json::Value = serde_json::from_slice(&listed).unwrap();
    assert_eq!((listed["size"].as_u64(), backup.result["size"].as_u64()), (Some(size), Some(size)));
    assert_eq!(listed["url"], backup.result["url"]);
}

#[test]
fn a_bucket_takes_a_directory_and_a_plain_download_is_what_stock_restores() {
    let source = odd(17);
    let bucket = S3::from_env().create_bucket("directory");
    let store = bucket.url("backups");
    let env = bucket.credentials();
    let args = ["--format", "directory", "--segment-size", "1MiB", "--jobs", "4"];
    let made = backup_with(&source, &store, &args, &env);

    let dir = tempfile::tempdir().unwrap();
    let name = made["name"].as_str().unwrap();
    bucket.download_all(&format!("backups/{name}/{}.dir/", made["id"].as_str().unwrap()), dir.path());
    let target = Database::create(source.server(), "by_stock");
    PgRestore { major: 17, archive: dir.path() }.in_parallel(&target);
    compare_databases(&source, &target).unwrap();

    let target = Database::create(source.server(), "by_pgkeep");
    let latest = format!("{name}@latest");
    let mut command = program();
    command.envs(env).args(["restore", &latest, "--store", &store, "--into", &target.url(), "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&succeed(&mut command)).unwrap();
    assert_eq!((&told["proven"], &told["proven_against"]), (&true.into(), &"manifest".into()), "{told}");
    compare_databases(&source, &target).unwrap();
}

#[test]
fn a_damaged_file_is_named_by_verify_and_noticed_by_restore() {
    let source = Database::create(&Server::major(18), "source");
    source.psql("create table t as select g, md5(g::text) from generate_series(1, 50000) g");
    let backup = Backup::of(&source, &["--format", "directory", "--segment-size", "1MiB"]);
    let path = folder(&backup);
    let changed = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let file = path.join(name);
        let whole = std::fs::read(&file).unwrap();
        let mut bytes = whole.clone();
        change(&mut bytes);
        std::fs::write(&file, bytes).unwrap();
        let out = pgkeep(&["verify", path.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.code() == Some(3) && said.contains(name), "{name}: {out:?}");
        let target = Database::create(source.server(), "target");
        let out = pgkeep(&["restore", path.to_str().unwrap(), "--into", &target.url()]);
        assert_eq!(out.status.code(), Some(3), "{name}: {out:?}");
        std::fs::write(&file, whole).unwrap();
    };
    let manifest = backup.manifest();
    let mut keys = manifest["files"].as_array().unwrap().iter().map(|o| o["key"].as_str().unwrap());
    let data = keys.rfind(|k| k.ends_with(".dat.zst")).unwrap().rsplit('/').next().unwrap();
    for name in [data, "toc.dat"] {
        changed(name, &|bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        });
        changed(name, &|bytes| bytes.truncate(bytes.len() - 1));
    }
    std::fs::remove_file(path.join(data)).unwrap();
    let out = pgkeep(&["verify", path.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&out.stderr);
    let name = data.strip_suffix(".zst").unwrap();
    assert!(out.status.code() == Some(3) && said.contains(name) && said.contains("missing"), "{out:?}");
}

#[test]
fn a_directory_does_not_go_through_a_pipe() {
    let out = pgkeep(&["backup", "postgres://u@127.0.0.1:1/x", "--to", "-", "--format", "directory"]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code() == Some(2) && said.contains("hint:"), "{said}");
}
