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
fn a_part_of_an_archive_becomes_an_archive_or_a_script_of_its_own() {
    let source = Database::create(&Server::major(17), "parts");
    source.psql(
        "create schema app; create type app.state as enum ('new', 'paid');
         create table app.orders (id int primary key, s app.state, note text);
         insert into app.orders select i, 'paid', md5(i::text) from generate_series(1, 60000) i;
         create table other (i int references app.orders); insert into other values (1)",
    );
    let backup = Backup::of(&source, &["--segment-size", "1MiB"]);
    assert!(backup.segments("orders") > 1);
    let dir = tempfile::tempdir().unwrap();
    let chosen = ["--table", "app.orders"];
    let (archive, script) = (dir.path().join("part.dump"), dir.path().join("part.sql"));
    convert(&backup.path(), "custom", &archive, &chosen);
    convert(&backup.path(), "plain", &script, &chosen);
    let judge = |target: &Database| {
        let sum = "select count(*), sum(length(note)), min(s) from app.orders";
        assert_eq!(target.psql(sum), source.psql(sum));
        assert_eq!(target.psql("select count(*) from pg_class where relname = 'other'"), "0");
        assert_eq!(target.psql("select count(*) from pg_indexes where tablename = 'orders'"), "1");
    };
    let target = Database::create(source.server(), "by_pg_restore");
    PgRestore { major: 17, archive: &archive }.restore(&target, &["--exit-on-error", "-j2"]);
    judge(&target);
    let target = Database::create(source.server(), "by_psql");
    succeed(
        target
            .server()
            .bin("psql")
            .args(["-Xq", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-d", &target.url()])
            .arg("-f")
            .arg(&script),
    );
    judge(&target);
    let out = pgkeep(
        &[&["convert", script.to_str().unwrap(), "--format", "custom", "--to", "x.dump"][..], &chosen]
            .concat(),
    );
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code() == Some(2) && said.contains("no part can be chosen"), "{said}");
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

/// A script becomes archives of both kinds; stock and pgkeep restore them.
fn script_to_archives(major: u32, script: &Path, source: &Database) {
    let dir = tempfile::tempdir().unwrap();
    for (format, name) in [("custom", "made.dump"), ("directory", "made.dir")] {
        let made = dir.path().join(name);
        convert(script, format, &made, &[]);
        let target = Database::create(source.server(), "by_stock");
        PgRestore { major, archive: &made }.restore(&target, &["-j", "4"]);
        compare_databases(source, &target).unwrap_or_else(|e| panic!("{major} {format}: {e}"));
        succeed(program().arg("verify").arg(&made));
        let target = Database::create(source.server(), "by_pgkeep");
        let told = restore(made.to_str().unwrap(), &target, &[]);
        assert_eq!(told["proven"], true, "{told}");
        compare_databases(source, &target).unwrap_or_else(|e| panic!("pgkeep {major} {format}: {e}"));
    }
}

#[test]
fn a_script_of_pg_dump_14_becomes_archives() {
    let source = odd(14);
    let dir = tempfile::tempdir().unwrap();
    script_to_archives(14, &stock_dump(&source, "p", &[], dir.path()), &source);
}

#[test]
fn a_script_of_pg_dump_18_becomes_archives() {
    let source = odd(18);
    let dir = tempfile::tempdir().unwrap();
    script_to_archives(18, &stock_dump(&source, "p", &["-v"], dir.path()), &source);
}

#[test]
fn a_script_with_inserts_becomes_archives() {
    let source = Database::create(&Server::major(17), "source");
    // Rows of such partitions are loaded through their root.
    source.psql(
        "create type e as enum ('a', 'b', 'c', 'd'); create table p (k e, v text) partition by hash (k);
         create table p0 partition of p for values with (modulus 2, remainder 0);
         create table p1 partition of p for values with (modulus 2, remainder 1);
         insert into p select (enum_range(null::e))[1 + i % 4], 'it''s; ' || i from generate_series(1, 400) i;
         create table t (id int primary key, v text); create index on t (v); create index on t (id, v);
         insert into t select i, i::text from generate_series(1, 100) i; select lo_from_bytea(77, 'an object')",
    );
    let dir = tempfile::tempdir().unwrap();
    script_to_archives(17, &stock_dump(&source, "p", &["--inserts"], dir.path()), &source);
}

/// Segments that became a script come as segments behind a gate again: naive data entries would lose rows.
#[test]
fn a_script_made_of_segments_becomes_archives_in_which_no_row_is_lost() {
    let source = odd(16);
    let backup = Backup::of(&source, &["--segment-size", "1MiB", "--jobs", "4"]);
    let script = backup.store().join("made.sql.zst");
    convert(&backup.path(), "plain", &script, &[]);
    script_to_archives(16, &script, &source);
}

#[test]
fn a_script_that_is_not_pg_dumps_or_was_cut_is_refused_with_its_line() {
    let source = Database::create(&Server::major(18), "source");
    source.psql("create table t as select g from generate_series(1, 1000) g");
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read_to_string(stock_dump(&source, "p", &[], dir.path())).unwrap();
    let script = dir.path().join("x.sql");
    for (text, word) in [
        ("create table t (a int);\n", "names an entry"),
        ("SET a = 1;\n", "names no entries"),
        (&whole[..whole.len() * 2 / 3], "end mark"),
        (&whole[..whole.rfind("complete").unwrap()], "database dump complete"),
        (&whole.replace("\n--\n-- Data for", "\n\\! ls\n--\n-- Data for"), "\\! ls"),
    ] {
        std::fs::write(&script, text).unwrap();
        let to = dir.path().join("x.dump");
        let args = ["convert", script.to_str().unwrap(), "--format", "custom", "--to", to.to_str().unwrap()];
        let out = pgkeep(&args);
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(
            out.status.code() == Some(3) && said.contains(word) && said.contains("hint:"),
            "{word}: {said}"
        );
        assert!(!to.exists());
    }
}
