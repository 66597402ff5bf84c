//! Whatever the backups, the policy and the time: the floors hold.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use pgkeep_keep::retention::{Candidate, Content, Identity, Plan, Policy, Reason, plan};
use pgkeep_keep::{BackupId, Drill, Sidecars};
use proptest::prelude::*;

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn at(hours: i64) -> Timestamp {
    start() + SignedDuration::from_hours(hours)
}

fn cluster(n: u8) -> Identity {
    match n {
        0 => Identity::Unknown { database: "shop".into(), oid: None, place: None },
        n => Identity::Known { cluster: n.to_string(), oid: Some(5), database: "shop".into() },
    }
}

fn full(hours: i64) -> Candidate {
    Candidate {
        id: BackupId::new(at(hours)),
        taken: at(hours),
        identity: cluster(1),
        content: Content::Full,
        sidecars: Sidecars::default(),
        locked_until: None,
    }
}

fn proven(hours: i64, proven: bool) -> Candidate {
    let drill = Some(Drill { at: at(hours + 1), proven });
    Candidate { sidecars: Sidecars { drill, held: false }, ..full(hours) }
}

fn kept(plan: &Plan) -> BTreeSet<Timestamp> {
    plan.decisions.iter().filter(|d| d.keep).map(|d| d.backup.taken).collect()
}

fn hours(hours: impl IntoIterator<Item = i64>) -> BTreeSet<Timestamp> {
    hours.into_iter().map(at).collect()
}

fn last(n: u32) -> Policy {
    Policy { last: Some(n), ..Policy::default() }
}

prop_compose! {
    fn candidate()(
        hours in 0i64..3000,
        of in 0u8..3,
        content in prop_oneof![4 => Just(Content::Full), 1 => Just(Content::Partial("schema only".into()))],
        held in prop::bool::weighted(0.05),
        drill in prop_oneof![3 => Just(None), 1 => any::<bool>().prop_map(Some)],
        lock in prop_oneof![9 => Just(None), 1 => (0i64..4000).prop_map(|h| Some(at(h)))],
    ) -> Candidate {
        Candidate {
            identity: cluster(of),
            content,
            sidecars: Sidecars { held, drill: drill.map(|proven| Drill { at: at(hours + 1), proven }) },
            locked_until: lock,
            ..full(hours)
        }
    }
}

prop_compose! {
    fn policy()(
        last in prop::option::of(0u32..6),
        within in prop::option::of(0i64..2000),
        counts in prop::array::uniform5(prop::option::weighted(0.3, 0u32..6)),
        berlin in any::<bool>(),
        expect in prop::option::weighted(0.3, 1i64..2000),
    ) -> Policy {
        let [hourly, daily, weekly, monthly, yearly] = counts;
        Policy {
            last,
            within: within.map(|h| Span::new().hours(h)),
            hourly, daily, weekly, monthly, yearly,
            zone: berlin.then(|| TimeZone::get("Europe/Berlin").unwrap()),
            expect_every: expect.map(SignedDuration::from_hours),
        }
    }
}

type Groups<'c> = BTreeMap<(&'c Identity, &'c Content), Vec<&'c Candidate>>;

/// The backups that were taken by `now`, by database and content, newest first.
fn groups(backups: &[Candidate], now: Timestamp) -> Groups<'_> {
    let mut groups = Groups::new();
    for b in backups.iter().filter(|b| b.taken <= now) {
        groups.entry((&b.identity, &b.content)).or_default().push(b);
    }
    groups.values_mut().for_each(|g| g.sort_by_key(|b| std::cmp::Reverse((b.taken, b.id.clone()))));
    groups
}

proptest! {
    #[test]
    fn no_policy_undercuts_the_floors(
        backups in prop::collection::vec(candidate(), 0..60),
        policy in policy(),
        unreadable in prop::bool::weighted(0.05),
        now in 0i64..4000,
    ) {
        let now = at(now);
        let plan = plan(&backups, unreadable, &policy, now);
        let going: BTreeSet<_> = plan.deletions().map(|d| d.backup.id.clone()).collect();
        let stays = |b: &Candidate| !going.contains(&b.id);

        // Each backup has one decision, with a reason.
        prop_assert_eq!(plan.decisions.len(), backups.len());
        prop_assert!(plan.decisions.iter().all(|d| !d.reasons.is_empty()));
        let expired = |d: &Reason| matches!(d, Reason::Expired { .. });
        prop_assert!(plan.decisions.iter().all(|d| d.keep != d.reasons.iter().any(expired)));

        if unreadable || policy.is_empty() {
            prop_assert!(going.is_empty());
        }
        for b in &backups {
            let untouchable = b.sidecars.held || b.locked_until.is_some_and(|l| l > now) || b.taken > now + SignedDuration::from_hours(1);
            prop_assert!(!untouchable || stays(b));
        }
        for group in groups(&backups, now).values() {
            prop_assert!(stays(group[0]), "the newest");
            let proven = group.iter().find(|b| b.sidecars.proven().is_some());
            prop_assert!(proven.is_none_or(|b| stays(b)), "the newest proven");
            let sound = group.iter().find(|b| !b.sidecars.failed());
            prop_assert!(sound.is_none_or(|b| stays(b)), "the newest sound");
            let age = now.duration_since(group[0].taken);
            if policy.expect_every.is_some_and(|e| age > e) {
                prop_assert!(group.iter().all(|b| stays(b)), "backups fail to come");
            }
            let n = policy.last.unwrap_or(0) as usize;
            prop_assert!(group.iter().take(n).all(|b| stays(b)), "the last {}", n);
        }
    }

    #[test]
    fn another_databases_backups_change_nothing(
        mine in prop::collection::vec(candidate(), 0..30),
        others in prop::collection::vec(candidate(), 0..30),
        policy in policy(),
        now in 0i64..4000,
    ) {
        let mine: Vec<_> = mine.into_iter().map(|b| Candidate { identity: cluster(1), ..b }).collect();
        let others: Vec<_> = others.into_iter().map(|b| Candidate { identity: cluster(2), ..b }).collect();
        let decided = |backups: &[Candidate]| -> BTreeMap<BackupId, bool> {
            let plan = plan(backups, false, &policy, at(now));
            plan.decisions.into_iter().filter(|d| d.backup.identity == cluster(1)).map(|d| (d.backup.id, d.keep)).collect()
        };
        let together: Vec<_> = mine.iter().chain(&others).cloned().collect();
        prop_assert_eq!(decided(&mine), decided(&together));
    }

    #[test]
    fn time_alone_deletes_nothing(
        backups in prop::collection::vec(candidate(), 0..40),
        policy in policy(),
        later in 0i64..100_000,
    ) {
        let backups: Vec<_> = backups.into_iter().map(|b| Candidate { locked_until: None, ..b }).collect();
        let first: BTreeSet<_> = plan(&backups, false, &policy, at(3001)).deletions().map(|d| d.backup.id.clone()).collect();
        let then = plan(&backups, false, &policy, at(3001 + later));
        prop_assert!(then.deletions().all(|d| first.contains(&d.backup.id)));
    }

    #[test]
    fn a_second_look_deletes_nothing_more(
        backups in prop::collection::vec(candidate(), 0..40),
        policy in policy(),
        now in 0i64..4000,
    ) {
        let first = plan(&backups, false, &policy, at(now));
        let left: Vec<_> = first.decisions.iter().filter(|d| d.keep).map(|d| d.backup.clone()).collect();
        prop_assert_eq!(plan(&left, false, &policy, at(now)).deletions().count(), 0);
    }
}

#[test]
fn the_newest_of_each_day_week_and_month_stays() {
    // Every 6 hours from Thursday 2026-01-01 00:00 to the end of Saturday 2026-02-28.
    let backups: Vec<_> = (0..59 * 4).map(|i| full(i * 6)).collect();
    let policy = Policy { daily: Some(3), weekly: Some(2), monthly: Some(2), ..Policy::default() };
    let plan = plan(&backups, false, &policy, at(59 * 24));
    // Days: Feb 28, 27, 26; weeks: the one of Feb 28 and the one that ends on Sunday, Feb 22; months: Feb, Jan 31.
    let day = |n: i64| n * 24 - 6;
    assert_eq!(kept(&plan), hours([day(59), day(58), day(57), day(53), day(31)]));
}

#[test]
fn days_without_a_backup_are_not_counted() {
    let backups: Vec<_> = [0, 24, 480, 481, 960].map(full).into();
    let policy = Policy { daily: Some(3), ..Policy::default() };
    assert_eq!(kept(&plan(&backups, false, &policy, at(961))), hours([24, 481, 960]));
}

#[test]
fn within_counts_from_the_newest_and_in_calendar_months() {
    let backups: Vec<_> = [0, 24 * 30, 24 * 31, 24 * 58].map(full).into();
    // The newest is of Feb 28; a month before is Jan 28.
    let policy = Policy { within: Some(Span::new().months(1)), ..Policy::default() };
    assert_eq!(kept(&plan(&backups, false, &policy, at(99_999))), hours([24 * 30, 24 * 31, 24 * 58]));
}

#[test]
fn the_newest_proven_and_the_newest_that_did_not_fail_stay() {
    let backups = [proven(1, true), proven(2, true), full(3), full(4), proven(5, false), proven(6, false)];
    assert_eq!(kept(&plan(&backups, false, &last(1), at(7))), hours([2, 4, 6]));
}

#[test]
fn a_backup_from_the_future_neither_goes_nor_pushes_others_out() {
    let backups = [full(1), full(2), full(9999)];
    assert_eq!(kept(&plan(&backups, false, &last(1), at(3))), hours([2, 9999]));
}

#[test]
fn while_backups_fail_to_come_everything_stays_and_it_is_told() {
    let policy = Policy { expect_every: Some(SignedDuration::from_hours(24)), ..last(1) };
    let backups = [full(0), full(24)];
    let fine = plan(&backups, false, &policy, at(48));
    assert_eq!((fine.deletions().count(), fine.overdue.len()), (1, 0));
    let late = plan(&backups, false, &policy, at(50));
    assert_eq!((late.deletions().count(), late.overdue.len()), (0, 1));
    // The database was moved: its old backups stay, and nobody is woken.
    let moved = [full(0), full(24), Candidate { identity: cluster(2), ..full(49) }];
    let moved = plan(&moved, false, &policy, at(50));
    assert_eq!((moved.deletions().count(), moved.overdue.len()), (0, 0));
}
