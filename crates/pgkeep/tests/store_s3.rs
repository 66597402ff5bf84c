//! A backup in a bucket: written in parts, complete, and all that a fresh machine needs.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::process::Command;

use pgkeep_testbed::{Bucket, Database, S3, Server, compare_databases};
use serde_json::Value;
use support::digest::assert_digests;
use support::stock::PgRestore;
use support::{backup_with, program, succeed};

/// Sixty MB that no codec makes smaller than forty, and a few rows.
fn database(major: u32) -> Database {
    let database = Database::create(&Server::major(major), "bucketed");
    database.psql(
        "create table noise (id int primary key, v uuid, w uuid, x uuid, y uuid);
         insert into noise select i, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid()
             from generate_series(1, 500000) i;
         create table few (id serial primary key, noise_id int references noise);
         insert into few (noise_id) select generate_series(1, 100);",
    );
    database
}

/// The program on a machine that has nothing but the keys.
fn fresh_machine(bucket: &Bucket) -> (Command, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    let mut command = program();
    command.env("HOME", home.path()).current_dir(home.path()).envs(bucket.credentials());
    (command, home)
}

#[track_caller]
fn fresh(bucket: &Bucket, args: &[&str]) -> String {
    let (mut command, _home) = fresh_machine(bucket);
    String::from_utf8(succeed(command.args(args))).unwrap()
}

#[test]
fn a_backup_in_a_bucket_is_all_that_a_fresh_machine_needs() {
    for major in [14, 18] {
        let source = database(major);
        let bucket = S3::from_env().create_bucket("fresh");
        let store = bucket.url("some/prefix");
        let told = backup_with(&source, &store, &["--name", "shop", "--jobs", "4"], &bucket.credentials());
        let id = told["id"].as_str().unwrap();

        assert_eq!(bucket.multipart_uploads(), [], "no upload dangles");
        let keys = bucket.keys();
        let expected = ["dump", "manifest.json"].map(|end| format!("some/prefix/shop/{id}.{end}"));
        assert_eq!(keys, expected, "an archive and its manifest, and nothing else");

        let list: Value =
            serde_json::from_str(&fresh(&bucket, &["list", "--store", &store, "--json"])).unwrap();
        assert_eq!((&list["id"], &list["name"]), (&told["id"], &"shop".into()));
        let manifest: Value =
            serde_json::from_str(&fresh(&bucket, &["show", "shop@latest", "--store", &store, "--json"]))
                .unwrap();
        assert!(manifest["object"]["parts"].as_array().unwrap().len() > 3, "{}", manifest["object"]);
        assert!(fresh(&bucket, &["show", id, "--store", &store]).contains("public.noise"));

        let verified: Value =
            serde_json::from_str(&fresh(&bucket, &["verify", id, "--store", &store, "--json"])).unwrap();
        assert_eq!((&verified["ok"], &verified["rows"]), (&true.into(), &500_100.into()), "{verified}");
        assert_eq!(verified["against_manifest"], true);

        // The object itself, without pgkeep.
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("shop.dump");
        bucket.download(&keys[0], &file);
        assert_digests(&manifest["object"], &file);
        let target = Database::create(source.server(), "target");
        PgRestore { major, archive: &file }.restore(&target, &["-j4"]);
        compare_databases(&source, &target).unwrap();

        for words in ["shop@latest", id, told["url"].as_str().unwrap()] {
            let target = Database::create(source.server(), "target");
            // A URL as it is printed says nothing of the endpoint, which is then the environment's.
            let (mut command, _home) = fresh_machine(&bucket);
            command.env("AWS_ENDPOINT_URL", &S3::from_env().endpoint).env("AWS_REGION", S3::REGION);
            command.args(["restore", words, "--into", &target.url(), "--json", "--store", &store]);
            let told: Value = serde_json::from_slice(&succeed(&mut command)).unwrap();
            assert_eq!(told["proven"], true, "{words}: {told}");
            assert_eq!(told["proven_against"], "manifest", "{words}: {told}");
        }
    }
}

#[test]
fn a_second_backup_is_the_latest_and_leaves_the_first_as_it_was() {
    let source = Database::create(&Server::major(18), "twice");
    source.psql("create table t as select 1 as i");
    let bucket = S3::from_env().create_bucket("twice");
    let store = bucket.url("");
    let first = backup_with(&source, &store, &["--name", "n"], &bucket.credentials());
    source.psql("insert into t values (2)");
    let second = backup_with(&source, &store, &["--name", "n"], &bucket.credentials());
    let listed = fresh(&bucket, &["list", "--store", &store, "--json"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    for (words, told, rows) in [("n@latest", &second, "2"), (first["id"].as_str().unwrap(), &first, "1")] {
        let shown = fresh(&bucket, &["show", words, "--store", &store, "--json"]);
        let manifest: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(manifest["id"], told["id"], "{words}");
        let target = Database::create(source.server(), "target");
        fresh(&bucket, &["restore", words, "--into", &target.url(), "--store", &store]);
        assert_eq!(target.psql("select count(*) from t"), rows, "{words}");
    }
}

#[test]
fn a_script_goes_into_a_bucket_in_parts_and_comes_back_by_a_fresh_machine() {
    let source = database(18);
    let bucket = S3::from_env().create_bucket("script");
    let store = bucket.url("some/prefix");
    let args = ["--format", "plain", "--compress", "gzip", "--key", "daily", "--segment-size", "4MiB"];
    let told = backup_with(&source, &store, &args, &bucket.credentials());
    let id = told["id"].as_str().unwrap();
    assert_eq!(bucket.multipart_uploads(), [], "no upload dangles");
    let manifest: Value =
        serde_json::from_str(&fresh(&bucket, &["show", id, "--store", &store, "--json"])).unwrap();
    assert!(manifest["object"]["parts"].as_array().unwrap().len() > 2, "{}", manifest["object"]);
    let key = format!("some/prefix/{}", manifest["object"]["key"].as_str().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shop.sql.gz");
    bucket.download(&key, &file);
    assert_digests(&manifest["object"], &file);
    succeed(Command::new("gzip").arg("-t").arg(&file));
    fresh(&bucket, &["verify", id, "--store", &store]);
    let target = Database::create(source.server(), "target");
    let restored = fresh(&bucket, &["restore", id, "--into", &target.url(), "--json", "--store", &store]);
    let restored: Value = serde_json::from_str(&restored).unwrap();
    assert_eq!((&restored["proven"], &restored["proven_against"]), (&true.into(), &"manifest".into()));
    compare_databases(&source, &target).unwrap();
}
