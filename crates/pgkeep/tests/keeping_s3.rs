//! Keeping in a bucket: prunes that meet, prunes that are killed, and locks.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::process::{Child, Command, Stdio};

use jiff::{SignedDuration, Timestamp};
use pgkeep_keep::{BackupId, Manifest};
use pgkeep_store::{Credentials, OpenOptions, Store};
use pgkeep_testbed::{Bucket, FaultProxy, S3};
use serde_json::Value;
use support::{program, succeed};

const MANIFEST: &[u8] = include_bytes!("../../pgkeep-keep/tests/fixtures/manifest-v1.json");

/// A bucket with backups of the last days, one a day.
struct Kept {
    bucket: Bucket,
    store: Store,
    url: String,
    /// Newest first.
    ids: Vec<BackupId>,
}

impl Kept {
    fn new(bucket: Bucket, count: i64) -> Kept {
        let s3 = S3::from_env();
        let credentials =
            Credentials { access_key: s3.access_key, secret_key: s3.secret_key, session_token: None };
        let options = OpenOptions { credentials: Some(credentials), ..OpenOptions::default() };
        let url = bucket.url("kept");
        let store = Store::open_with(&url, &options).unwrap();
        let ids = (0..count).map(|days| plant(&store, days)).collect();
        Kept { bucket, store, url, ids }
    }

    fn prune(&self, args: &[&str]) -> Command {
        let mut command = program();
        command.args(["prune", "--json", "--store", &self.url]).args(args).envs(self.bucket.credentials());
        command
    }

    /// A prune that is at work.
    fn start(&self, args: &[&str]) -> Child {
        self.prune(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn manifests(&self) -> usize {
        self.store
            .list("shop/")
            .unwrap()
            .filter(|o| o.as_ref().unwrap().key.ends_with(".manifest.json"))
            .count()
    }

    /// The newest so many are whole, and nothing else is left but, where there are versions, the lists of deleted keys.
    #[track_caller]
    fn only_the_newest_are_left(&self, count: usize) {
        let mut expected: Vec<String> = self.ids[..count]
            .iter()
            .flat_map(|id| [id.archive_key("shop"), id.manifest_key("shop")])
            .map(|key| format!("kept/{key}"))
            .collect();
        expected.sort();
        let mut keys = self.bucket.keys();
        keys.retain(|key| !key.starts_with("kept/.pgkeep/deleted/"));
        assert_eq!(keys, expected);
    }
}

fn plant(store: &Store, days: i64) -> BackupId {
    let at = Timestamp::now() - SignedDuration::from_hours(24 * days);
    let id = BackupId::new(at);
    let mut manifest = Manifest::from_json(MANIFEST, "sample").unwrap();
    (manifest.id, manifest.dump.snapshot_time) = (id.to_string(), at);
    manifest.object.key = id.archive_key("shop");
    store.put(&manifest.object.key, "an archive".into()).unwrap();
    store.put(&id.manifest_key("shop"), manifest.to_json().into()).unwrap();
    id
}

#[test]
fn two_prunes_at_once_do_each_deletion_once_and_lose_nothing() {
    let kept = Kept::new(S3::from_env().create_bucket("two-prunes"), 20);
    let both = [kept.start(&["--keep-last", "4"]), kept.start(&["--keep-last", "6"])];
    let ended = both.map(|child| child.wait_with_output().unwrap());
    assert!(ended.iter().any(|out| out.status.success()), "{ended:?}");
    for out in ended.iter().filter(|out| !out.status.success()) {
        let told: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(told["error"]["kind"], "busy", "{told}");
    }
    succeed(&mut kept.prune(&["--keep-last", "4"]));
    kept.only_the_newest_are_left(4);
}

#[test]
fn two_prunes_without_a_lease_between_them_lose_nothing_either() {
    let kept = Kept::new(S3::from_env().create_bucket("no-lease"), 16);
    let mut first = kept.start(&["--keep-last", "3"]);
    while kept.manifests() == 16 && first.try_wait().unwrap().is_none() {}
    kept.store.delete(".pgkeep/prune.lease.json").unwrap();
    let second = kept.start(&["--keep-last", "5"]);
    let ended = [first, second].map(|child| child.wait_with_output().unwrap());
    assert!(ended.iter().any(|out| out.status.success()), "{ended:?}");
    succeed(&mut kept.prune(&["--keep-last", "3"]));
    kept.only_the_newest_are_left(3);
}

#[test]
fn a_prune_that_is_killed_again_and_again_is_finished_by_the_next() {
    let kept = Kept::new(S3::from_env().create_bucket("killed"), 24);
    for _ in 0..4 {
        let before = kept.manifests();
        let mut child = kept.start(&["--keep-last", "5"]);
        while kept.manifests() == before && child.try_wait().unwrap().is_none() {}
        child.kill().unwrap();
        child.wait().unwrap();
        for id in &kept.ids[..5] {
            for key in [id.archive_key("shop"), id.manifest_key("shop")] {
                kept.store.head(&key).unwrap();
            }
        }
        let listed =
            succeed(program().args(["list", "--store", &kept.url, "--json"]).envs(kept.bucket.credentials()));
        for line in String::from_utf8(listed).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let key = format!("shop/{}.dump", line["id"].as_str().unwrap());
            assert!(kept.store.head(&key).is_ok(), "what is listed has its archive: {line}");
        }
    }
    succeed(&mut kept.prune(&["--keep-last", "5"]));
    kept.only_the_newest_are_left(5);
}

#[test]
fn what_the_bucket_has_locked_stays_and_the_reason_says_so() {
    let kept = Kept::new(S3::from_env().create_locking_bucket("locks"), 4);
    let locked = &kept.ids[3];
    kept.store.set_legal_hold(&locked.archive_key("shop"), true).unwrap();
    let told: Value = serde_json::from_slice(&succeed(&mut kept.prune(&["--keep-last", "1"]))).unwrap();
    assert_eq!(told["deleted"], 2, "{told}");
    let backups = told["names"][0]["backups"].as_array().unwrap();
    let of_locked = backups.iter().find(|b| b["id"] == locked.as_str()).unwrap();
    assert!(of_locked["reasons"].to_string().contains("legal hold"), "{told}");
    kept.store.set_legal_hold(&locked.archive_key("shop"), false).unwrap();
    succeed(&mut kept.prune(&["--keep-last", "1"]));
    kept.only_the_newest_are_left(1);
}

#[test]
fn versions_of_what_was_pruned_go_after_the_grace_and_those_of_what_others_deleted_stay() {
    let kept = Kept::new(S3::from_env().create_locking_bucket("versions"), 4);
    // Somebody deletes a backup by hand.
    let lost = [kept.ids[1].archive_key("shop"), kept.ids[1].manifest_key("shop")];
    lost.iter().for_each(|key| kept.store.delete(key).unwrap());
    succeed(&mut kept.prune(&["--keep-last", "1"]));
    let versions = || -> Vec<String> {
        let all = kept.store.versions("shop/").unwrap().map(Result::unwrap);
        all.filter(|v| !v.is_delete_marker).map(|v| v.key).collect()
    };
    assert_eq!(versions().len(), 8, "within the grace time nothing is lost: {:?}", versions());
    let told: Value = serde_json::from_slice(&succeed(&mut kept.prune(&["--grace", "0"]))).unwrap();
    assert!(told["leftovers"].to_string().contains("versions"), "{told}");
    let mut expected = [kept.ids[0].archive_key("shop"), kept.ids[0].manifest_key("shop")].to_vec();
    expected.extend(lost);
    expected.sort();
    assert_eq!(versions(), expected);
    assert!(kept.bucket.keys().iter().all(|key| !key.contains(".pgkeep/")), "{:?}", kept.bucket.keys());
    kept.only_the_newest_are_left(1);
}

#[test]
fn an_upload_that_a_dead_run_left_is_ended_and_one_of_another_tool_is_not() {
    let kept = Kept::new(S3::from_env().create_bucket("uploads"), 1);
    let id = BackupId::new(Timestamp::now());
    let theirs = "kept/photos/2026.tar";
    for key in [&format!("kept/{}", id.archive_key("shop")), theirs] {
        kept.bucket.boto(&format!("s3.create_multipart_upload(Bucket=b, Key='{key}')['UploadId']"));
    }
    succeed(&mut kept.prune(&["--keep-last", "1"]));
    assert_eq!(kept.bucket.multipart_uploads().len(), 2, "within the grace time it may be a live one");
    let told: Value =
        serde_json::from_slice(&succeed(&mut kept.prune(&["--keep-last", "1", "--grace", "0"]))).unwrap();
    assert!(told["leftovers"].to_string().contains(id.as_str()), "{told}");
    let left: Vec<String> = kept.bucket.multipart_uploads().into_iter().map(|(key, _)| key).collect();
    assert_eq!(left, [theirs]);
    kept.only_the_newest_are_left(1);
}

#[test]
fn in_a_bucket_without_object_lock_nobody_asks_for_locks() {
    let kept = Kept::new(S3::from_env().create_bucket("no-locks"), 6);
    let proxy = FaultProxy::to_http(S3::from_env().address());
    let url = kept.bucket.url_via(&proxy.endpoint(), "kept");
    let mut prune = program();
    prune.args(["prune", "--dry-run", "--keep-last", "1", "--store", &url]).envs(kept.bucket.credentials());
    succeed(&mut prune);
    let asked: Vec<String> =
        proxy.requests().into_iter().filter(|r| r.contains("HEAD") && r.contains("shop/")).collect();
    assert_eq!(asked, Vec::<String>::new());
}
