//! Restores from snapshots and to points in time, removal of what they made, and exports.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};
use pgkeep_cloud::{CloudErrorKind, ExportOrder, RdsKind, RestoreInto};
use pgkeep_snapshots::{
    Restored, Result, SnapshotErrorKind as Kind, Wanted, Windows, export, find, remove, restore,
};
use serde_json::{Value, json};
use support::{Cloud, HERE, within};

fn into(name: &str) -> RestoreInto {
    RestoreInto { name: name.into(), ..RestoreInto::default() }
}

fn restored(cloud: &Cloud, database: &str, wanted: &Wanted, into: &RestoreInto) -> Result<Restored> {
    let source = find(&cloud.here, database, wanted)?;
    cloud.at_pace(|pace| restore(&cloud.here, &source, into, Windows::default(), pace))
}

fn removed(cloud: &Cloud, name: &str) -> Result<()> {
    cloud.at_pace(|pace| remove(&cloud.here, name, Windows::default(), pace))
}

fn databases(cloud: &Cloud) -> Vec<Value> {
    cloud.order(json!({ "do": "databases" })).as_array().unwrap().clone()
}

fn of(cloud: &Cloud, name: &str) -> Value {
    databases(cloud).into_iter().find(|d| d["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn the_newest_of_ours_is_restored_with_class_network_and_groups() {
    let cloud = Cloud::with_shop();
    cloud.create("shop").unwrap();
    cloud.advance(3600);
    let newest = cloud.create("shop").unwrap().snapshot.name;
    cloud.order(json!({ "do": "snapshot", "region": HERE, "name": "by-hand", "database": "shop", "age": 0 }));
    let source = find(&cloud.here, "shop", &Wanted::Newest).unwrap();
    assert_eq!(source.name(), newest);
    assert_eq!(find(&cloud.here, "shop", &Wanted::Named("by-hand".into())).unwrap().name(), "by-hand");
    let into = RestoreInto {
        class: Some("db.t4g.medium".into()),
        subnet_group: Some("private".into()),
        security_groups: vec!["sg-1".into(), "sg-2".into()],
        parameter_group: Some("pg17".into()),
        ..into("shop-restored")
    };
    cloud.fault("RestoreDBInstanceFromDBSnapshot", json!({ "kind": "lost" }));
    let made = restored(&cloud, "shop", &Wanted::Newest, &into).unwrap();
    assert_eq!((made.database.status.as_str(), made.database.endpoint.is_some()), ("available", true));
    let asked = of(&cloud, "shop-restored");
    assert_eq!(
        (&asked["class"], &asked["asked"]["DBSubnetGroupName"]),
        (&"db.t4g.medium".into(), &"private".into())
    );
    assert_eq!(asked["asked"]["VpcSecurityGroupIds"], json!(["sg-1", "sg-2"]));
    assert_eq!(asked["asked"]["DBParameterGroupName"], "pg17");
    assert_eq!(asked["asked"]["PubliclyAccessible"], false);
    assert_eq!(databases(&cloud).len(), 2);
}

#[test]
fn a_point_in_time_must_be_within_what_rds_has() {
    let cloud = Cloud::with_shop();
    let at = cloud.now() - SignedDuration::from_hours(30);
    restored(&cloud, "shop", &Wanted::Moment(at), &into("then")).unwrap();
    let asked: Timestamp = of(&cloud, "then")["asked"]["at"]
        .as_str()
        .unwrap()
        .replace(' ', "T")
        .parse::<jiff::civil::DateTime>()
        .unwrap()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .unwrap()
        .timestamp();
    assert_eq!(asked, at);
    restored(&cloud, "shop", &Wanted::Latest, &into("latest")).unwrap();
    for bad in [cloud.now() - SignedDuration::from_hours(24 * 9), cloud.now()] {
        let e = find(&cloud.here, "shop", &Wanted::Moment(bad)).unwrap_err();
        assert!(
            e.kind == Kind::Unfit && e.message.contains("2026-11-13T") && e.message.contains("hint"),
            "{e}"
        );
    }
    assert_eq!(cloud.calls("RestoreDBInstanceToPointInTime"), 2);
    cloud.database(json!({ "name": "off", "retention": 0 }));
    let e = find(&cloud.here, "off", &Wanted::Latest).unwrap_err();
    assert!(e.kind == Kind::Unfit && e.message.contains("automated backups are off"), "{e}");
}

#[test]
fn a_cluster_gets_an_instance_and_goes_with_it() {
    let cloud = Cloud::begin("2026-11-20T02:00:00Z");
    cloud.database(json!({ "name": "aurora", "kind": "cluster" }));
    cloud.create("aurora").unwrap();
    let e = restored(&cloud, "aurora", &Wanted::Newest, &into("new")).unwrap_err();
    assert!(e.kind == Kind::Unfit && e.message.contains("--class"), "{e}");
    let with_class = RestoreInto { class: Some("db.r6g.large".into()), ..into("new") };
    let made = restored(&cloud, "aurora", &Wanted::Newest, &with_class).unwrap();
    assert_eq!(
        (made.database.kind, made.database.members.as_slice()),
        (RdsKind::Cluster, &["new-1".to_owned()][..])
    );
    let later = RestoreInto { name: "later".into(), ..with_class };
    restored(&cloud, "aurora", &Wanted::Latest, &later).unwrap();
    removed(&cloud, "new").unwrap();
    removed(&cloud, "later").unwrap();
    assert_eq!(databases(&cloud).len(), 1);
}

#[test]
fn a_restore_that_was_cut_off_is_taken_up_and_nothing_elses_name_is_taken() {
    let cloud = Cloud::with_shop();
    cloud.create("shop").unwrap();
    cloud.stop_after.store(2, Ordering::SeqCst);
    let cut = restored(&cloud, "shop", &Wanted::Newest, &into("new")).unwrap_err();
    assert_eq!(cut.kind, Kind::Cancelled);
    cloud.stop_after.store(-1, Ordering::SeqCst);
    assert!(restored(&cloud, "shop", &Wanted::Newest, &into("new")).unwrap().taken_up);
    // Of another source it is another one.
    for (wanted, name) in [(Wanted::Latest, "new"), (Wanted::Newest, "shop")] {
        let e = restored(&cloud, "shop", &wanted, &into(name)).unwrap_err();
        assert!(e.kind == Kind::Foreign && e.message.contains("--as"), "{e}");
    }
}

#[test]
fn a_restore_that_comes_to_a_bad_end_is_told() {
    let cloud = Cloud::with_shop();
    cloud.create("shop").unwrap();
    for end in ["incompatible-restore", "failed", "incompatible-network", "storage-full"] {
        cloud.order(json!({ "do": "set", "rds.restore_ends": [end] }));
        let e = restored(&cloud, "shop", &Wanted::Newest, &into(&format!("new-{end}"))).unwrap_err();
        assert!(e.kind == Kind::Failed && e.message.contains(end), "{e}");
    }
    cloud.fault("Restore.*", json!({ "kind": "error", "code": "InstanceQuotaExceeded" }));
    let e = restored(&cloud, "shop", &Wanted::Newest, &into("more")).unwrap_err();
    assert_eq!(e.kind, Kind::Cloud(CloudErrorKind::Quota));
    cloud.fault("Restore.*", json!({ "kind": "error", "code": "DBSubnetGroupNotFoundFault", "status": 404 }));
    let e = restored(&cloud, "shop", &Wanted::Newest, &into("more")).unwrap_err();
    assert_eq!(e.kind, Kind::Cloud(CloudErrorKind::NotFound));
    let source = find(&cloud.here, "shop", &Wanted::Newest).unwrap();
    let late =
        cloud.at_pace(|pace| restore(&cloud.here, &source, &into("slow"), within(None, Some(5)), pace));
    assert_eq!(late.unwrap_err().kind, Kind::Window);
}

#[test]
fn only_what_a_restore_has_made_is_removed() {
    let cloud = Cloud::with_shop();
    cloud.create("shop").unwrap();
    restored(&cloud, "shop", &Wanted::Newest, &into("new")).unwrap();
    // Somebody took the tags along.
    cloud.database(json!({ "name": "prod", "tags": { "pgkeep:restored": "new" } }));
    for name in ["shop", "prod"] {
        let e = removed(&cloud, name).unwrap_err();
        assert!(e.kind == Kind::Foreign && e.message.contains("pgkeep:restored"), "{e}");
    }
    cloud.fault("DeleteDBInstance", json!({ "kind": "error", "code": "InvalidDBInstanceState" }));
    removed(&cloud, "new").unwrap();
    assert_eq!(databases(&cloud).len(), 2);
}

fn order(snapshot: &str) -> ExportOrder {
    ExportOrder {
        name: String::new(),
        snapshot: snapshot.into(),
        bucket: "archive".into(),
        prefix: Some("rds".into()),
        role: "arn:aws:iam::123456789012:role/export".into(),
        kms_key: "alias/export".into(),
        only: vec!["shop.public".into()],
    }
}

#[test]
fn an_export_is_awaited_begun_once_and_tried_again_where_it_failed() {
    let cloud = Cloud::with_shop();
    let made = cloud.create("shop").unwrap().snapshot;
    let go = |wait| {
        let order = order(&made.arn);
        cloud.at_pace(|pace| export(&cloud.here, &made.name, &order, wait, Windows::default(), pace))
    };
    cloud.fates(json!(["fail"]));
    let e = go(true).unwrap_err();
    assert!(
        e.kind == Kind::Failed
            && e.message.contains("cannot write to the bucket")
            && e.message.contains("role"),
        "{e}"
    );
    cloud.fault("StartExportTask", json!({ "kind": "lost", "about": "-2" }));
    let begun = go(false).unwrap();
    assert_eq!((begun.name.as_str(), begun.status.as_str()), ("export-shop-20261120020000-2", "STARTING"));
    let done = go(true).unwrap();
    assert_eq!((done.name, done.status.as_str(), done.percent), (begun.name, "COMPLETE", 100));
    assert_eq!(cloud.order(json!({ "do": "exports" })).as_array().unwrap().len(), 2);
    let told = cloud.told.lock().unwrap().join("\n");
    assert!(told.contains("IN_PROGRESS 50"), "{told}");
}
