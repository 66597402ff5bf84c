//! Several stores together with encryption, every format, key templates and whole servers.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::path::{Path, PathBuf};
use std::process::Command;

use failures_support::key::Key;
use failures_support::place::files;
use failures_support::program::{Ran, pgkeep, run};
use pgkeep_testbed::{Bucket, Database, S3, Server, compare_databases, private_server};
use tempfile::TempDir;

/// Two stores, a folder `a` and a bucket `b`, and a key of which the machine has the public half.
struct Bench {
    dir: TempDir,
    bucket: Bucket,
    key: Key,
}

impl Bench {
    /// A bench whose configuration names a database `shop` with these settings.
    fn new(url: &str, settings: &str) -> Bench {
        let bench = Bench {
            dir: tempfile::tempdir().unwrap(),
            bucket: S3::from_env().create_bucket("combined"),
            key: Key::new(),
        };
        let (dir, bucket, public) = (bench.dir.path().display(), bench.bucket.url("pg"), &bench.key.public);
        let text = format!(
            "store = ['a', 'b']\n[stores.a]\nurl = '{dir}/a'\n[stores.b]\nurl = '{bucket}'\n\
             [databases.shop]\nurl = '{url}'\nencrypt_to = '{public}'\n{settings}\n"
        );
        std::fs::write(bench.dir.path().join("pgkeep.toml"), text).unwrap();
        bench
    }

    fn ran(&self, arguments: &[&str]) -> Ran {
        let mut command = pgkeep(arguments);
        command.env("PGKEEP_CONFIG", self.dir.path().join("pgkeep.toml")).envs(self.bucket.credentials());
        run(command)
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("a")
    }

    /// The bucket's objects are the folder's files, to the last byte.
    #[track_caller]
    fn copies_are_equal(&self) {
        let downloaded = tempfile::tempdir().unwrap();
        self.bucket.download_all("pg/", downloaded.path());
        let diff =
            Command::new("diff").arg("-r").arg(self.folder()).arg(root(downloaded.path())).output().unwrap();
        assert!(diff.status.success(), "{}", String::from_utf8_lossy(&diff.stdout));
    }

    /// Every file but manifests is sealed, and stock `age` opens it.
    #[track_caller]
    fn stock_age_opens_all(&self) -> Vec<String> {
        let mut sealed = files(&self.folder());
        sealed.retain(|file| !file.ends_with(".json"));
        for (i, file) in sealed.iter().enumerate() {
            assert!(file.ends_with(".age"), "{file}");
            self.key.decrypt(&self.folder().join(file), &i.to_string());
        }
        sealed
    }
}

/// Where the download's files begin.
fn root(downloaded: &Path) -> PathBuf {
    let below = downloaded.join("pg");
    if below.is_dir() { below } else { downloaded.to_owned() }
}

fn shop() -> Database {
    let database = Database::create(&Server::major(17), "combined");
    database.psql(
        "create table t (id serial primary key, v text);
         insert into t (v) select md5(i::text) from generate_series(1, 3000) i;
         create table u as select i from generate_series(1, 100) i;
         select lo_from_bytea(0, 'a large object')",
    );
    database
}

/// Backs up into both stores, loses one copy after the other, and restores from what is left.
fn survives(settings: &str, check: impl Fn(&[String])) {
    let source = shop();
    let bench = Bench::new(&source.url(), settings);
    let made = bench.ran(&["backup", "shop", "--globals", "--json"]).ok().json();
    assert!(made["copies"].as_array().unwrap().iter().all(|copy| copy["failed"].is_null()), "{made}");
    bench.copies_are_equal();
    check(&bench.stock_age_opens_all());
    let listed = bench.ran(&["list", "--json"]).ok().json();
    assert_eq!((&listed["encrypted"], &listed["degraded"]), (&true.into(), &false.into()));
    bench.ran(&["list"]).ok().says(&["full, globals, enc", "2/2"]);
    let table = bench.ran(&["list", "--store", "b"]).ok();
    assert!(table.stdout.lines().all(|line| line.chars().count() <= 80), "{table:#?}");
    let identity = bench.key.file();
    let restore = |store: &str| {
        let target = Database::create(source.server(), "combined_target");
        let words =
            ["restore", "shop@latest", "--store", store, "--identity", &identity, "--into", &target.url()];
        bench.ran(&words).ok().says(&["proven"]);
        compare_databases(&source, &target).unwrap();
    };
    restore("b");
    bench.ran(&["verify", "shop@latest", "--store", "b", "--identity", &identity]).ok();
    // The first store burns; a sync, which has no key, brings it back.
    std::fs::remove_dir_all(bench.folder()).unwrap();
    bench.ran(&["list"]).ok().says(&["1/2 degraded"]);
    bench.ran(&["sync"]).ok();
    bench.copies_are_equal();
    restore("a");
}

#[test]
fn an_encrypted_backup_in_two_stores_outlives_either_of_them() {
    survives("", |files| assert!(files.iter().any(|f| f.ends_with(".dump.age")), "{files:?}"));
}

#[test]
fn so_does_an_encrypted_directory_where_a_template_puts_it() {
    survives("format = 'directory'\nkey = '{name}/{date}/{id}'", |files| {
        assert!(files.iter().filter(|f| f.contains("/toc.dat.age")).count() == 1, "{files:?}");
        assert!(files.len() > 4, "{files:?}");
    });
}

#[test]
fn so_does_an_encrypted_script_under_the_daily_preset() {
    survives("format = 'plain'\nkey = 'daily'", |files| {
        assert!(files.iter().any(|f| f.ends_with(".sql.zst.age") && f.split('/').count() == 3), "{files:?}");
    });
}

#[test]
fn every_database_of_a_server_goes_encrypted_into_two_stores() {
    let server = private_server(17, &[]);
    server.psql("postgres", "create database one");
    server.psql("postgres", "create database two");
    server.psql("one", "create table t as select i from generate_series(1, 500) i");
    let bench = Bench::new(&server.url("postgres"), "key = 'daily'");
    let told = bench.ran(&["backup", "shop", "--all", "--json"]).ok();
    assert_eq!(told.json()["backed_up"], 3, "{told:#?}");
    bench.copies_are_equal();
    let sealed = bench.stock_age_opens_all();
    assert_eq!(sealed.iter().filter(|f| f.ends_with(".dump.age")).count(), 3, "{sealed:?}");
    let listed = bench.ran(&["list", "--json"]).ok();
    assert_eq!(listed.stdout.matches("\"encrypted\":true").count(), 3, "{listed:#?}");
    let one = listed.stdout.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
    let name = one.into_iter().find(|l| l["database"]["name"] == "one").unwrap()["name"]
        .as_str()
        .unwrap()
        .to_owned();
    server.psql("postgres", "create database again");
    let (identity, into, latest) = (bench.key.file(), server.url("again"), format!("{name}@latest"));
    bench
        .ran(&["restore", &latest, "--store", "b", "--identity", &identity, "--into", &into])
        .ok()
        .says(&["proven"]);
    assert_eq!(server.psql("again", "select count(*) from t"), "500");
}
