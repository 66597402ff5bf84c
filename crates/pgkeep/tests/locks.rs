//! Backups under Object Lock, judged by AWS's own library.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pgkeep_testbed::{Bucket, Database, S3, Server};
use serde_json::Value;
use support::{backup_with, output, program};

fn source() -> Database {
    let database = Database::create(&Server::major(18), "locked");
    database.psql("create table t as select i, md5(i::text) from generate_series(1, 1000) i");
    database
}

fn locks(bucket: &Bucket) -> Value {
    let told = bucket.boto(
        "__import__('json').dumps([(v['Key'], h.get('ObjectLockMode'), h.get('ObjectLockRetainUntilDate', h['LastModified']).timestamp())
         for v in s3.list_object_versions(Bucket=b).get('Versions', []) if v['IsLatest']
         for h in [s3.head_object(Bucket=b, Key=v['Key'])]])",
    );
    serde_json::from_str(&told).unwrap()
}

#[test]
fn archive_roles_and_manifest_are_locked_for_the_days_that_the_url_says() {
    let bucket = S3::from_env().create_locking_bucket("backup");
    let store = bucket.url("p") + "&lock=governance&lock-days=7";
    let told = backup_with(&source(), &store, &["--globals", "--name", "shop"], &bucket.credentials());
    let id = told["id"].as_str().unwrap();
    let manifest: Value =
        serde_json::from_str(&bucket.boto(&format!(
            "s3.get_object(Bucket=b, Key='p/shop/{id}.manifest.json')['Body'].read().decode()"
        )))
        .unwrap();
    let started: jiff::Timestamp = manifest["started"].as_str().unwrap().parse().unwrap();
    let until = started.as_second() as f64 + 7.0 * 24.0 * 60.0 * 60.0;
    let expected = ["dump", "globals.sql", "manifest.json"]
        .map(|end| serde_json::json!([format!("p/shop/{id}.{end}"), "GOVERNANCE", until]));
    assert_eq!(locks(&bucket), Value::from(expected.to_vec()), "and the run's mark is gone");
}

#[test]
fn a_bucket_without_object_lock_is_refused_before_the_dump() {
    let bucket = S3::from_env().create_bucket("backup-nolock");
    let mut command = program();
    command.envs(bucket.credentials());
    let store = bucket.url("p") + "&lock=compliance&lock-days=7";
    let out = output(command.args(["backup", &source().url(), "--to", &store]));
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(5), "{said}");
    assert!(said.contains("no Object Lock") && said.contains("--object-lock-enabled-for-bucket"), "{said}");
    assert_eq!(bucket.keys(), [""; 0]);
}
