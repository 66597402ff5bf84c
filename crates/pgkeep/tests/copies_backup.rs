//! A backup into several stores at once: the same copy in each, and a store that fails costs no other its copy.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::process::Command;

use failures_support::closed_port;
use failures_support::data::noise;
use failures_support::place::{Place, files};
use failures_support::program::{Ran, pgkeep, run};
use pgkeep_testbed::{Bucket, Database, FaultProxy, S3, Server, private_server};
use serde_json::Value;
use tempfile::TempDir;

/// A folder, and a bucket behind a proxy.
struct Bench {
    source: Database,
    dir: TempDir,
    bucket: Bucket,
    proxy: FaultProxy,
}

impl Bench {
    fn new(rows: u32) -> Bench {
        Bench {
            source: noise(&Server::major(18), rows),
            dir: tempfile::tempdir().unwrap(),
            bucket: S3::from_env().create_bucket("copies"),
            proxy: FaultProxy::to_http(S3::from_env().address()),
        }
    }

    fn folder(&self) -> String {
        self.dir.path().join("backups").to_str().unwrap().to_owned()
    }

    /// The program, whose stores are `$folder` and `$bucket`.
    fn command(&self, arguments: &[&str]) -> Command {
        let bucket = self.bucket.url_via(&self.proxy.endpoint(), "pg");
        let words: Vec<String> = arguments
            .iter()
            .map(|a| a.replace("$folder", &self.folder()).replace("$bucket", &bucket))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = pgkeep(&words);
        command.envs(self.bucket.credentials());
        command
    }

    fn ran(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments))
    }

    fn backup(&self, more: &[&str]) -> Ran {
        let url = self.source.url();
        self.ran(&[&["backup", &url, "--json", "--to", "$folder", "--to", "$bucket"], more].concat())
    }

    fn files(&self) -> Vec<String> {
        let mut files = files(self.folder().as_ref());
        files.sort();
        files
    }

    /// The degraded result: what failed is named, the other copy is whole.
    #[track_caller]
    fn degraded(&self, ran: Ran, words: &[&str]) -> Value {
        let ran = ran.failed(10, &[&["no copy in", "pgkeep sync"], words].concat());
        let told = ran.json();
        assert_eq!((&told["ok"], &told["error"]["kind"]), (&false.into(), &"degraded".into()), "{told}");
        let id = told["id"].as_str().unwrap();
        let copies = told["copies"].as_array().unwrap();
        assert_eq!(copies.len(), 2, "{told}");
        let failed: Vec<bool> = copies.iter().map(|c| c["failed"].is_string()).collect();
        assert_eq!(failed, [false, true], "{told}");
        self.ran(&["verify", id, "--store", "$folder"]).ok();
        let manifest = self.ran(&["show", id, "--store", "$folder", "--json"]).ok().json();
        assert_eq!(manifest["copies"], told["copies"]);
        told
    }
}

#[test]
fn every_store_gets_the_same_copy_and_the_database_is_read_once() {
    let bench = Bench::new(300_000);
    let told = bench.backup(&["--globals", "--jobs", "4"]).ok().json();
    assert_eq!(told["copies"].as_array().unwrap().iter().filter(|c| c.get("failed").is_none()).count(), 2);
    let there = bench.files();
    assert_eq!(there.len(), 3, "{there:?}");
    let keys: Vec<String> = there.iter().map(|f| format!("pg/{f}")).collect();
    assert_eq!(bench.bucket.keys(), keys);
    assert_eq!(bench.bucket.multipart_uploads(), []);
    let copy = bench.dir.path().join("copy");
    for (file, key) in there.iter().zip(&keys) {
        bench.bucket.download(key, &copy);
        let same = Command::new("cmp").arg(format!("{}/{file}", bench.folder())).arg(&copy).status().unwrap();
        assert!(same.success(), "{file}");
    }
    let id = told["id"].as_str().unwrap();
    for store in ["$folder", "$bucket"] {
        bench.ran(&["verify", id, "--store", store]).ok();
    }
    bench.ran(&["list", "--store", "$folder", "--store", "$bucket"]).ok().says(&["2/2"]);
}

#[test]
fn a_store_that_is_not_there_costs_the_other_nothing() {
    let bench = Bench::new(1000);
    let url = bench.source.url();
    let gone = bench.bucket.url_via(&format!("http://127.0.0.1:{}", closed_port()), "pg");
    let ran = bench.ran(&["backup", &url, "--json", "--to", "$folder", "--to", &gone]);
    bench.degraded(ran, &["cannot be reached"]);
    assert_eq!(bench.bucket.keys(), Vec::<String>::new());
    // None left: no backup.
    let before = bench.files();
    let none = bench.ran(&["backup", &url, "--json", "--to", &gone, "--to", "/dev/null/x"]);
    none.failed(5, &["cannot be reached"]);
    assert_eq!(bench.files(), before);
}

#[test]
fn a_store_that_breaks_in_the_middle_keeps_nothing_and_the_other_is_whole() {
    let bench = Bench::new(300_000);
    bench.proxy.fail_requests(|line| line.contains("partNumber="), u32::MAX, 403);
    bench.degraded(bench.backup(&[]), &["permission denied"]);
    assert_eq!((bench.bucket.keys(), bench.bucket.multipart_uploads()), (vec![], vec![]));
}

#[test]
fn a_store_that_refuses_the_manifest_keeps_nothing_and_the_other_says_so() {
    let bench = Bench::new(1000);
    bench.proxy.fail_requests(
        |line| line.starts_with("PUT") && line.contains(".manifest.json"),
        u32::MAX,
        403,
    );
    bench.degraded(bench.backup(&["--globals"]), &["permission denied"]);
    assert_eq!((bench.bucket.keys(), bench.bucket.multipart_uploads()), (vec![], vec![]));
}

#[test]
fn a_store_that_stalls_is_left_behind() {
    let bench = Bench::new(600_000);
    // Its first part never comes to an end.
    bench.proxy.cut_requests(|line| line.contains("partNumber="), u32::MAX);
    let told = bench.degraded(bench.backup(&["--stall-timeout", "1s"]), &["took nothing for 1 s"]);
    assert!(told["copies"][1]["failed"].as_str().unwrap().contains("took nothing"), "{told}");
    // What it holds is no backup, and the next run removes it.
    bench.proxy.heal();
    bench.ran(&["list", "--store", "$bucket"]).ok().says(&["no backups"]);
    bench.backup(&[]).ok();
    bench.ran(&["list", "--store", "$bucket", "--json"]).ok().json();
    assert_eq!((bench.bucket.keys().len(), bench.bucket.multipart_uploads()), (2, vec![]));
}

#[test]
fn when_the_database_fails_no_store_keeps_anything() {
    let place = Place::folder();
    let bench = Bench::new(1000);
    bench
        .source
        .psql("create table broken (i int); create function f() returns int language sql as 'select 1'");
    // A lock that nobody gives up ends the run after the stores were opened.
    let ran = bench.ran(&[
        "backup",
        "postgres://nobody:x@127.0.0.1:1/none",
        "--to",
        &place.url(),
        "--to",
        "$bucket",
    ]);
    ran.failed(4, &[]);
    assert_eq!(bench.bucket.keys(), Vec::<String>::new());
    place.is_clean();
}

#[test]
fn all_databases_of_a_server_are_backed_up_though_a_store_fails() {
    let server = private_server(17, &[]);
    let dir = tempfile::tempdir().unwrap();
    let (good, bad) = (dir.path().join("good"), "/dev/null/backups");
    let url = server.url("postgres");
    let ran = run(pgkeep(&["backup", &url, "--all", "--json", "--to", bad, "--to", good.to_str().unwrap()]));
    let summary = ran.failed(10, &["no copy in"]).json();
    assert_eq!((&summary["ok"], &summary["failed"]), (&false.into(), &serde_json::json!([])), "{summary}");
    assert_eq!(summary["degraded"], serde_json::json!(["postgres"]));
    assert_eq!(summary["error"]["kind"], "degraded");
    run(pgkeep(&["verify", "postgres@latest", "--store", good.to_str().unwrap()])).ok();
}
