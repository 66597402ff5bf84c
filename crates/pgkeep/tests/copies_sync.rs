//! Backups from store to store: copied, healed, and never lost by being cut off.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::path::{Path, PathBuf};
use std::process::Command;

use failures_support::Random;
use failures_support::data::noise;
use failures_support::place::files;
use failures_support::program::{Ran, Running, pgkeep, run};
use pgkeep_testbed::{Bucket, Database, FaultProxy, S3, Server};
use tempfile::TempDir;

/// A database whose backups go to the folders `a` and `b`, and a bucket `c`.
struct Bench {
    source: Database,
    dir: TempDir,
    bucket: Bucket,
}

impl Bench {
    fn new(rows: u32) -> Bench {
        let bench = Bench {
            source: noise(&Server::major(18), rows),
            dir: tempfile::tempdir().unwrap(),
            bucket: S3::from_env().create_bucket("sync"),
        };
        bench.configure("");
        bench
    }

    fn configure(&self, of_b: &str) {
        let dir = self.dir.path().display();
        let text = format!(
            "[stores.a]\nurl = '{dir}/a'\n[stores.b]\nurl = '{dir}/b'\n{of_b}\n[stores.c]\nurl = '{}'\n\
             [databases.shop]\nurl = '{}'\nstore = ['a', 'b']\n",
            self.bucket.url("pg"),
            self.source.url()
        );
        std::fs::write(self.dir.path().join("pgkeep.toml"), text).unwrap();
    }

    fn store(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = pgkeep(arguments);
        command.env("PGKEEP_CONFIG", self.dir.path().join("pgkeep.toml")).envs(self.bucket.credentials());
        command
    }

    fn ran(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments))
    }

    fn backup(&self, to: &[&str]) -> String {
        let to: Vec<&str> = to.iter().flat_map(|t| ["--to", t]).collect();
        let told = self.ran(&[&["backup", "shop", "--json"], &to[..]].concat()).ok().json();
        told["id"].as_str().unwrap().to_owned()
    }
}

/// The same files with the same bytes.
#[track_caller]
fn same(a: &Path, b: &Path) {
    let diff = Command::new("diff").arg("-r").args([a, b]).output().unwrap();
    assert!(diff.status.success(), "{}", String::from_utf8_lossy(&diff.stdout));
}

#[test]
fn a_backup_is_copied_to_a_bucket_and_back_byte_for_byte() {
    let bench = Bench::new(300_000);
    let id = bench.backup(&["a"]);
    bench.ran(&["hold", &id, "--store", "a", "--reason", "audit"]).ok();
    let told = bench.ran(&["copy", "shop@latest", "--from", "a", "--to", "c", "--json"]).ok().json();
    assert_eq!(
        (&told["changed"], &told["to"], &told["copied_by_store"]),
        (&true.into(), &"c".into(), &0.into())
    );
    assert!(told["sent"].as_u64().unwrap() > 8 << 20, "{told}");
    bench.ran(&["verify", &id, "--store", "c"]).ok();
    let again = bench.ran(&["copy", &id, "--from", "a", "--to", "c", "--json"]).ok().json();
    assert_eq!((&again["changed"], &again["sent"]), (&false.into(), &0.into()));
    bench.ran(&["copy", &id, "--from", "c", "--to", "b"]).ok().says(&["copied shop/"]);
    same(&bench.store("a"), &bench.store("b"));
    assert_eq!(bench.bucket.multipart_uploads(), []);
    // Within one server the bytes do not pass through here.
    let other = S3::from_env().create_bucket("sync-other");
    let url = other.url("x");
    let told = bench.ran(&["copy", "shop", "--all", "--from", "c", "--to", &url, "--json"]).ok().json();
    assert!(told["copied_by_store"].as_u64().unwrap() > 8 << 20 && told["sent"] == 0, "{told}");
    bench.ran(&["verify", &id, "--store", &url]).ok();
    bench
        .ran(&["copy", "nobody@latest", "--from", "a", "--to", "c"])
        .failed(1, &["no backup \"nobody@latest\""]);
    bench.ran(&["copy", &id, "--from", "a", "--to", "a"]).failed(2, &["no store to copy from"]);
}

#[test]
fn sync_heals_what_is_missing_or_damaged_and_leaves_what_prune_would_delete() {
    let bench = Bench::new(1000);
    bench.ran(&["sync"]).ok().says(&["nothing to copy"]);
    let old = bench.backup(&["a"]);
    let cut = bench.backup(&["a", "b"]);
    let new = bench.backup(&["b"]);
    let archive = bench.store("b").join(format!("shop/{cut}.dump"));
    std::fs::write(&archive, "cut").unwrap();

    bench.configure("keep_last = 2");
    let dry = bench.ran(&["sync", "--dry-run"]).ok();
    let said = [
        format!("copy shop/{new} from b to a: missing"),
        format!("copy shop/{cut} from a to b: its archive has 3 bytes"),
        format!("leave shop/{old} out of b: prune would delete it"),
    ];
    let dry = dry.says(&said.each_ref().map(String::as_str));
    assert_eq!(dry.stdout.lines().count(), 3, "{dry:#?}");
    assert_eq!(std::fs::read(&archive).unwrap(), b"cut", "a dry run changes nothing");

    bench.ran(&["sync", "shop"]).ok();
    bench.ran(&["sync"]).ok().says(&["nothing to copy"]);
    assert_eq!((files(&bench.store("a")).len(), files(&bench.store("b")).len()), (6, 4));
    for (id, stores) in [(&old, &["a"][..]), (&cut, &["a", "b"]), (&new, &["a", "b"])] {
        stores.iter().for_each(|store| drop(bench.ran(&["verify", id, "--store", store]).ok()));
    }
    bench.ran(&["prune", "--store", "b"]).ok();
    assert_eq!(files(&bench.store("b")).iter().filter(|f| f.starts_with("shop/")).count(), 4, "no ping-pong");

    bench.ran(&["sync", "--from", "a", "--to", "c"]).ok();
    assert_eq!(bench.bucket.keys().len(), 6);
    // What is damaged everywhere is told.
    for store in ["a", "b"] {
        std::fs::write(bench.store(store).join(format!("shop/{new}.dump")), "cut").unwrap();
    }
    bench.ran(&["sync"]).failed(3, &["no store has a whole copy"]);
    bench.ran(&["sync", "--from", "c", "--to", "a", "--to", "b"]).ok();
    bench.ran(&["sync"]).ok().says(&["nothing to copy"]);
}

#[test]
fn rot_that_changes_no_size_is_found_and_healed_where_copies_are_verified() {
    let bench = Bench::new(20_000);
    let id = bench.backup(&["a", "b"]);
    let archive = bench.store("b").join(format!("shop/{id}.dump"));
    let rot = || {
        let mut bytes = std::fs::read(&archive).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&archive, bytes).unwrap();
    };
    rot();
    bench
        .ran(&["sync", "--verify", "--dry-run"])
        .ok()
        .says(&[&format!("copy shop/{id} from a to b"), "are not those that were written (SHA-256)"]);
    bench.ran(&["sync", "--verify"]).ok().says(&["copied shop/"]);
    same(&bench.store("a"), &bench.store("b"));
    bench.ran(&["sync", "--verify"]).ok().says(&["nothing to copy"]);
    rot();
    bench.ran(&["copy", &id, "--from", "a", "--to", "b", "--verify"]).ok().says(&["copied shop/"]);
    same(&bench.store("a"), &bench.store("b"));
}

#[test]
fn a_hold_that_one_store_lacks_comes_with_a_sync() {
    let bench = Bench::new(100);
    let id = bench.backup(&["a", "b"]);
    bench.ran(&["hold", &id, "--store", "a", "--reason", "audit"]).ok();
    bench.ran(&["sync"]).ok().says(&["copied shop/"]);
    same(&bench.store("a"), &bench.store("b"));
    bench.ran(&["sync"]).ok().says(&["nothing to copy"]);
}

#[test]
fn a_copy_that_a_store_did_not_retain_is_not_missed_and_one_that_was_lost_is() {
    let bench = Bench::new(100);
    bench.configure("keep_last = 1");
    let (old, new) = (bench.backup(&["a", "b"]), bench.backup(&["a", "b"]));
    bench.ran(&["prune", "--store", "b"]).ok();
    let degraded = |id: &str| {
        let listed = bench.ran(&["list", "shop", "--store", "a", "--store", "b", "--json"]).ok();
        let line = listed.stdout.lines().find(|line| line.contains(id)).unwrap();
        serde_json::from_str::<serde_json::Value>(line).unwrap()["degraded"].as_bool().unwrap()
    };
    assert_eq!((degraded(&old), degraded(&new)), (false, false));
    std::fs::remove_file(bench.store("b").join(format!("shop/{new}.manifest.json"))).unwrap();
    assert!(degraded(&new));
    let nobody = bench.ran(&["show", "nobody@latest", "--store", "a", "--store", "b"]);
    let (a, b) = (bench.store("a"), bench.store("b"));
    nobody.failed(1, &[&format!("--store file://{} --store file://{}`", a.display(), b.display())]);
}

#[test]
fn what_a_bucket_copies_by_itself_is_vouched_for_by_its_tags_and_not_read_again() {
    let bench = Bench::new(300_000);
    let id = bench.backup(&["c"]);
    let proxy = FaultProxy::to_http(S3::from_env().address());
    let from = bench.bucket.url_via(&proxy.endpoint(), "pg");
    let other = S3::from_env().create_bucket("sync-tags");
    let to = other.url_via(&proxy.endpoint(), "pg");
    let told = bench.ran(&["copy", &id, "--from", &from, "--to", &to, "--json"]).ok().json();
    let size = told["copied_by_store"].as_u64().unwrap();
    // The part that holds the table of contents is looked at.
    assert!(proxy.bytes_to_client() < size, "{} of {size} bytes were read", proxy.bytes_to_client());
    bench.ran(&["verify", &id, "--store", &to]).ok();
}

#[test]
fn a_degraded_backup_is_healed_by_a_sync() {
    let bench = Bench::new(1000);
    std::fs::write(bench.store("b"), "in the way").unwrap();
    bench.ran(&["backup", "shop"]).failed(10, &["no copy in"]);
    std::fs::remove_file(bench.store("b")).unwrap();
    bench.ran(&["sync"]).ok();
    same(&bench.store("a"), &bench.store("b"));
    bench.ran(&["list", "shop"]).ok().says(&["2/2"]);
}

#[test]
fn killed_at_any_point_a_copy_and_a_sync_lose_nothing_and_end_when_run_again() {
    let bench = Bench::new(150_000);
    let id = bench.backup(&["a"]);
    let mut random = Random(7);
    for to in ["b", "c"] {
        for round in 0..4u64 {
            let arguments: &[&str] = match round % 2 {
                0 => &["copy", "shop@latest", "--from", "a", "--to", to],
                _ => &["sync", "--from", "a", "--to", to],
            };
            let running = Running::start(&mut bench.command(arguments));
            // Not to wait for something, but to be somewhere else each time.
            std::thread::sleep(std::time::Duration::from_millis(20 + random.below(400)));
            running.signal("KILL");
            running.wait();
            let listed = bench.ran(&["list", "--store", to, "--json"]).ok();
            if !listed.stdout.is_empty() && listed.stdout.starts_with('{') {
                bench.ran(&["verify", &id, "--store", to]).ok();
            }
        }
        bench.ran(&["sync", "--from", "a", "--to", to]).ok();
        bench.ran(&["verify", &id, "--store", to]).ok();
        bench.ran(&["verify", &id, "--store", "a"]).ok();
    }
    assert_eq!(bench.bucket.keys().iter().filter(|k| k.contains("/shop/")).count(), 2);
}
