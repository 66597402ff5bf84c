//! Several stores: named in the configuration, looked through together, any healthy copy good enough.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::path::Path;
use std::process::Command;

use failures_support::closed_port;
use failures_support::place::files;
use failures_support::program::{Ran, pgkeep, run};
use pgkeep_testbed::{Database, Server, compare_databases};
use tempfile::TempDir;

/// A database, and a configuration with two stores `a` and `b`.
struct Bench {
    database: Database,
    dir: TempDir,
}

impl Bench {
    fn new(name: &str) -> Bench {
        let database = Database::create(&Server::major(17), name);
        database.psql("create table t as select i, md5(i::text) m from generate_series(1, 1000) i");
        let bench = Bench { database, dir: tempfile::tempdir().unwrap() };
        bench.configure("store = ['a', 'b']", "");
        bench
    }

    /// Writes the configuration; `{dir}` in it is the test's folder.
    fn configure(&self, top: &str, more: &str) {
        let text = format!(
            "{top}\n[stores.a]\nurl = '{{dir}}/a'\n[stores.b]\nurl = '{{dir}}/b'\n[databases.shop]\nurl = '{}'\n{more}\n",
            self.database.url()
        );
        std::fs::write(self.config(), text.replace("{dir}", self.dir.path().to_str().unwrap())).unwrap();
    }

    fn config(&self) -> String {
        self.dir.path().join("pgkeep.toml").to_str().unwrap().to_owned()
    }

    fn store(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = pgkeep(arguments);
        command.env("PGKEEP_CONFIG", self.config()).current_dir(self.dir.path());
        command.env("AWS_ACCESS_KEY_ID", "key").env("AWS_SECRET_ACCESS_KEY", "hidden");
        command
    }

    fn ran(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments))
    }
}

/// Copies a store as it is, as a user may.
fn copy_folder(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").args([from, to]).status().unwrap().success());
}

/// The one file of a store whose name ends so.
#[track_caller]
fn file(store: &Path, end: &str) -> std::path::PathBuf {
    let found: Vec<String> = files(store).into_iter().filter(|f| f.ends_with(end)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    store.join(&found[0])
}

#[test]
fn a_store_is_known_by_its_configured_name() {
    let bench = Bench::new("named_store");
    bench.ran(&["backup", "shop", "--to", "a"]).ok();
    assert_eq!(files(&bench.store("a")).len(), 2);
    bench.ran(&["verify", "shop@latest", "--store", "a"]).ok();
    bench.ran(&["backup", "shop", "--to", "ab"]).failed(2, &["\"ab\" is no configured store", "a, b"]);
    assert!(!bench.store("ab").exists());
    bench.ran(&["check", "shop", "--to", "b"]).ok();
    bench.ran(&["config", "check"]).ok().says(&["no mistakes, 1 warning"]);
    bench.configure("store = 'c'", "");
    bench.ran(&["config", "check"]).failed(2, &["\"c\" is no configured store"]);
    bench.configure("", "[stores.c]\njobs = 3\nulr = 'x'");
    bench
        .ran(&["config", "check"])
        .failed(2, &["\"jobs\" says nothing about a store", "unknown key \"ulr\"", "no url"]);
}

#[test]
fn any_healthy_copy_is_found_and_what_is_passed_over_is_told() {
    let bench = Bench::new("healthy_copy");
    bench.ran(&["backup", "shop", "--to", "a"]).ok();
    let one = |bench: &Bench| {
        let line = bench.ran(&["list", "--json"]).ok().json();
        (line["stores"].clone(), line["degraded"].clone())
    };
    assert_eq!(one(&bench), (serde_json::json!(["a"]), true.into()));
    bench.ran(&["list"]).ok().says(&["COPIES", "1/2 degraded"]);
    copy_folder(&bench.store("a"), &bench.store("b"));
    assert_eq!(one(&bench), (serde_json::json!(["a", "b"]), false.into()));
    bench.ran(&["list"]).ok().says(&["2/2"]);

    let restored = |notes: &[&str]| {
        let target = Database::create(bench.database.server(), "copy_target");
        let ran = bench.ran(&["restore", "shop@latest", "--into", &target.url(), "--json"]).ok().says(notes);
        compare_databases(&bench.database, &target).unwrap();
        ran.json()["archive"].as_str().unwrap().to_owned()
    };
    assert!(restored(&[]).contains("/a/"));
    // Cut, then changed at its head, then gone, then without a manifest, then a store that is no folder.
    let archive = file(&bench.store("a"), ".dump");
    let whole = std::fs::read(&archive).unwrap();
    std::fs::write(&archive, &whole[..whole.len() - 1]).unwrap();
    assert!(restored(&["the copy in a is passed over", "bytes and its manifest says"]).contains("/b/"));
    let mut changed = whole.clone();
    changed[100] ^= 1;
    std::fs::write(&archive, &changed).unwrap();
    assert!(restored(&["the copy in a is passed over", "are not those that were written"]).contains("/b/"));
    std::fs::remove_file(&archive).unwrap();
    assert!(restored(&["the copy in a is passed over", "it is not there"]).contains("/b/"));
    std::fs::write(file(&bench.store("a"), ".manifest.json"), "{").unwrap();
    assert!(restored(&["the copy in a is passed over", "not a manifest"]).contains("/b/"));
    let url = format!("s3://x/y?region=r&endpoint=http://127.0.0.1:{}", closed_port());
    bench.configure("store = ['gone', 'b']", &format!("[stores.gone]\nurl = '{url}'"));
    assert!(restored(&["store gone is passed over"]).contains("/b/"));
    bench.ran(&["show", "shop@latest"]).ok().says(&["store gone is passed over"]);
    bench.ran(&["list"]).ok().says(&["1/2 degraded"]);
}

#[test]
fn a_read_that_fails_on_the_way_says_where_another_copy_is() {
    let bench = Bench::new("other_copy");
    bench.database.psql(
        "create table big as select i, gen_random_uuid() u, gen_random_uuid() v from generate_series(1, 400000) i",
    );
    bench.ran(&["backup", "shop", "--to", "a"]).ok();
    copy_folder(&bench.store("a"), &bench.store("b"));
    let archive = file(&bench.store("a"), ".dump");
    let mut bytes = std::fs::read(&archive).unwrap();
    let near_the_end = bytes.len() - 2000;
    bytes[near_the_end - 100_000..near_the_end].fill(0);
    std::fs::write(&archive, &bytes).unwrap();
    bench.ran(&["verify", "shop@latest"]).failed(3, &["another copy is in b: --store b"]);
    bench.ran(&["verify", "shop@latest", "--store", "b"]).ok();
    let target = Database::create(bench.database.server(), "other_target");
    bench
        .ran(&["restore", "shop@latest", "--into", &target.url()])
        .failed(3, &["another copy is in b: --store b"]);
}
