//! The command line itself: what it says, in which form, and with which exit code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::io::Write;
use std::process::{Command, Stdio};

use failures_support::archive::Sample;
use failures_support::data::noise;
use failures_support::place::Place;
use failures_support::program::{PLANTED, PLANTED_IN_URL, Ran, pgkeep, ran, run};
use pgkeep_testbed::{FaultProxy, Server};

const COMMANDS: [&str; 7] = ["backup", "restore", "convert", "list", "show", "verify", "completions"];

#[track_caller]
fn refused(arguments: &[&str], words: &[&str]) -> Ran {
    let ran = ran(arguments);
    assert_eq!(ran.code(), 2, "{ran:#?}");
    assert!(!ran.stderr.is_empty() && ran.stdout.is_empty() || arguments.contains(&"--json"), "{ran:#?}");
    ran.says(words)
}

#[test]
fn words_that_make_no_sense_are_refused_with_the_way_out() {
    let db = "postgres://u@127.0.0.1:1/shop";
    refused(&[], &["Usage: pgkeep"]);
    refused(&["bakcup"], &["bakcup", "backup"]);
    refused(&["backup"], &["DATABASE"]);
    refused(&["backup", db, "--cmopress", "zstd"], &["--cmopress", "--compress"]);
    refused(&["backup", db, "--jobs", "many"], &["many", "--jobs"]);
    refused(&["backup", db, "--jobs", "0"], &["--jobs 0: from 1 to 256"]);
    refused(&["backup", db, "--jobs", "257"], &["from 1 to 256"]);
    refused(&["backup", db, "--compress", "brotli"], &["--compress brotli", "zstd"]);
    refused(&["backup", db, "--compress", "zstd:99"], &["--compress zstd:99"]);
    refused(&["backup", db, "--lock-timeout", "soon"], &["--lock-timeout soon", "30s"]);
    refused(&["backup", db, "--segment-size", "1"], &["--segment-size", "64KiB"]);
    refused(&["backup", db, db, "--name", "x"], &["--name", "one database"]);
    refused(
        &["backup", "shop"],
        &["\"shop\"", "neither a postgres:// URL nor a configured database", "hint"],
    );
    refused(&["restore", "x@latest"], &["--into"]);
    refused(&["restore", "x@latest", "--into", db, "--if-exists"], &["--clean"]);
    refused(&["verify"], &["BACKUP"]);
    refused(&["backup", db, "--format", "tar"], &["tar", "custom, directory, plain"]);
    refused(&["convert", "x.dump", "--format", "plain"], &["--to"]);
    refused(&["convert", "x.dump", "--format", "tar", "--to", "y"], &["tar", "custom, directory, plain"]);
    refused(&["completions", "cobol"], &["cobol", "bash"]);
    refused(&["list", "--config", "/no/such/file"], &["/no/such/file"]);
}

#[test]
fn connection_strings_that_make_no_sense_are_refused_without_repeating_them() {
    let url = |tail: &str| format!("postgres://u:{PLANTED_IN_URL}@h/d?{tail}");
    refused(&["backup", &url("sslmdoe=require")], &["unknown connection parameter \"sslmdoe\"", "sslmode"]);
    refused(&["backup", &url("sslmode=maybe")], &["sslmode \"maybe\"", "verify-full"]);
    refused(&["backup", &url("connect_timeout=soon")], &["connect_timeout \"soon\""]);
    refused(&["backup", &format!("postgres://u:{PLANTED_IN_URL}@h:99999/d")], &["port \"99999\""]);
    refused(
        &["backup", &format!("host=h password={PLANTED} hots=x")],
        &["unknown connection parameter \"hots\""],
    );
    refused(&["backup", &format!("user=u host=h,i,j port=1,2 password={PLANTED}")], &["2 ports for 3 hosts"]);
    refused(&["restore", "x@latest", "--into", &url("sslmdoe=require")], &["sslmdoe"]);
}

#[test]
fn stores_that_make_no_sense_are_refused() {
    let db = "postgres://u@127.0.0.1:1/shop";
    refused(&["backup", db, "--to", "ftp://h/x"], &["ftp"]);
    refused(&["backup", db, "--to", "s3://"], &["s3://"]);
    refused(&["backup", db, "--to", "s3://bucket/x?regoin=eu"], &["regoin", "region"]);
    refused(&["list", "--store", "s3://bucket/x?path-style=perhaps"], &["path-style"]);
}

#[test]
fn a_key_in_a_stores_url_is_not_repeated() {
    let ran = ran(&["list", "--store", &format!("s3://AKIA:{PLANTED_IN_URL}@bucket/x")]);
    assert_eq!(ran.code(), 2, "{ran:#?}");
}

#[test]
fn a_configuration_file_with_a_mistake_is_told_by_line_and_without_its_text() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for (text, words) in [
        (format!("[databases.shop]\nurl = 'postgres://u:{PLANTED_IN_URL}@h/d'\njbos = 3\n"), &["jbos"][..]),
        (format!("[databases.shop]\nurl = postgres://u:{PLANTED_IN_URL}@h/d\n"), &["line 2"][..]),
    ] {
        std::fs::write(file.path(), text).unwrap();
        refused(&["list", "--config", file.path().to_str().unwrap()], words);
    }
    std::fs::write(file.path(), "[databases.shop]\nurl = 'postgres://u:${PGKEEP_NOT_SET}@h/d'\n").unwrap();
    refused(&["backup", "shop", "--config", file.path().to_str().unwrap()], &["shop", "PGKEEP_NOT_SET"]);
}

#[test]
fn a_failure_as_json_has_kind_message_and_exit_code() {
    let to = tempfile::tempdir().unwrap();
    let to = to.path().to_str().unwrap();
    let target = "postgres://u@127.0.0.1:1/shop";
    let cases: [(&[&str], &str, u64); 7] = [
        (&["backup", target, "--to", to], "connect", 4),
        (&["backup", "shop", "--to", to], "usage", 2),
        (&["list", "--store", "ftp://x"], "store", 2),
        (&["show", "x@latest", "--store", to], "no-such-backup", 1),
        (&["verify", "x@latest", "--store", to], "no-such-backup", 1),
        (&["restore", "x@latest", "--into", target, "--store", to], "no-such-backup", 1),
        (&["verify", "/no/such.dump"], "store", 5),
    ];
    for (arguments, kind, code) in cases {
        let ran = ran(&[arguments, &["--json"]].concat());
        let error = ran.json();
        assert_eq!(error["ok"], false, "{ran:#?}");
        let error = &error["error"];
        assert_eq!(
            (error["kind"].as_str(), error["exit_code"].as_u64()),
            (Some(kind), Some(code)),
            "{ran:#?}"
        );
        assert_eq!(u64::try_from(ran.code()).unwrap(), code, "{ran:#?}");
        // The same words for people, on the other channel.
        let message = error["message"].as_str().unwrap();
        assert!(ran.stderr.contains(message), "{ran:#?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let sample = Sample::make(&Server::major(18), &[]);
    for _ in 0..3 {
        ran(&["backup", &sample.source.url(), "--to", sample.store()]).ok();
    }
    for arguments in [
        &["list", "--store", sample.store()][..],
        &["list", "--store", sample.store(), "--json"],
        &["show", &sample.id, "--store", sample.store(), "--json"],
        &["completions", "bash"],
        &["man"],
        &["--help"],
    ] {
        let program = pgkeep(arguments);
        let mut command = Command::new("sh");
        command.args(["-c", "{ \"$@\"; echo code $? >&2; } | head -n 1", "sh"]);
        command.arg(program.get_program()).args(program.get_args());
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ran = run(command).ok();
        assert_eq!(ran.stderr, "code 0\n", "{arguments:?}: {ran:#?}");
    }
}

#[test]
fn progress_as_json_is_a_line_for_each_moment() {
    let server = Server::major(18);
    let source = noise(&server, 30_000);
    let proxy = FaultProxy::to(("127.0.0.1", server.port()));
    proxy.throttle(500_000);
    let place = Place::folder();
    let ran = place.backup(&source.url_via(proxy.port()), &["--progress", "json", "--json"]).ok();
    let lines: Vec<serde_json::Value> =
        ran.stderr.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect();
    assert!(lines.len() >= 3, "{ran:#?}");
    let last = lines.last().unwrap();
    assert_eq!((last["event"].as_str(), last["phase"].as_str()), (Some("progress"), Some("data")), "{last}");
    assert!(last["bytes"].as_u64().unwrap() > 0 && last["tables"] == 1, "{last}");
    let bytes: Vec<u64> = lines.iter().map(|l| l["bytes"].as_u64().unwrap()).collect();
    assert!(bytes.is_sorted(), "{bytes:?}");
}

#[test]
fn without_a_terminal_progress_is_silent_for_short_runs_and_results_stand_alone() {
    let server = Server::major(18);
    let source = noise(&server, 100);
    let place = Place::folder();
    let ran = place.backup(&source.url(), &["--json"]).ok();
    assert_eq!(ran.stderr, "");
    let result = ran.json();
    assert_eq!((result["ok"].as_bool(), result["rows"].as_u64()), (Some(true), Some(100)), "{result}");
    assert_eq!(ran.stdout.lines().count(), 1);
}

#[test]
fn several_databases_are_backed_up_though_one_fails() {
    let server = Server::major(18);
    let (first, last) = (noise(&server, 100), noise(&server, 100));
    let place = Place::folder();
    let missing = server.url("no_such_database");
    let ran = place.ran(&["backup", &first.url(), &missing, &last.url(), "--to", &place.url()]);
    let ran = ran.failed(4, &["no_such_database", "not every database was backed up"]);
    assert_eq!(ran.stdout.matches("backed up ").count(), 2, "{ran:#?}");
    let listed = place.ran(&["list", "--store", &place.url(), "--json"]).ok();
    assert_eq!(listed.stdout.lines().count(), 2);
}

#[test]
fn completions_are_there_for_every_shell() {
    for (shell, words) in [
        ("bash", ["complete", "--lock-timeout"]),
        ("zsh", ["#compdef pgkeep", "lock-timeout"]),
        ("fish", ["complete -c pgkeep", "lock-timeout"]),
        ("elvish", ["pgkeep", "lock-timeout"]),
        ("powershell", ["pgkeep", "lock-timeout"]),
    ] {
        ran(&["completions", shell]).ok().says(&words);
    }
}

#[test]
fn bash_takes_its_completions() {
    let script = ran(&["completions", "bash"]).ok().stdout;
    let mut bash =
        Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let out = bash.wait_with_output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn the_manual_page_is_one() {
    let page = ran(&["man"]).ok().stdout;
    assert!(page.lines().any(|l| l.starts_with(".TH pgkeep 1")), "{page}");
    for command in COMMANDS {
        assert!(page.contains(command), "{command} is not in it");
    }
    assert!(page.contains("Exit codes"), "the exit codes are in it");
}

#[test]
fn help_is_there_for_every_command_and_fits_a_terminal() {
    let mut helps = vec![ran(&["--help"]).ok(), ran(&["-h"]).ok(), ran(&["help"]).ok()];
    for command in COMMANDS {
        helps.push(ran(&[command, "--help"]).ok());
        helps.push(ran(&[command, "-h"]).ok());
    }
    for help in helps {
        assert!(help.stdout.contains("Usage: pgkeep"), "{help:#?}");
        let long: Vec<&str> = help.stdout.lines().filter(|l| l.chars().count() > 80).collect();
        assert!(long.is_empty(), "wider than 80 columns: {long:#?}");
    }
}

#[test]
fn help_tells_every_exit_code_that_there_is() {
    let help = ran(&["--help"]).ok().stdout.replace('\n', " ");
    for words in [
        "0 success",
        "1 failed",
        "2 usage",
        "3 damage",
        "4 database",
        "5 store",
        "6 no fitting pg_dump",
        "130 ",
    ] {
        assert!(help.contains(words), "{words} is not in: {help}");
    }
}

#[test]
fn the_version_is_told() {
    let told = ran(&["--version"]).ok().stdout;
    assert_eq!(told, format!("pgkeep {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_empty_or_missing_store_lists_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("not yet");
    for path in [dir.path(), &missing] {
        let path = path.to_str().unwrap();
        ran(&["list", "--store", path]).ok().says(&["no backups in "]);
        assert_eq!(ran(&["list", "--store", path, "--json"]).ok().stdout, "");
    }
    assert!(!missing.exists(), "looking makes nothing");
}
