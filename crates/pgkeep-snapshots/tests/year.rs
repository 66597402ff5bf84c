//! A year of daily snapshots in two regions, in which much goes wrong: nothing that the policy keeps is ever lost, and nothing of
//! others is touched. What the policy keeps is counted here once more, by other code than retention's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use pgkeep_cloud::{Rds, RdsKind};
use pgkeep_keep::retention::Policy;
use pgkeep_snapshots::{Outcome, Windows, copy, delete, missing, plan, taken_of};
use serde_json::{Value, json};
use support::{Cloud, HERE, KEY_THERE, THERE};

const DAYS: i64 = 365;

fn policy(daily: u32, weekly: u32, monthly: u32) -> Policy {
    Policy { daily: Some(daily), weekly: Some(weekly), monthly: Some(monthly), ..Policy::default() }
}

type Label = fn(Date) -> String;

/// What is to stay of these names, which have their time in them: of so many days, weeks and months the newest.
fn to_stay(names: &[String], daily: usize, weekly: usize, monthly: usize) -> BTreeSet<String> {
    let mut stay = BTreeSet::new();
    let labels: [(usize, Label); 3] = [
        (daily, |d| d.to_string()),
        (weekly, |d| format!("{}-{:02}", d.iso_week_date().year(), d.iso_week_date().week())),
        (monthly, |d| format!("{}-{:02}", d.year(), d.month())),
    ];
    for (count, label) in labels {
        let mut newest: BTreeMap<String, &String> = BTreeMap::new();
        for name in names {
            let day = taken_of(name).unwrap().to_zoned(jiff::tz::TimeZone::UTC).date();
            let kept = newest.entry(label(day)).or_insert(name);
            *kept = (*kept).max(name);
        }
        stay.extend(newest.into_values().rev().take(count).cloned());
    }
    stay
}

/// The names of ours that are available, and everything of others, as the fake itself knows it.
fn looked_at(cloud: &Cloud, region: &str) -> (Vec<String>, BTreeSet<String>) {
    let (mut ours, mut others) = (Vec::new(), BTreeSet::new());
    for s in cloud.snapshots(region) {
        let name = s["name"].as_str().unwrap().to_owned();
        match s["foreign"] == true {
            true => _ = others.insert(name),
            false if s["status"] == "available" => ours.push(name),
            false => {}
        }
    }
    (ours, others)
}

fn somebody_elses(cloud: &Cloud, day: i64, resource: &str) {
    let at = cloud.now();
    let (name, tags) = match day % 4 {
        0 => (format!("shop-{}", at.strftime("%Y%m%d%H%M%S")), json!({})),
        1 => (format!("by-hand-{day}"), json!({ "Owner": "somebody" })),
        2 => {
            let name = format!("shop-{}", at.strftime("%Y%m%d%H%M%S"));
            let tags =
                json!({ "pgkeep:snapshot": name, "pgkeep:region": HERE, "pgkeep:resource": "db-ANOTHER" });
            (name, tags)
        }
        _ => {
            let tags = json!({ "pgkeep:snapshot": "shop-20260101020000", "pgkeep:region": HERE, "pgkeep:resource": resource });
            (format!("copy-of-ours-{day}"), tags)
        }
    };
    for region in [HERE, THERE] {
        cloud.order(json!({ "do": "snapshot", "region": region, "name": name, "database": "shop", "resource": resource, "tags": tags }));
    }
}

/// What goes wrong on this day.
fn go_wrong(cloud: &Cloud, day: i64) {
    let error = |code: &str| json!({ "kind": "error", "code": code });
    match day % 23 {
        3 => cloud.fates(json!(["fail"])),
        5 => cloud.fates(json!(["vanish"])),
        7 => cloud.fates(json!([null, "fail"])),
        9 => cloud.states(json!([[0, "modifying"], [1800, "available"]])),
        11 => cloud.stop_after.store(1, Ordering::SeqCst),
        13 => cloud.stop_after.store(4, Ordering::SeqCst),
        15 => cloud.fault("CreateDBSnapshot", error("SnapshotQuotaExceeded")),
        17 => cloud.fault("CopyDBSnapshot", error("KMSKeyNotAccessibleFault")),
        19 => cloud.fault("DeleteDBSnapshot", error("InvalidDBSnapshotState")),
        20 if day < 100 => cloud.fault("CreateDBSnapshot", json!({ "kind": "lost" })),
        21 if day < 100 => cloud.fault("CopyDBSnapshot", json!({ "kind": "lost" })),
        22 => cloud.states(json!([[0, "stopped"], [80_000, "available"]])),
        _ => {}
    }
}

fn prune(rds: &Rds, policy: &Policy, now: Timestamp) {
    let planned = plan(rds, RdsKind::Instance, "shop", policy, now).unwrap();
    let expired = planned.plan.deletions().map(|d| &planned.snapshots[d.backup.id.as_str()]);
    for snapshot in expired.chain(&planned.failed) {
        assert!(!matches!(delete(rds, snapshot).unwrap(), Outcome::Gone), "{}", snapshot.name);
    }
}

#[test]
fn in_a_year_nothing_that_is_kept_is_lost_and_nothing_of_others_is_touched() {
    let mut cloud = Cloud::begin("2026-01-01T02:00:00Z");
    cloud.poll = Duration::from_secs(400);
    cloud.order(json!({ "do": "set", "rds.copy_seconds": 700 }));
    let resource = cloud.database(json!({ "name": "shop", "encrypted": true }));
    let (mut made, mut copied, mut went_wrong) = (0, 0, 0);
    for day in 0..DAYS {
        let began = cloud.now();
        if day % 9 == 2 {
            somebody_elses(&cloud, day, &resource);
            cloud.advance(1);
        }
        go_wrong(&cloud, day);
        match cloud.create("shop") {
            Ok(done) => {
                made += 1;
                for lacking in missing(&cloud.here, &cloud.there, &done.snapshot).unwrap() {
                    let done = cloud.at_pace(|pace| {
                        copy(&cloud.here, &cloud.there, &lacking, Some(KEY_THERE), Windows::default(), pace)
                    });
                    match done {
                        Ok(_) => copied += 1,
                        Err(_) => went_wrong += 1,
                    }
                }
            }
            Err(_) => went_wrong += 1,
        }
        cloud.stop_after.store(-1, Ordering::SeqCst);
        cloud.fates(json!([]));
        for (rds, region, (daily, weekly, monthly)) in
            [(&cloud.here, HERE, (7, 4, 3)), (&cloud.there, THERE, (14, 0, 12))]
        {
            // Each day one region, so that the year passes in seconds.
            if (day % 2 == 0) == (region == HERE) && day < DAYS - 2 {
                continue;
            }
            let (before, others) = looked_at(&cloud, region);
            let stay = to_stay(&before, daily, weekly, monthly);
            prune(rds, &policy(daily as u32, weekly as u32, monthly as u32), cloud.now());
            let (after, others_after) = looked_at(&cloud, region);
            let after: BTreeSet<String> = after.into_iter().collect();
            assert_eq!(others, others_after, "day {day} in {region}");
            assert!(stay.is_subset(&after), "day {day} in {region}: lost {:?}", stay.difference(&after));
            // One deletion may have been refused that day.
            assert!(after.len() <= stay.len() + 2, "day {day} in {region}: too many: {after:?}");
        }
        let next = began + jiff::SignedDuration::from_hours(24);
        cloud.advance(next.duration_since(cloud.now()).as_secs());
    }
    // On most days one was made; each that was is there as long as it is to be, in both regions.
    assert!(
        made > 280 && copied > 270 && went_wrong > 60,
        "{made} made, {copied} copied, {went_wrong} failed"
    );
    let (here, others) = looked_at(&cloud, HERE);
    let (there, _) = looked_at(&cloud, THERE);
    assert!(here.len() <= 15 && there.len() >= 20, "{here:?} {there:?}");
    assert_eq!(others.len(), 41);
    let failed =
        |region: &str| cloud.snapshots(region).iter().filter(|s: &&Value| s["status"] == "failed").count();
    assert_eq!((failed(HERE), failed(THERE)), (0, 0));
}
