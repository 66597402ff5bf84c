//! The plain format: psql restores what pgkeep writes, and pgkeep restores what pg_dump writes.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use pgkeep_testbed::{Database, Server, compare_databases};
use support::{Backup, pgkeep, program, restore, succeed};

/// The script in plain text, by the stock program of its codec.
fn plain_text(script: &Path) -> Vec<u8> {
    let unpack = match script.extension().unwrap().to_str().unwrap() {
        "gz" => "gzip",
        "zst" => "zstd",
        _ => return std::fs::read(script).unwrap(),
    };
    succeed(Command::new(unpack).args(["-d", "-c"]).arg(script))
}

/// Runs a script by psql, which stops at the first error.
#[track_caller]
fn by_psql(script: &Path, target: &Database) {
    let text = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(text.path(), plain_text(script)).unwrap();
    let mut psql = target.server().bin("psql");
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-d"]).arg(target.url());
    succeed(psql.arg("-f").arg(text.path()));
}

fn odd(major: u32) -> Database {
    Database::with_fixture(&Server::major(major), "odd_objects")
}

/// The odd objects through a script, restored by psql and by pgkeep; both are judged.
fn round_trip(major: u32, compress: &str, suffix: &str) {
    let source = odd(major);
    let args = ["--format", "plain", "--segment-size", "1MiB", "--jobs", "4", "--compress", compress];
    let backup = Backup::of(&source, &args);
    assert!(backup.file().ends_with(suffix), "{}", backup.file());
    assert!(backup.segments("big_plain") >= 3, "the script is written from segments");
    assert_eq!(backup.manifest()["dump"]["format"], "plain");

    let target = Database::create(source.server(), "by_psql");
    by_psql(&backup.path(), &target);
    compare_databases(&source, &target).unwrap_or_else(|e| panic!("psql: {e}"));

    let target = Database::create(source.server(), "by_pgkeep");
    let told = restore(&backup.file(), &target, &[]);
    assert_eq!((&told["proven"], &told["proven_against"]), (&true.into(), &"manifest".into()), "{told}");
    compare_databases(&source, &target).unwrap_or_else(|e| panic!("pgkeep: {e}"));

    succeed(program().args(["verify", &backup.file()]));
}

#[test]
fn a_script_of_server_14_is_restored_by_psql_and_by_pgkeep() {
    round_trip(14, "gzip", ".sql.gz");
}

#[test]
fn a_script_of_server_18_is_restored_by_psql_and_by_pgkeep() {
    round_trip(18, "zstd", ".sql.zst");
}

#[test]
fn an_uncompressed_script_is_text_as_it_lies_there() {
    round_trip(18, "none", ".sql");
}

#[test]
fn a_script_goes_through_a_pipe() {
    let source = odd(18);
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("piped.sql");
    let mut command = program();
    command.args(["backup", &source.url(), "--to", "-", "--format", "plain", "--compress", "none"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdout.take().unwrap();
    std::io::copy(&mut pipe, &mut std::fs::File::create(&script).unwrap()).unwrap();
    assert!(child.wait().unwrap().success());
    let target = Database::create(source.server(), "target");
    by_psql(&script, &target);
    compare_databases(&source, &target).unwrap();
}

/// Without the lines that are random by design, and without the setting that older servers do not know.
fn comparable(script: &[u8], major: u32) -> Vec<u8> {
    let random = |l: &[u8]| l.starts_with(b"\\restrict ") || l.starts_with(b"\\unrestrict ");
    let newer = |l: &[u8]| major < 17 && l == b"SET transaction_timeout = 0;";
    let lines: Vec<&[u8]> = script.split(|b| *b == b'\n').filter(|l| !random(l) && !newer(l)).collect();
    lines.join(&b'\n')
}

/// `pg_dump -Fc` of the odd objects.
fn stock_archive(major: u32, dir: &Path) -> std::path::PathBuf {
    let source = odd(major);
    let path = dir.join("stock.dump");
    succeed(source.server().bin("pg_dump").args(["-Fc", "-f"]).arg(&path).arg(source.url()));
    path
}

#[test]
fn a_converted_archive_is_the_script_that_stock_pg_restore_writes() {
    for major in [14, 18] {
        let dir = tempfile::tempdir().unwrap();
        let archive = stock_archive(major, dir.path());
        let stock = succeed(Server::major(18).bin("pg_restore").args(["-f", "-"]).arg(&archive));
        let script = dir.path().join("converted.sql.zst");
        let mut convert = program();
        convert.arg("convert").arg(&archive).args(["--format", "plain", "--to"]).arg(&script);
        succeed(&mut convert);
        let (ours, stock) = (comparable(&plain_text(&script), major), comparable(&stock, major));
        let differs = ours.split(|b| *b == b'\n').zip(stock.split(|b| *b == b'\n')).find(|(a, b)| a != b);
        let shown = differs.map(|(a, b)| (String::from_utf8_lossy(a), String::from_utf8_lossy(b)));
        assert!(ours == stock, "{major}: {shown:?}");
        let out = convert.output().unwrap();
        assert!(!out.status.success() && String::from_utf8_lossy(&out.stderr).contains("--force"), "{out:?}");
    }
}

#[test]
fn a_backup_in_segments_becomes_a_script_without_a_database() {
    let source = odd(18);
    let backup = Backup::of(&source, &["--segment-size", "1MiB"]);
    let script = backup.store().join("converted.sql.gz");
    let to = script.to_str().unwrap();
    succeed(program().args(["convert", &backup.file(), "--format", "plain", "--to", to]));
    let target = Database::create(source.server(), "target");
    by_psql(&script, &target);
    compare_databases(&source, &target).unwrap();
}

#[test]
fn scripts_of_stock_pg_dump_are_restored_and_proven() {
    for (major, extra) in [(14, &[][..]), (18, &[]), (17, &["--inserts"])] {
        let source = odd(major);
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("stock.sql");
        succeed(source.server().bin("pg_dump").args(extra).arg("-f").arg(&script).arg(source.url()));
        let target = Database::create(source.server(), "target");
        let told = restore(script.to_str().unwrap(), &target, &[]);
        assert_eq!((&told["proven"], &told["proven_against"]), (&true.into(), &"archive".into()), "{told}");
        compare_databases(&source, &target).unwrap_or_else(|e| panic!("{major} {extra:?}: {e}"));
    }
}

/// From 16 on such a file has its table of contents twice, and the first one says nothing of places.
#[test]
fn an_archive_that_pg_dump_wrote_through_a_redirect_is_converted_verified_and_restored() {
    for major in [16, 18] {
        let source = odd(major);
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("redirected.dump");
        let file = std::fs::File::create(&archive).unwrap();
        let mut dump = source.server().bin("pg_dump");
        assert!(dump.args(["-Fc", &source.url()]).stdout(file).status().unwrap().success());
        let archive = archive.to_str().unwrap();
        succeed(program().args(["verify", archive]));
        let target = Database::create(source.server(), "target");
        restore(archive, &target, &[]);
        compare_databases(&source, &target).unwrap_or_else(|e| panic!("{major}: {e}"));
        let script = dir.path().join("x.sql");
        succeed(program().args(["convert", archive, "--format", "plain", "--to", script.to_str().unwrap()]));
    }
}

#[test]
fn connect_is_honoured_and_other_commands_are_refused() {
    let server = Server::major(18);
    let (one, two) = (Database::create(&server, "one"), Database::create(&server, "two"));
    let dir = tempfile::tempdir().unwrap();
    let run = |text: &str| {
        let path = dir.path().join("x.sql");
        std::fs::write(&path, text).unwrap();
        let out = pgkeep(&["restore", path.to_str().unwrap(), "--into", &one.url()]);
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let (code, said) =
        run(&format!("create table here ();\n\\connect {}\ncreate table there ();\n", two.name()));
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(two.psql("select to_regclass('there') is not null"), "t");
    assert_eq!(one.psql("select to_regclass('here') is not null and to_regclass('there') is null"), "t");

    for (script, word) in [
        ("\\! touch /tmp/x\n", "psql"),
        ("\\restrict abc\n\n\\connect postgres\n", "restricted mode"),
        ("\\restrict abc\n\\unrestrict abd\n", "restricted mode"),
        ("select 1 \\gexec\n", "line 1"),
        ("select 1;\n\ncopy nowhere from stdin;\n1\n\\.\n", "line 3"),
        ("create table t (a int);\ncopy t from stdin;\n1\nx\n\\.\n", "invalid input syntax"),
        ("create table u (a int);\ncopy u from stdin;\n1\n", "end mark"),
        ("--\n-- PostgreSQL database dump\n--\n\nselect 1;\n", "dump complete"),
    ] {
        let (code, said) = run(script);
        assert!(code.is_some_and(|c| c != 0) && said.contains(word), "{script}: {code:?} {said}");
    }
}

#[test]
fn keep_going_does_what_can_be_done_and_still_fails() {
    let target = Database::create(&Server::major(18), "target");
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("x.sql");
    let text = "create table t (a int);\ncopy t from stdin;\n1\nx\n\\.\ncopy nowhere from stdin;\n1\n\\.\n\
                select 1/0;\ncopy t from stdin;\n7\n\\.\ncreate table u as select 'it''s; $$';\n";
    std::fs::write(&script, text).unwrap();
    let out = pgkeep(&["restore", script.to_str().unwrap(), "--into", &target.url(), "--keep-going"]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{said}");
    for word in ["line 2, copy t", "line 6, copy nowhere", "line 9, select 1/0"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(target.psql("select (select a from t), (select * from u)"), "7|it's; $$");
}

#[test]
fn what_a_script_cannot_do_is_refused() {
    let source = Database::create(&Server::major(18), "source");
    let backup = Backup::of(&source, &["--format", "plain"]);
    for flag in ["--create", "--clean", "--no-owner", "--no-privileges"] {
        let out = pgkeep(&["restore", &backup.file(), "--into", &source.url(), flag]);
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.code() == Some(2) && said.contains(flag), "{said}");
    }
    let never = backup.store().join("never.sql");
    let out = pgkeep(&["convert", &backup.file(), "--format", "plain", "--to", never.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code() == Some(2) && said.contains("hint:"), "{said}");
}

/// Two connections are cut while they read: what was not yet written is read again.
#[test]
fn a_script_survives_a_lost_connection() {
    let source = Database::create(&Server::major(18), "source");
    source.psql("create table t as select i, repeat(md5(i::text), 8) v from generate_series(1, 300000) i");
    let url = format!("{}?application_name=cut_me", source.url());
    let dir = tempfile::tempdir().unwrap();
    let mut command = program();
    command.args(["backup", &url, "--to", dir.path().to_str().unwrap(), "--json", "--format", "plain"]);
    command.args(["--jobs", "2", "--segment-size", "1MiB"]).stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
               where application_name = 'cut_me' and query ilike '%copy (select%' and state = 'active'";
    let mut cuts = 0;
    for _ in 0..2000 {
        cuts += source.psql(cut).parse::<u32>().unwrap();
        if cuts > 0 {
            break;
        }
    }
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{cuts}");
    let told: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert!(cuts > 0 && told["notes"].to_string().contains("reading it again"), "{cuts} {told}");
    let target = Database::create(source.server(), "target");
    by_psql(Path::new(told["url"].as_str().unwrap().strip_prefix("file://").unwrap()), &target);
    compare_databases(&source, &target).unwrap();
}

#[test]
fn a_changed_row_of_a_script_is_noticed_by_verify_and_by_restore() {
    let server = Server::major(18);
    let source = Database::create(&server, "source");
    source.psql("create table t (a text); insert into t select 'row ' || g from generate_series(1, 1000) g");
    let backup = Backup::of(&source, &["--format", "plain", "--compress", "none"]);
    let text = std::fs::read_to_string(backup.path()).unwrap();
    std::fs::write(backup.path(), text.replace("row 500", "row 50x")).unwrap();
    let out = pgkeep(&["verify", &backup.file()]);
    assert_eq!(out.status.code(), Some(3), "{out:?}");
    let target = Database::create(&server, "target");
    let out = pgkeep(&["restore", &backup.file(), "--into", &target.url()]);
    assert_eq!(out.status.code(), Some(3), "{out:?}");
}
