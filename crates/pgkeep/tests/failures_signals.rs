//! The run is stopped or killed at any moment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::time::Duration;

use failures_support::data::{no_sessions, noise, one_big_row, wait_for_reading};
use failures_support::place::Place;
use failures_support::program::{Running, processes};
use failures_support::{Random, wait_until};
use pgkeep_testbed::{Bucket, Database, FaultProxy, S3, Server};

/// Two ways to slow a backup down: rows that come slowly, and a bucket that takes slowly.
struct Slow {
    source: Database,
    rows: FaultProxy,
    bucket: FaultProxy,
    place: Place,
}

impl Slow {
    fn new(source: Database, place: Place, rows: u64, bucket: u64) -> Slow {
        let slow = Slow {
            rows: FaultProxy::to(("127.0.0.1", source.server().port())),
            bucket: FaultProxy::to_http(S3::from_env().address()),
            source,
            place,
        };
        slow.rows.throttle(rows);
        slow.bucket.throttle(bucket);
        slow
    }

    fn start(&self, more: &[&str]) -> Running {
        let to = match &self.place {
            Place::Folder(_) => self.place.url(),
            Place::Bucket(bucket) => bucket.url_via(&self.bucket.endpoint(), "backups"),
        };
        let url = self.source.url_via(self.rows.port());
        let arguments = [&["backup", &url, "--to", &to, "--progress", "none", "--jobs", "2"], more].concat();
        Running::start(&mut self.place.pgkeep(&arguments))
    }
}

fn pg_dumps(database: &Database) -> usize {
    // Its database stands in its environment; the snapshot's name tells a pg_dump of ours from others'.
    let name = format!("PGDATABASE={}", database.name());
    let ours = |pid: u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|b| *b == 0).any(|v| v == name.as_bytes())
    };
    processes().into_iter().filter(|p| p.arguments.contains("--snapshot=") && ours(p.pid)).count()
}

/// Moments spread over a run of about so many milliseconds.
fn moments(seed: u64, count: u64, run: u64) -> Vec<Duration> {
    let mut random = Random(seed);
    (0..count).map(|i| Duration::from_millis(100 + run * i / count + random.below(run / count))).collect()
}

/// Stops backups at random moments; nothing may stay, neither there nor on the server nor here.
fn stopped(slow: &Slow, moments: Vec<Duration>) {
    for moment in moments {
        let mut running = slow.start(&[]);
        std::thread::sleep(moment);
        assert!(running.is_alive(), "it was over before {moment:?}: slow it down");
        running.signal("TERM");
        let ran = running.wait();
        assert_eq!(ran.code(), 130, "stopped after {moment:?}: {ran:#?}");
        assert_eq!(ran.stderr, "pgkeep: error: stopped: the run was asked to stop\n", "after {moment:?}");
        let after = ran.took.saturating_sub(moment);
        assert!(after < Duration::from_secs(15), "it took {after:?} to stop after {moment:?}");
        assert_eq!(slow.place.contents(), Vec::<String>::new(), "left when stopped after {moment:?}");
        assert_eq!(pg_dumps(&slow.source), 0, "pg_dump lives on");
        no_sessions(&slow.source);
    }
    slow.place.is_clean();
}

#[test]
fn a_backup_into_a_folder_that_is_stopped_at_any_moment_leaves_nothing() {
    let slow = Slow::new(noise(&Server::major(18), 60_000), Place::folder(), 400_000, 0);
    stopped(&slow, moments(1, 8, 5000));
}

#[test]
fn a_backup_into_a_bucket_that_is_stopped_at_any_moment_leaves_nothing() {
    let slow = Slow::new(one_big_row(&Server::major(18)), Place::bucket(), 20_000_000, 2_000_000);
    stopped(&slow, moments(2, 6, 5000));
}

#[test]
fn a_backup_that_is_stopped_while_a_part_is_on_its_way_leaves_no_upload() {
    let slow = Slow::new(one_big_row(&Server::major(17)), Place::bucket(), 0, 2_000_000);
    let running = slow.start(&[]);
    let part = |line: &String| line.starts_with("PUT ") && line.contains("partNumber=");
    wait_until("a part is on its way", || slow.bucket.requests().iter().any(part));
    running.signal("TERM");
    running.wait().failed(130, &["stopped"]);
    slow.place.is_clean();
    no_sessions(&slow.source);
}

#[test]
fn a_stop_is_heard_while_the_server_says_nothing() {
    let slow = Slow::new(noise(&Server::major(18), 30_000), Place::folder(), 200_000, 0);
    let running = slow.start(&[]);
    wait_for_reading(&slow.source);
    slow.rows.stall();
    running.signal("INT");
    let ran = running.wait().failed(130, &["stopped"]);
    assert!(ran.took < Duration::from_secs(30), "{ran:#?}");
    slow.place.is_clean();
    assert_eq!(pg_dumps(&slow.source), 0);
}

#[test]
fn a_second_interrupt_ends_the_process_at_once_and_the_next_backup_tidies_up() {
    let slow = Slow::new(one_big_row(&Server::major(18)), Place::bucket(), 0, 2_000_000);
    let running = slow.start(&[]);
    let part = |line: &String| line.starts_with("PUT ") && line.contains("partNumber=");
    wait_until("a part is on its way", || slow.bucket.requests().iter().any(part));
    // What the first asks for is then waited for in vain.
    slow.bucket.stall();
    running.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    running.signal("INT");
    let ran = running.wait();
    assert!(matches!(ran.code(), 130), "{ran:#?}");
    slow.bucket.heal();
    no_sessions(&slow.source);
    slow.place.lists_nothing();
    slow.place.backup(&slow.source.url(), &[]).ok();
    slow.place.holds_one_backup();
}

/// Kills backups at random moments; `list` shows none of them, and the next backup removes what they left.
fn killed(slow: &Slow, moments: Vec<Duration>) {
    let mut left = 0;
    for moment in moments {
        let mut running = slow.start(&[]);
        std::thread::sleep(moment);
        assert!(running.is_alive(), "it was over before {moment:?}: slow it down");
        running.signal("KILL");
        running.wait();
        slow.place.lists_nothing();
        left += slow.place.contents().len();
    }
    assert!(left > 0, "no run had written anything yet");
    let ran = slow.place.backup(&slow.source.url(), &["--json"]).ok();
    assert!(ran.stderr.contains("removed what the interrupted backup"), "{ran:#?}");
    slow.place.holds_one_backup();
    wait_until("pg_dump has ended", || pg_dumps(&slow.source) == 0);
    no_sessions(&slow.source);
}

#[test]
fn what_killed_backups_leave_in_a_folder_is_no_backup_and_is_removed_by_the_next() {
    let slow = Slow::new(noise(&Server::major(18), 60_000), Place::folder(), 400_000, 0);
    killed(&slow, moments(3, 8, 5000));
}

#[test]
fn what_killed_backups_leave_in_a_bucket_is_no_backup_and_is_removed_by_the_next() {
    let slow = Slow::new(one_big_row(&Server::major(18)), Place::bucket(), 20_000_000, 2_000_000);
    killed(&slow, moments(4, 6, 5000));
}

#[test]
fn a_backup_killed_between_archive_and_manifest_is_no_backup_and_is_removed_by_the_next() {
    let slow = Slow::new(noise(&Server::major(18), 1000), Place::bucket(), 0, 0);
    let manifest = |line: &str| line.starts_with("PUT ") && line.contains(".manifest.json");
    // Its sending fails and is tried again for a while.
    slow.bucket.fail_requests(manifest, u32::MAX, 503);
    let running = slow.start(&[]);
    wait_until("the manifest is on its way", || slow.bucket.requests().iter().any(|r| manifest(r)));
    running.signal("KILL");
    running.wait();
    let Place::Bucket(bucket) = &slow.place else { panic!("a folder") };
    assert!(has_archive(bucket), "{:?}", bucket.keys());
    slow.place.lists_nothing();
    slow.place.backup(&slow.source.url(), &[]).ok();
    slow.place.holds_one_backup();
}

fn has_archive(bucket: &Bucket) -> bool {
    bucket.keys().iter().any(|key| key.ends_with(".dump"))
}

#[test]
fn a_live_backup_is_not_taken_for_a_dead_one() {
    let slow = Slow::new(noise(&Server::major(18), 60_000), Place::folder(), 800_000, 0);
    let running = slow.start(&["--name", "slow"]);
    wait_for_reading(&slow.source);
    slow.place.backup(&slow.source.url(), &["--name", "quick"]).ok();
    slow.rows.heal();
    running.wait().ok();
    let listed = slow.place.ran(&["list", "--store", &slow.place.url(), "--json"]).ok();
    assert_eq!(listed.stdout.lines().count(), 2, "{listed:#?}");
    for name in ["slow@latest", "quick@latest"] {
        slow.place.ran(&["verify", name, "--store", &slow.place.url()]).ok();
    }
}

#[test]
fn a_backup_that_takes_longer_than_it_may_fails_and_leaves_nothing() {
    let source = noise(&Server::major(18), 150_000);
    let proxy = FaultProxy::to(("127.0.0.1", source.server().port()));
    proxy.throttle(500_000);
    let place = Place::folder();
    let ran = place.backup(&source.url_via(proxy.port()), &["--max-duration", "3s", "--json"]);
    let ran = ran.failed(1, &["not done after 3 s", "--max-duration"]);
    assert_eq!(ran.json()["error"]["kind"], "too-long");
    place.is_clean();
    place.backup(&source.url(), &["--max-duration", "1h"]).ok();
    place.holds_one_backup();
    // An upload that is held back hears it late, and is no backup either.
    let slow = Place::bucket();
    let url = format!("{}&upload-rate=500kB", slow.url());
    let source = noise(&Server::major(18), 60_000);
    let to = ["backup", &source.url(), "--to", &url, "--max-duration", "1s"];
    slow.ran(&to).failed(1, &["not done after 1 s"]);
    slow.is_clean();
    place.backup(&source.url(), &["--max-duration", "soon"]).failed(2, &["--max-duration soon", "5m"]);
}
