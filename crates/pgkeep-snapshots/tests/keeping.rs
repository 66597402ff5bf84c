//! Copies in another region, and what prune deletes and leaves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::atomic::Ordering;

use pgkeep_cloud::{CloudErrorKind, RdsKind, RdsSnapshot};
use pgkeep_keep::retention::Policy;
use pgkeep_snapshots::{
    Outcome, Result, SnapshotErrorKind as Kind, Windows, copy, delete, is_ours, missing, plan,
};
use serde_json::{Value, json};
use support::{Cloud, HERE, KEY_THERE, THERE};

fn copied(cloud: &Cloud, snapshot: &RdsSnapshot, key: Option<&str>) -> Result<RdsSnapshot> {
    cloud.at_pace(|pace| copy(&cloud.here, &cloud.there, snapshot, key, Windows::default(), pace))
}

fn last(n: u32) -> Policy {
    Policy { last: Some(n), ..Policy::default() }
}

/// Deletes what the policy lets go; the names.
fn prune(cloud: &Cloud, policy: &Policy) -> Vec<String> {
    let planned = plan(&cloud.here, RdsKind::Instance, "shop", policy, cloud.now()).unwrap();
    let going: Vec<String> = planned.plan.deletions().map(|d| d.backup.id.to_string()).collect();
    for name in &going {
        assert_eq!(delete(&cloud.here, &planned.snapshots[name]).unwrap(), Outcome::Deleted);
    }
    going
}

#[test]
fn a_copy_is_encrypted_by_the_destinations_key_and_is_ours_there() {
    let cloud = Cloud::begin("2026-11-20T02:00:00Z");
    cloud.database(json!({ "name": "shop", "encrypted": true }));
    let made = cloud.create("shop").unwrap().snapshot;
    cloud.fault("CopyDBSnapshot", json!({ "kind": "lost" }));
    let copy = copied(&cloud, &made, Some(KEY_THERE)).unwrap();
    assert_eq!((copy.name.as_str(), copy.kms_key.as_deref()), (made.name.as_str(), Some(KEY_THERE)));
    assert_eq!(cloud.names(THERE), [made.name.as_str()]);
    assert!(is_ours(&copy, THERE).is_some());
    assert!(is_ours(&copy, HERE).is_none() && is_ours(&made, THERE).is_none());
    // Nothing is copied twice.
    assert!(missing(&cloud.here, &cloud.there, &made).unwrap().is_empty());
}

#[test]
fn an_encrypted_snapshot_needs_a_key_that_can_be_used_there() {
    let cloud = Cloud::begin("2026-11-20T02:00:00Z");
    cloud.database(json!({ "name": "shop", "encrypted": true }));
    let made = cloud.create("shop").unwrap().snapshot;
    let e = copied(&cloud, &made, None).unwrap_err();
    assert!(e.kind == Kind::Unfit && e.message.contains("--copy-to"), "{e}");
    for key in ["arn:aws:kms:eu-central-1:123456789012:key/here", KEY_THERE] {
        cloud.order(json!({ "do": "set", "rds.disabled_keys": [KEY_THERE] }));
        let e = copied(&cloud, &made, Some(key)).unwrap_err();
        assert!(e.kind == Kind::Cloud(CloudErrorKind::Key) && e.message.contains("kms:CreateGrant"), "{e}");
    }
    assert!(cloud.names(THERE).is_empty());
}

#[test]
fn a_copy_that_was_cut_off_is_taken_up_and_one_that_failed_is_made_anew() {
    let cloud = Cloud::with_shop();
    let made = cloud.create("shop").unwrap().snapshot;
    cloud.stop_after.store(1, Ordering::SeqCst);
    assert_eq!(copied(&cloud, &made, None).unwrap_err().kind, Kind::Cancelled);
    cloud.stop_after.store(-1, Ordering::SeqCst);
    assert_eq!(copied(&cloud, &made, None).unwrap().status, "available");
    assert_eq!(cloud.names(THERE).len(), 1);

    cloud.advance(86_400);
    let second = cloud.create("shop").unwrap().snapshot;
    cloud.fates(json!(["fail"]));
    assert_eq!(copied(&cloud, &second, None).unwrap_err().kind, Kind::Failed);
    assert_eq!(copied(&cloud, &second, None).unwrap().status, "available");
    assert_eq!(cloud.names(THERE).len(), 2);
}

#[test]
fn copies_that_failed_to_come_are_made_up_for() {
    let cloud = Cloud::with_shop();
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(cloud.create("shop").unwrap().snapshot);
        cloud.advance(86_400);
    }
    let names = |lacking: Vec<RdsSnapshot>| lacking.into_iter().map(|s| s.name).collect::<Vec<_>>();
    // An empty region begins with the newest; what was there once is not copied again for ever.
    assert_eq!(names(missing(&cloud.here, &cloud.there, &made[3]).unwrap()), [made[3].name.clone()]);
    copied(&cloud, &made[1], None).unwrap();
    assert_eq!(
        names(missing(&cloud.here, &cloud.there, &made[3]).unwrap()),
        [made[2].name.clone(), made[3].name.clone()]
    );
}

#[test]
fn prune_deletes_what_no_rule_keeps_and_never_what_others_made() {
    let cloud = Cloud::with_shop();
    let resource = cloud.here.database("shop").unwrap().resource;
    let tags = |name: &str, region: &str, resource: &str| -> Value {
        json!({ "pgkeep:snapshot": name, "pgkeep:region": region, "pgkeep:resource": resource, "pgkeep:database": "shop" })
    };
    let others = [
        // By its name it could be ours.
        ("shop-20200101000000", &*resource, json!({})),
        // The keys of our tags, in an account where another one uses pgkeep for a database of another identity.
        ("shop-20200102000000", "db-OTHER", tags("shop-20200102000000", HERE, &resource)),
        ("shop-20200103000000", &*resource, tags("shop-20200103000000", HERE, "db-OTHER")),
        // A copy of one of ours that took the tags along, under another name and in another region.
        ("before-migration", &*resource, tags("shop-20261120020000", HERE, &resource)),
        ("shop-20200104000000", &*resource, tags("shop-20200104000000", THERE, &resource)),
        ("by-hand", &*resource, json!({ "Owner": "somebody" })),
    ];
    for (name, resource, tags) in &others {
        let order = json!({ "do": "snapshot", "region": HERE, "name": name, "database": "shop", "resource": resource,
            "tags": tags, "age": 200_000_000 });
        cloud.order(order);
    }
    cloud.order(json!({ "do": "snapshot", "region": HERE, "name": "rds:shop-2026-11-19", "database": "shop", "resource": resource,
        "origin": "automated", "age": 90_000 }));
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(cloud.create("shop").unwrap().snapshot.name);
        cloud.advance(86_400);
    }
    let planned = plan(&cloud.here, RdsKind::Instance, "shop", &last(2), cloud.now()).unwrap();
    assert_eq!((planned.foreign, planned.snapshots.len()), (others.len(), 4));
    assert_eq!(prune(&cloud, &last(2)), [made[1].clone(), made[0].clone()]);
    let left = cloud.names(HERE);
    assert_eq!(left.len(), others.len() + 1 + 2);
    assert!(others.iter().all(|(name, ..)| left.iter().any(|l| l == name)), "{left:?}");
    // Without a rule nothing goes, and the newest stays whatever the rules are.
    assert!(prune(&cloud, &Policy::default()).is_empty());
    assert_eq!(prune(&cloud, &last(0)), [made[2].clone()]);
}

#[test]
fn a_held_one_stays_and_one_in_use_waits_for_the_next_prune() {
    let cloud = Cloud::with_shop();
    let first = cloud.create("shop").unwrap().snapshot;
    cloud.advance(3600);
    cloud.create("shop").unwrap();
    let planned = plan(&cloud.here, RdsKind::Instance, "shop", &last(1), cloud.now()).unwrap();
    cloud.stop_after.store(0, Ordering::SeqCst);
    assert_eq!(copied(&cloud, &first, None).unwrap_err().kind, Kind::Cancelled);
    assert!(
        matches!(delete(&cloud.here, &planned.snapshots[&first.name]).unwrap(), Outcome::Stays(why) if why.contains("copied"))
    );
    cloud.advance(3600);
    // Somebody holds it after the plan was made.
    cloud.order(
        json!({ "do": "tag", "region": HERE, "name": first.name, "tags": { "pgkeep:hold": "audit" } }),
    );
    assert_eq!(delete(&cloud.here, &planned.snapshots[&first.name]).unwrap(), Outcome::Stays("held".into()));
    assert!(prune(&cloud, &last(1)).is_empty());
}

#[test]
fn a_database_of_the_same_name_that_was_made_anew_does_not_push_out_the_old_ones_snapshots() {
    let cloud = Cloud::with_shop();
    for _ in 0..2 {
        cloud.create("shop").unwrap();
        cloud.advance(86_400);
    }
    cloud.order(json!({ "do": "drop", "region": HERE, "name": "shop" }));
    cloud.database(json!({ "name": "shop" }));
    for _ in 0..3 {
        cloud.create("shop").unwrap();
        cloud.advance(86_400);
    }
    prune(&cloud, &last(1));
    let of: Vec<_> =
        cloud.snapshots(HERE).iter().map(|s| s["resource"].as_str().unwrap().to_owned()).collect();
    assert_eq!(of.len(), 2, "the newest of each: {of:?}");
    assert_ne!(of[0], of[1]);
}

#[test]
fn lists_come_in_pages() {
    let cloud = Cloud::with_shop();
    cloud.order(json!({ "do": "set", "rds.page": 2 }));
    for _ in 0..5 {
        cloud.create("shop").unwrap();
        cloud.advance(3600);
    }
    assert_eq!(cloud.here.snapshots_of(RdsKind::Instance, "shop").unwrap().len(), 5);
}
