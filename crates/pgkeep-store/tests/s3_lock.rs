//! Object Lock and versions on a real server, judged by AWS's own library.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use jiff::Timestamp;
use pgkeep_store::{LockMode, Store, StoreError, Version};
use pgkeep_testbed::{Bucket, S3};
use support::bytes;
use support::s3::{PART, options, plan};

const DAY: i64 = 24 * 60 * 60;

fn open(bucket: &Bucket, query: &str) -> Store {
    Store::open_with(&format!("{}{query}", bucket.url("a/b")), &options()).unwrap()
}

fn boto_head(bucket: &Bucket, key: &str) -> String {
    let head = format!("s3.head_object(Bucket=b, Key='{key}')");
    bucket.boto(&format!(
        "(lambda h: (h.get('ObjectLockMode'), h['ObjectLockRetainUntilDate'].timestamp() \
         if 'ObjectLockRetainUntilDate' in h else None, h.get('ObjectLockLegalHoldStatus')))({head})"
    ))
}

fn upload(store: &Store, key: &str, body: u64) {
    let mut upload = store.start_upload(key, plan()).unwrap();
    upload.write(&bytes(body, 1)).unwrap();
    upload.finish(vec![9; 100]).unwrap();
}

#[test]
fn everything_that_a_locking_store_writes_is_locked_until_the_same_time() {
    let bucket = S3::from_env().create_locking_bucket("lock");
    let store = open(&bucket, "&lock=governance&lock-days=3");
    let from = Timestamp::now();
    let until = from.as_second() + 3 * DAY;
    let locking = store.locking(from).unwrap();
    locking.put("put", "v".into()).unwrap();
    locking.put_if_absent("conditional", "v".into()).unwrap();
    upload(&locking, "small", 10);
    // This server takes no lock with a multipart upload, so that it must have been put on afterwards.
    upload(&locking, "large", 2 * PART);
    locking.copy_from("copied", &store, "large", Some(PART)).unwrap();
    locking.copy_from("copied whole", &store, "small", None).unwrap();
    for key in ["put", "conditional", "small", "large", "copied", "copied whole"] {
        let lock = store.retention(key).unwrap().unwrap();
        let retention = lock.retention.unwrap();
        assert_eq!((retention.mode, retention.until.as_second()), (LockMode::Governance, until), "{key}");
        assert!(lock.holds(from) && !lock.legal_hold);
        assert_eq!(
            boto_head(&bucket, &format!("a/b/{key}")),
            format!("('GOVERNANCE', {until}.0, None)"),
            "{key}"
        );
    }
    store.put("mark", "v".into()).unwrap();
    assert_eq!(store.retention("mark").unwrap(), None, "the store itself locks nothing");
    assert_eq!(store.pending_uploads("").unwrap(), []);
}

#[test]
fn a_locked_version_stays_and_is_named_with_the_lock() {
    let bucket = S3::from_env().create_locking_bucket("stays");
    let store = open(&bucket, "&lock=governance&lock-days=1");
    store.locking(Timestamp::now()).unwrap().put("k", "precious".into()).unwrap();
    let versions =
        |store: &Store| -> Vec<Version> { store.versions("k").unwrap().map(Result::unwrap).collect() };
    let locked = versions(&store).remove(0);
    let e = store.delete_version(&locked).unwrap_err();
    assert!(matches!(e, StoreError::Locked(_)), "{e:?}");
    assert!(e.cause().contains("locked (governance) until 20"), "{e}");
    // Deleting leaves a marker, under which the version lives on.
    store.delete("k").unwrap();
    assert!(store.get("k").unwrap_err().is_not_found());
    let now = versions(&store);
    assert_eq!(now.iter().map(|v| v.is_delete_marker).collect::<Vec<_>>(), [true, false]);
    assert_eq!(now[1].id, locked.id);
    store.delete_version(&now[0]).unwrap();
    assert_eq!(store.get("k").unwrap(), "precious");
}

#[test]
fn a_legal_hold_is_put_on_and_taken_off() {
    let bucket = S3::from_env().create_locking_bucket("hold");
    let store = open(&bucket, "&legal-hold=true");
    store.locking(Timestamp::now()).unwrap().put("k", "v".into()).unwrap();
    assert_eq!(boto_head(&bucket, "a/b/k"), "(None, None, 'ON')");
    assert_eq!(store.retention("k").unwrap().unwrap().to_string(), "locked by a legal hold");
    let version = store.versions("k").unwrap().next().unwrap().unwrap();
    assert!(matches!(store.delete_version(&version).unwrap_err(), StoreError::Locked(_)));
    store.set_legal_hold("k", false).unwrap();
    assert_eq!(boto_head(&bucket, "a/b/k"), "(None, None, 'OFF')");
    assert_eq!(store.retention("k").unwrap(), None);
    store.delete_version(&version).unwrap();
    store.put("l", "v".into()).unwrap();
    store.set_legal_hold("l", true).unwrap();
    assert_eq!(boto_head(&bucket, "a/b/l"), "(None, None, 'ON')");
    store.set_legal_hold("l", false).unwrap();
}

#[test]
fn a_bucket_without_object_lock_is_refused_before_anything_is_written() {
    let bucket = S3::from_env().create_bucket("nolock");
    for query in ["&lock=compliance&lock-days=1", "&legal-hold=true"] {
        let e = open(&bucket, query).locking(Timestamp::now()).unwrap_err();
        assert!(matches!(e, StoreError::Unsupported(_)), "{e:?}");
        assert!(e.hint().contains("object-lock-enabled-for-bucket"), "{e}");
    }
    assert_eq!(bucket.keys(), [""; 0]);
    let missing = Store::open_with(
        &format!(
            "s3://no-such-bucket-{}?endpoint={}&legal-hold=true",
            bucket.name(),
            S3::from_env().endpoint
        ),
        &options(),
    );
    let e = missing.unwrap().locking(Timestamp::now()).unwrap_err();
    assert!(matches!(e, StoreError::BucketMissing(_)), "{e:?}");
}

#[test]
fn old_versions_and_delete_markers_are_listed_and_removed_below_the_prefix_only() {
    let bucket = S3::from_env().create_bucket("versions");
    bucket.boto("s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={'Status': 'Enabled'})");
    bucket.boto("s3.put_object(Bucket=b, Key='a/bc/foreign', Body=b'x')");
    let store = open(&bucket, "");
    for body in ["one", "two", "three"] {
        store.put("day/k", body.into()).unwrap();
    }
    store.put("night/l", "x".into()).unwrap();
    store.delete("day/k").unwrap();
    let all: Vec<Version> = store.versions("").unwrap().map(Result::unwrap).collect();
    let seen: Vec<_> =
        all.iter().map(|v| (v.key.as_str(), v.size, v.is_latest, v.is_delete_marker)).collect();
    assert_eq!(
        seen,
        [
            ("day/k", 0, true, true),
            ("day/k", 5, false, false),
            ("day/k", 3, false, false),
            ("day/k", 3, false, false),
            ("night/l", 1, true, false),
        ]
    );
    assert!(all.iter().all(|v| (v.modified.as_second() - Timestamp::now().as_second()).abs() < 600));
    assert_eq!(store.versions("night/").unwrap().count(), 1);
    for version in all.iter().filter(|v| v.key == "day/k") {
        store.delete_version(version).unwrap();
        store.delete_version(version).unwrap();
    }
    assert_eq!(
        bucket.boto("[v['Key'] for v in s3.list_object_versions(Bucket=b).get('Versions', [])]"),
        "['a/b/night/l', 'a/bc/foreign']"
    );
    assert_eq!(bucket.boto("s3.list_object_versions(Bucket=b).get('DeleteMarkers', [])"), "[]");
}

#[test]
fn a_listing_of_versions_goes_on_beyond_a_page() {
    let bucket = S3::from_env().create_bucket("pages");
    bucket.boto("s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={'Status': 'Enabled'})");
    let store = open(&bucket, "");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = store.clone();
            scope.spawn(move || {
                (0..140).for_each(|i| {
                    drop(store.put(&format!("k{}", (thread * 140 + i) / 4), "".into()).unwrap())
                })
            });
        }
    });
    let all: Vec<Version> = store.versions("").unwrap().map(Result::unwrap).collect();
    assert_eq!(all.len(), 1120);
    assert_eq!(all.iter().filter(|v| v.is_latest).count(), 280);
    let mut keys: Vec<_> = all.iter().map(|v| v.key.clone()).collect();
    keys.sort();
    assert_eq!(keys, all.iter().map(|v| v.key.clone()).collect::<Vec<_>>());
}
