//! The store refuses, breaks, or is full.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::process::Command;
use std::time::Duration;

use failures_support::closed_port;
use failures_support::data::{no_sessions, noise, one_big_row};
use failures_support::place::{Place, files};
use failures_support::program::{PLANTED, Ran, Running, pgkeep, run};
use failures_support::wait_until;
use pgkeep_testbed::{Bucket, Database, FaultProxy, S3, Server};

fn source() -> Database {
    noise(&Server::major(18), 1000)
}

/// Backs up into the bucket through another endpoint.
fn backup_via(bucket: &Bucket, endpoint: &str, source: &Database) -> Command {
    let mut command =
        pgkeep(&["backup", &source.url(), "--to", &bucket.url_via(endpoint, "backups"), "--json"]);
    command.envs(bucket.credentials());
    command
}

fn bucket(place: &Place) -> &Bucket {
    match place {
        Place::Bucket(bucket) => bucket,
        Place::Folder(_) => panic!("a folder"),
    }
}

fn s3_proxy() -> FaultProxy {
    FaultProxy::to_http(S3::from_env().address())
}

#[track_caller]
fn failed_as_a_store(ran: Ran, words: &[&str]) -> Ran {
    let ran = ran.failed(5, words);
    let error = &ran.json()["error"];
    assert_eq!((error["kind"].as_str(), error["exit_code"].as_u64()), (Some("store"), Some(5)), "{ran:#?}");
    ran
}

#[test]
fn an_endpoint_where_nobody_listens_is_named_at_once() {
    let source = source();
    let place = Place::bucket();
    let endpoint = format!("http://127.0.0.1:{}", closed_port());
    let ran = run(backup_via(bucket(&place), &endpoint, &source));
    let ran = failed_as_a_store(
        ran,
        &["cannot be reached", bucket(&place).name(), "refused", "check the endpoint"],
    );
    assert!(ran.took < Duration::from_secs(20), "{ran:#?}");
    let mut list = pgkeep(&["list", "--json", "--store", &bucket(&place).url_via(&endpoint, "backups")]);
    list.envs(bucket(&place).credentials());
    failed_as_a_store(run(list), &["cannot be reached"]);
    place.is_clean();
    no_sessions(&source);
}

#[test]
fn an_endpoint_that_never_answers_is_given_up() {
    let source = source();
    let place = Place::bucket();
    let proxy = s3_proxy();
    proxy.stall();
    let ran = run(backup_via(bucket(&place), &proxy.endpoint(), &source));
    let ran = failed_as_a_store(ran, &["cannot be reached", &proxy.endpoint()]);
    assert!(ran.took < Duration::from_secs(60), "{ran:#?}");
    drop(proxy);
    place.is_clean();
}

#[test]
fn wrong_credentials_are_told_and_not_shown() {
    let source = source();
    let place = Place::bucket();
    let endpoint = S3::from_env().endpoint;
    for (variable, value, code) in [
        ("AWS_SECRET_ACCESS_KEY", PLANTED, "SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "NOSUCHKEY", "InvalidAccessKeyId"),
    ] {
        let mut command = backup_via(bucket(&place), &endpoint, &source);
        command.env(variable, value);
        let words = ["permission denied", code, "check the credentials", bucket(&place).name()];
        failed_as_a_store(run(command), &words);
    }
    place.is_clean();
}

#[test]
fn no_credentials_at_all_are_told() {
    let source = source();
    let place = Place::bucket();
    let mut command = backup_via(bucket(&place), &S3::from_env().endpoint, &source);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let home = tempfile::tempdir().unwrap();
    command.env("HOME", home.path());
    failed_as_a_store(run(command), &["credentials"]);
    place.is_clean();
}

#[test]
fn a_missing_bucket_is_named() {
    let source = source();
    let place = Place::bucket();
    let url = bucket(&place).url("backups").replace(bucket(&place).name(), "no-such-bucket-here");
    let mut command = pgkeep(&["backup", &source.url(), "--to", &url, "--json"]);
    command.envs(bucket(&place).credentials());
    failed_as_a_store(run(command), &["no-such-bucket-here", "the bucket does not exist", "create it"]);
    place.is_clean();
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let source = source();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "no folder").unwrap();
    let to = file.join("backups");
    let ran = run(pgkeep(&["backup", &source.url(), "--to", to.to_str().unwrap(), "--json"]));
    failed_as_a_store(ran, &[file.to_str().unwrap()]);
    assert_eq!(files(dir.path()), ["file"]);
    no_sessions(&source);
}

#[test]
fn a_store_that_fails_is_noticed_before_the_database_is_touched() {
    let ran = run(pgkeep(&["backup", "postgres://u@127.0.0.1:1/x", "--to", "/dev/null/backups"]));
    ran.failed(5, &["/dev/null/backups"]);
}

fn is_part(line: &str) -> bool {
    line.starts_with("PUT ") && line.contains("partNumber=")
}

#[test]
fn a_part_that_fails_twice_is_sent_again() {
    let source = one_big_row(&Server::major(18));
    let place = Place::bucket();
    let proxy = s3_proxy();
    proxy.fail_requests(is_part, 2, 503);
    run(backup_via(bucket(&place), &proxy.endpoint(), &source)).ok();
    let parts = proxy.requests().into_iter().filter(|r| is_part(r)).count();
    assert!(parts >= 5, "three parts, two of them twice: {parts}");
    place.holds_one_backup();
}

#[test]
fn a_part_whose_connection_breaks_or_whose_answer_is_lost_is_sent_again() {
    let source = one_big_row(&Server::major(18));
    let place = Place::bucket();
    let proxy = s3_proxy();
    proxy.cut_requests(is_part, 1);
    proxy.lose_replies(is_part, 1);
    proxy.lose_replies(|line| line.starts_with("POST ") && line.contains("uploadId="), 1);
    run(backup_via(bucket(&place), &proxy.endpoint(), &source)).ok();
    place.holds_one_backup();
}

#[test]
fn a_part_that_is_refused_for_good_ends_the_backup_and_the_upload() {
    let source = one_big_row(&Server::major(18));
    let place = Place::bucket();
    let proxy = s3_proxy();
    proxy.fail_requests(is_part, u32::MAX, 403);
    let ran = run(backup_via(bucket(&place), &proxy.endpoint(), &source));
    failed_as_a_store(ran, &["permission denied", "AccessDenied", ".dump"]);
    place.is_clean();
    no_sessions(&source);
}

#[test]
fn a_part_that_fails_for_good_ends_the_backup_and_the_upload() {
    let source = one_big_row(&Server::major(18));
    let place = Place::bucket();
    let proxy = s3_proxy();
    proxy.fail_requests(is_part, u32::MAX, 503);
    let ran = run(backup_via(bucket(&place), &proxy.endpoint(), &source));
    failed_as_a_store(ran, &["cannot be reached", "SlowDown", "try later", ".dump"]);
    place.is_clean();
    no_sessions(&source);
}

#[test]
fn a_manifest_that_cannot_be_written_leaves_no_archive() {
    let source = source();
    let place = Place::bucket();
    let proxy = s3_proxy();
    proxy.fail_requests(|line| line.starts_with("PUT ") && line.contains(".manifest.json"), u32::MAX, 403);
    let ran = run(backup_via(bucket(&place), &proxy.endpoint(), &source));
    failed_as_a_store(ran, &["AccessDenied", ".manifest.json"]);
    place.is_clean();
}

#[test]
fn a_completion_that_is_refused_leaves_nothing() {
    let source = one_big_row(&Server::major(18));
    let place = Place::bucket();
    let proxy = s3_proxy();
    proxy.fail_requests(|line| line.starts_with("POST ") && line.contains("uploadId="), u32::MAX, 403);
    let ran = run(backup_via(bucket(&place), &proxy.endpoint(), &source));
    failed_as_a_store(ran, &["AccessDenied", ".dump"]);
    place.is_clean();
}

#[test]
fn a_store_that_vanishes_in_the_middle_leaves_what_the_next_backup_removes() {
    let source = one_big_row(&Server::major(18));
    let place = Place::bucket();
    let proxy = s3_proxy();
    proxy.throttle(4_000_000);
    let running = Running::start(&mut backup_via(bucket(&place), &proxy.endpoint(), &source));
    wait_until("an upload has begun", || proxy.requests().iter().any(|r| is_part(r)));
    proxy.refuse(true);
    proxy.cut_all_now();
    failed_as_a_store(running.wait(), &["cannot be reached", &proxy.endpoint()]);
    place.lists_nothing();
    assert!(!place.contents().is_empty(), "nobody could remove it");
    let ran = place.backup(&source.url(), &["--json"]).ok();
    assert!(ran.stderr.contains("removed what the interrupted backup"), "{ran:#?}");
    place.holds_one_backup();
}

/// Runs a script on a file system of so many megabytes, mounted on `dir`; where nothing can be mounted, under a
/// limit for the size of files.
fn on_a_small_disk(megabytes: u32, dir: &str, arguments: &[&str], source: &Database) -> Ran {
    let mounted = format!("mount -t tmpfs -o size={megabytes}m none {dir}");
    let can = |flags: &str| {
        let tried = Command::new("unshare").args([flags, "sh", "-c", &mounted]).output();
        tried.is_ok_and(|out| out.status.success())
    };
    let script = "\"$@\"; code=$?; echo left: $(find \"$DIR\" -type f); exit $code";
    let program = pgkeep(arguments);
    let mut command = match ["-m", "-rm"].into_iter().find(|flags| can(flags)) {
        Some(flags) => {
            let mut command = Command::new("unshare");
            command.args([flags, "sh", "-c", &format!("{mounted} && {script}"), "sh"]);
            command
        }
        None => {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("trap '' XFSZ; ulimit -f {megabytes}000; {script}"), "sh"]);
            command
        }
    };
    command.arg(program.get_program()).args(program.get_args());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("DIR", dir);
    let ran = run(command);
    no_sessions(source);
    ran
}

#[test]
fn a_full_disk_is_told_and_left_as_it_was() {
    let server = Server::major(18);
    // Pieces that wait for their turn, and one that begins to stream or has begun: the ways into the archive.
    for (source, megabytes) in
        [(noise(&server, 100_000), 1), (one_big_row(&server), 1), (one_big_row(&server), 20)]
    {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().to_str().unwrap();
        let to = format!("{dir}/backups");
        let ran =
            on_a_small_disk(megabytes, dir, &["backup", &source.url(), "--to", &to, "--jobs", "2"], &source);
        let ran = ran.failed(5, &[&to, ".dump"]);
        let told = ran.stderr.contains("no space left") || ran.stderr.contains("too large");
        assert!(told, "{ran:#?}");
        assert!(ran.stdout.ends_with("left:\n"), "{ran:#?}");
    }
}

#[test]
fn a_pipe_whose_reader_goes_away_ends_the_backup() {
    let server = Server::major(18);
    let source = noise(&server, 100_000);
    let mut command = Command::new("sh");
    command.args(["-c", "{ \"$@\"; echo code $? >&2; } | head -c 1000 >/dev/null", "sh"]);
    let program = pgkeep(&["backup", &source.url(), "--to", "-"]);
    command.arg(program.get_program()).args(program.get_args());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = run(command).says(&["code 5", "writing the archive to the pipe", "Broken pipe"]);
    assert!(ran.took < Duration::from_secs(60));
    no_sessions(&source);
}
