//! Making snapshots: every state of what they are of, and every way in which one can go wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::atomic::Ordering;

use pgkeep_cloud::{CloudErrorKind, RdsKind, Tags};
use pgkeep_keep::retention::Policy;
use pgkeep_snapshots::{
    CreateOrder, Result, SnapshotErrorKind as Kind, Windows, is_ours, plan, status, taken_of,
};
use serde_json::json;
use support::{Cloud, HERE, within};

#[track_caller]
fn fails<T: std::fmt::Debug>(result: Result<T>, kind: Kind, words: &[&str]) {
    let e = result.unwrap_err();
    assert_eq!(e.kind, kind, "{e}");
    for word in words {
        assert!(e.message.contains(word), "\"{word}\" is not said: {e}");
    }
    assert!(e.message.contains("hint: "), "what to do is not said: {e}");
}

#[test]
fn a_snapshot_takes_its_time_and_tells_how_far_it_is() {
    let cloud = Cloud::with_shop();
    let order = CreateOrder {
        at: cloud.now(),
        windows: Windows::default(),
        tags: Tags::from([("Owner".into(), "DBA Team".into())]),
    };
    let made = cloud.create_by("shop", &order).unwrap();
    assert_eq!(made.snapshot.name, "shop-20261120020000");
    assert_eq!((made.snapshot.status.as_str(), made.taken_up), ("available", false));
    assert_eq!(is_ours(&made.snapshot, HERE), Some(made.database.resource.as_str()));
    assert_eq!(taken_of(&made.snapshot.name), Some(order.at));
    assert_eq!(cloud.snapshots(HERE)[0]["tags"]["Owner"], "DBA Team");
    let told = cloud.told.lock().unwrap().join("\n");
    for share in ["creating 0", "creating 20", "creating 80", "available 100"] {
        assert!(told.contains(share), "{told}");
    }
}

#[test]
fn a_lost_answer_makes_no_second_snapshot() {
    let cloud = Cloud::with_shop();
    cloud.fault("CreateDBSnapshot", json!({ "kind": "lost" }));
    cloud.create("shop").unwrap();
    assert_eq!(cloud.names(HERE).len(), 1);
    assert_eq!(cloud.calls("CreateDBSnapshot"), 2);
}

#[test]
fn a_run_that_was_cut_off_is_taken_up_by_the_next() {
    let cloud = Cloud::with_shop();
    cloud.stop_after.store(2, Ordering::SeqCst);
    fails_as_stopped(&cloud);
    cloud.stop_after.store(-1, Ordering::SeqCst);
    cloud.advance(60);
    let made = cloud.create("shop").unwrap();
    assert!(made.taken_up);
    assert_eq!(cloud.names(HERE), [made.snapshot.name]);
    // The next is one of its own.
    cloud.advance(3600);
    assert!(!cloud.create("shop").unwrap().taken_up);
    assert_eq!(cloud.names(HERE).len(), 2);
}

fn fails_as_stopped(cloud: &Cloud) {
    let e = cloud.create("shop").unwrap_err();
    assert_eq!(e.kind, Kind::Cancelled, "{e}");
}

#[test]
fn two_orders_of_one_moment_make_one_snapshot() {
    let cloud = Cloud::with_shop();
    let order = CreateOrder { at: cloud.now(), windows: Windows::default(), tags: Tags::new() };
    let first = cloud.create_by("shop", &order).unwrap();
    cloud.advance(3600);
    let second = cloud.create_by("shop", &order).unwrap();
    assert_eq!(first.snapshot.name, second.snapshot.name);
    assert!(second.taken_up);
    assert_eq!(cloud.names(HERE).len(), 1);
}

#[test]
fn a_busy_instance_is_waited_for_within_the_start_window() {
    let cloud = Cloud::with_shop();
    for (i, state) in [
        "modifying",
        "backing-up",
        "rebooting",
        "starting",
        "upgrading",
        "configuring-log-exports",
        "maintenance",
    ]
    .into_iter()
    .enumerate()
    {
        cloud.states(json!([[0, state], [600, "available"]]));
        fails(cloud.create_within("shop", within(Some(5), None)), Kind::Window, &["start window", "5m"]);
        assert_eq!(cloud.names(HERE).len(), i, "{state}");
        cloud.create_within("shop", within(Some(10), None)).unwrap();
        let told = cloud.told.lock().unwrap().join("\n");
        assert!(told.contains(&format!("shop is {state}")), "{told}");
    }
}

#[test]
fn an_instance_that_becomes_busy_between_look_and_call_is_waited_for() {
    let cloud = Cloud::with_shop();
    let busy = json!({ "kind": "error", "code": "InvalidDBInstanceState", "times": 2 });
    cloud.fault("CreateDBSnapshot", busy);
    cloud.create("shop").unwrap();
    assert_eq!(cloud.names(HERE).len(), 1);
}

#[test]
fn states_that_no_waiting_ends_are_told_with_what_to_do() {
    let cloud = Cloud::with_shop();
    for (state, word) in [
        ("stopped", "start it"),
        ("deleting", "its snapshots stay"),
        ("inaccessible-encryption-credentials", "KMS key"),
        ("failed", "restore"),
        ("storage-full", "storage"),
        ("incompatible-network", "events"),
    ] {
        cloud.states(json!([[0, state]]));
        fails(cloud.create("shop"), Kind::Unfit, &[state, word]);
        assert_eq!(cloud.calls("CreateDBSnapshot"), 0);
    }
}

#[test]
fn what_is_gone_of_another_engine_or_a_clusters_member_is_told() {
    let cloud = Cloud::begin("2026-11-20T02:00:00Z");
    fails(
        cloud.create("nowhere"),
        Kind::Cloud(CloudErrorKind::NotFound),
        &["nowhere", HERE, "no instance and no cluster"],
    );
    cloud.database(json!({ "name": "my", "engine": "mysql" }));
    assert!(cloud.create("my").unwrap_err().message.contains("mysql"));
    cloud.database(json!({ "name": "aurora", "kind": "cluster", "members": ["aurora-1"] }));
    cloud.database(json!({ "name": "aurora-1", "engine": "aurora-postgresql", "cluster": "aurora" }));
    fails(cloud.create("aurora-1"), Kind::Unfit, &["member of the cluster aurora", "create aurora"]);
}

#[test]
fn clusters_and_replicas_have_snapshots_too() {
    let cloud = Cloud::begin("2026-11-20T02:00:00Z");
    cloud.database(json!({ "name": "aurora", "kind": "cluster" }));
    cloud.fault("CreateDBClusterSnapshot", json!({ "kind": "lost" }));
    let made = cloud.create("aurora").unwrap();
    assert_eq!(
        (made.database.kind, made.snapshot.name.as_str()),
        (RdsKind::Cluster, "aurora-20261120020000")
    );
    cloud.database(json!({ "name": "replica", "replica_of": "shop", "retention": 0 }));
    let made = cloud.create("replica").unwrap();
    assert_eq!(made.database.replica_of.as_deref(), Some("shop"));
    // That a replica has no automated backups is no finding.
    assert_eq!(status(&cloud.here, "replica", None, cloud.now()).unwrap().findings, []);
}

#[test]
fn a_snapshot_that_fails_is_told_and_makes_room_for_the_next_try() {
    let cloud = Cloud::with_shop();
    cloud.fates(json!(["fail"]));
    let order = CreateOrder { at: cloud.now(), windows: Windows::default(), tags: Tags::new() };
    fails(cloud.create_by("shop", &order), Kind::Failed, &["shop-20261120020000", "failed"]);
    let left = plan(&cloud.here, RdsKind::Instance, "shop", &Policy::default(), cloud.now()).unwrap();
    assert_eq!((left.failed.len(), left.snapshots.len()), (1, 0));
    let made = cloud.create_by("shop", &order).unwrap();
    assert_eq!(made.snapshot.status, "available");
    assert_eq!(cloud.names(HERE).len(), 1);
}

#[test]
fn a_snapshot_that_vanishes_is_told() {
    let cloud = Cloud::with_shop();
    cloud.fates(json!(["vanish"]));
    fails(cloud.create("shop"), Kind::Gone, &["gone", "CloudTrail"]);
}

#[test]
fn one_that_takes_too_long_is_told_and_taken_up() {
    let cloud = Cloud::with_shop();
    cloud.order(json!({ "do": "set", "rds.snapshot_seconds": 7200 }));
    fails(cloud.create_within("shop", within(None, Some(30))), Kind::Window, &["completion window", "30m"]);
    assert!(cloud.create("shop").unwrap().taken_up);
    assert_eq!(cloud.names(HERE).len(), 1);
}

#[test]
fn somebody_elses_snapshot_of_the_same_name_is_not_taken_for_ours() {
    let cloud = Cloud::with_shop();
    cloud.order(json!({ "do": "snapshot", "region": HERE, "name": "shop-20261120020000", "database": "shop",
        "tags": { "pgkeep:snapshot": "shop-20261120020000", "pgkeep:region": HERE, "pgkeep:resource": "db-OTHER" } }));
    fails(cloud.create("shop"), Kind::Foreign, &["pgkeep has not made"]);
}

#[test]
fn throttling_and_lost_connections_pass_by() {
    let cloud = Cloud::with_shop();
    let throttled = json!({ "kind": "error", "code": "Throttling", "message": "Rate exceeded", "times": 2 });
    cloud.fault("DescribeDBInstances", throttled.clone());
    cloud.fault("CreateDBSnapshot", throttled.clone());
    cloud.fault("DescribeDBSnapshots", json!({ "kind": "lost", "times": 1 }));
    cloud.create("shop").unwrap();
    assert_eq!(cloud.names(HERE).len(), 1);
    assert!(cloud.calls("CreateDBSnapshot") == 3);
}

#[test]
fn refusals_are_told_by_their_class_and_leave_nothing() {
    use CloudErrorKind::{Denied, Quota};
    let cloud = Cloud::with_shop();
    cloud.order(json!({ "do": "set", "rds.quota": 0 }));
    fails(cloud.create("shop"), Kind::Cloud(Quota), &["maximum of 0", "Service Quotas"]);
    cloud.fault("CreateDBSnapshot", json!({ "kind": "error", "code": "AccessDenied", "status": 403 }));
    fails(cloud.create("shop"), Kind::Cloud(Denied), &["rds:CreateDBSnapshot"]);
    assert!(cloud.names(HERE).is_empty());
}

#[test]
fn automated_backups_that_are_off_and_an_old_snapshot_are_findings() {
    let cloud = Cloud::begin("2026-11-20T02:00:00Z");
    cloud.database(json!({ "name": "shop", "retention": 0 }));
    let kinds = |expected| {
        let found = status(&cloud.here, "shop", expected, cloud.now()).unwrap();
        found.findings.iter().map(|f| f.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(None), ["no-automated-backups", "no-snapshot"]);
    cloud.create("shop").unwrap();
    cloud.advance(30 * 3600);
    let day = Some(jiff::SignedDuration::from_hours(24));
    assert_eq!(kinds(day), ["no-automated-backups", "overdue"]);

    cloud.database(json!({ "name": "good" }));
    cloud.create("good").unwrap();
    let good = status(&cloud.here, "good", day, cloud.now()).unwrap();
    assert_eq!(good.findings, []);
    let days = good.latest.unwrap().duration_since(good.earliest.unwrap()).as_hours() / 24;
    assert_eq!((days, good.database.retention_days), (6, 7));
}
