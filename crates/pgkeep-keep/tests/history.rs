//! Months of backups, prunes, drills, holds, failures and crashes, with one seed after the other: what retention promises
//! holds at every moment.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Barrier;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use pgkeep_keep::hold::{Hold, hold, release};
use pgkeep_keep::prune::{Orphans, Outcome, Stock, clear, delete, finish, unfinished};
use pgkeep_keep::retention::{Content, Policy};
use pgkeep_keep::{BackupId, Catalogue, Listed, Manifest, Result, Sidecar, Summary};
use pgkeep_store::{Fault, Faults, Store};

const NAMES: [&str; 3] = ["shop", "shop2", "shop/archive"];

/// What was told to whoever ran the commands.
#[derive(Default)]
struct Told {
    /// Ids of committed backups that nothing has deleted.
    committed: BTreeSet<(String, String)>,
    held: BTreeSet<(String, String)>,
}

struct History {
    rng: Rng,
    store: Store,
    faulty: Catalogue,
    faults: Faults,
    now: Timestamp,
    told: Told,
}

impl History {
    fn new(seed: u64) -> History {
        let store = Store::open(&format!("memory://history-{seed}")).unwrap();
        let faults = Faults::new();
        let faulty = Catalogue::new(faults.around(&store));
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        History { rng: Rng::with_seed(seed), store, faulty, faults, now, told: Told::default() }
    }

    /// Sometimes a call of what comes next fails, or that and all that follow.
    fn arm(&mut self) {
        let fault =
            Fault { call: self.rng.usize(0..40), after_effect: self.rng.bool(), for_good: self.rng.bool() };
        self.faults.arm((self.rng.u8(0..3) == 0).then_some(fault));
    }

    fn policy(&mut self) -> Policy {
        let rng = &mut self.rng;
        let mut some = |n: u32| rng.bool().then(|| rng.u32(0..n));
        let (last, daily, weekly, monthly) = (some(4), some(6), some(4), some(3));
        let expect = self.rng.u8(0..4) == 0;
        let expect_every = expect.then(|| SignedDuration::from_hours(self.rng.i64(20..60)));
        Policy { last, daily, weekly, monthly, expect_every, ..Policy::default() }
    }

    /// A backup, which can break off at any call: archive, then manifest.
    fn backup(&mut self, name: &str) {
        let id = BackupId::new(self.now);
        let mut m = Manifest::from_json(include_bytes!("fixtures/manifest-v1.json"), "x").unwrap();
        (m.id, m.name) = (id.to_string(), name.to_owned());
        m.object.key = match self.rng.u8(0..4) {
            0 => format!("archives/{}-{}.dump", name.replace('/', "-"), self.now.strftime("%Y%m%d%H%M%S")),
            _ => id.archive_key(name),
        };
        (m.started, m.finished, m.dump.snapshot_time) = (self.now, self.now, self.now);
        let cluster = if self.rng.u8(0..5) == 0 { "2" } else { "1" };
        m.dump.database.system_identifier = Some(cluster.into());
        if self.rng.u8(0..6) == 0 {
            m.dump.options.selection =
                Some(pgkeep_keep::Selection { schema_only: true, ..Default::default() });
        }
        let store = self.faulty.store();
        let written = store.put(&m.object.key, "archive".into()).is_ok()
            && store.put_if_absent(&id.manifest_key(name), m.to_json().into()).is_ok();
        if written {
            self.told.committed.insert((name.to_owned(), id.to_string()));
        }
    }

    fn drill(&mut self) {
        if let Some(backup) = self.any() {
            let verdict = if self.rng.u8(0..3) == 0 { "failed" } else { "proven" };
            let time = self.now.strftime("%Y%m%dT%H%M%SZ");
            let key = format!("{}/{}.drill.{time}.{verdict}.json", backup.name, backup.id);
            let _ = self.faulty.store().put(&key, "{}".into());
        }
    }

    fn hold(&mut self) {
        let Some(backup) = self.any() else { return };
        let key = (backup.name.clone(), backup.id.to_string());
        if self.rng.bool() {
            let reason = Hold { reason: "audit".into(), since: self.now, by: None };
            if hold(self.faulty.store(), &backup, &reason).is_ok() {
                self.told.held.insert(key);
            }
        } else {
            // Even a release that fails can have been done.
            self.told.held.remove(&key);
            let _ = release(self.faulty.store(), &backup);
        }
    }

    fn any(&mut self) -> Option<Listed> {
        let all = Catalogue::new(self.store.clone()).list().unwrap();
        (!all.is_empty()).then(|| all[self.rng.usize(0..all.len())].clone())
    }

    /// A prune, which can break off at any call; gives whether it came to its end.
    fn prune(&mut self) -> Result<()> {
        let policy = self.policy();
        let catalogue = &self.faulty;
        let store = catalogue.store();
        let stock = Stock::look(catalogue)?;
        // By a clock that is long past every grace.
        let later = Timestamp::now() + SignedDuration::from_hours(48);
        for left in unfinished(store, &stock, later)? {
            finish(store, &left)?;
        }
        for name in stock.names() {
            let plan = stock.plan(store, name, &policy, self.now)?;
            for decision in plan.deletions() {
                // What is decided now may be gone from the promise.
                self.told.committed.remove(&(name.to_owned(), decision.backup.id.to_string()));
                delete(catalogue, &stock, &plan, decision, name)?;
            }
        }
        for orphan in Orphans::find(store, &stock, SignedDuration::from_hours(24), later)?.data {
            clear(store, &orphan)?;
        }
        Ok(())
    }

    /// By the store itself, without faults.
    fn check(&self, before: &[(Listed, Summary)]) -> Vec<(Listed, Summary)> {
        let catalogue = Catalogue::new(self.store.clone());
        let listed = catalogue.list().unwrap();
        let keys: BTreeSet<String> = self.store.list("").unwrap().map(|o| o.unwrap().key).collect();
        let found: Vec<(Listed, Summary)> = listed
            .iter()
            .cloned()
            .zip(catalogue.summaries(&listed).found.into_iter().map(Result::unwrap))
            .collect();
        let is_there =
            |name: &str, id: &str| found.iter().any(|(l, _)| l.name == name && l.id.as_str() == id);
        for (listed, summary) in &found {
            assert!(keys.contains(&summary.key), "{}/{} has lost its archive", listed.name, listed.id);
        }
        for (name, id) in self.told.committed.iter().chain(&self.told.held) {
            assert!(is_there(name, id), "{name}/{id} was committed or held, and is gone");
        }
        // The newest, and the newest proven, of every database and content that was there.
        let mut newest: BTreeMap<_, (Timestamp, &str, &str)> = BTreeMap::new();
        for (l, s) in before {
            let group = |proven: bool| (l.name.clone(), s.candidate(l).identity, s.partial.clone(), proven);
            let one = (s.snapshot_time, l.name.as_str(), l.id.as_str());
            let proven = l.sidecars.proven().map(|_| group(true));
            for group in std::iter::once(group(false)).chain(proven) {
                let best = newest.entry(group).or_insert(one);
                *best = one.max(*best);
            }
        }
        for (group, (_, name, id)) in newest {
            assert!(is_there(name, id), "{name}/{id} was the newest of {group:?}, and is gone");
        }
        found
    }
}

#[test]
fn nothing_that_was_promised_is_lost_in_months_of_failures_and_crashes() {
    for seed in 0..20 {
        let mut history = History::new(seed);
        let mut before = Vec::new();
        for _ in 0..120 {
            history.now += SignedDuration::from_mins(history.rng.i64(1..40 * 60));
            history.arm();
            match history.rng.u8(0..10) {
                0..5 => {
                    let name = NAMES[history.rng.usize(0..NAMES.len())];
                    history.backup(name);
                }
                5 => history.drill(),
                6 => history.hold(),
                _ => {
                    let _ = history.prune();
                }
            }
            history.faults.arm(None);
            before = history.check(&before);
        }
        // A prune that nothing disturbs leaves what belongs to backups, and nothing else.
        history.prune().unwrap();
        let left = history.check(&before);
        for object in history.store.list("").unwrap() {
            let key = object.unwrap().key;
            let known =
                left.iter().any(|(l, s)| key == s.key || key.starts_with(&format!("{}/{}.", l.name, l.id)));
            // A key without an id tells nobody whose it is, so what a crash leaves there stays unless a mark or journal
            // names it; this history has no marks.
            assert!(known || key.starts_with("archives/"), "seed {seed}: {key} is left");
        }
        let full = left.iter().filter(|(l, s)| s.candidate(l).content == Content::Full).count();
        assert!(full > 0 || seed > 0, "there is something to look at");
    }
}

#[test]
fn a_prune_that_fails_at_any_call_loses_nothing_and_a_rerun_completes_it() {
    for after_effect in [false, true] {
        for for_good in [false, true] {
            let mut calls = 0;
            for call in 0.. {
                let mut history =
                    History::new(1000 + call as u64 * 4 + u64::from(after_effect) * 2 + u64::from(for_good));
                for _ in 0..4 {
                    history.now += SignedDuration::from_hours(24);
                    history.backup("shop");
                }
                let before = history.check(&[]);
                let keep_last_one = |history: &History| -> Result<()> {
                    let stock = Stock::look(&history.faulty)?;
                    let store = history.faulty.store();
                    for left in unfinished(store, &stock, Timestamp::now() + SignedDuration::from_hours(1))? {
                        finish(store, &left)?;
                    }
                    let policy = Policy { last: Some(1), ..Policy::default() };
                    let plan = stock.plan(store, "shop", &policy, history.now)?;
                    for decision in plan.deletions() {
                        delete(&history.faulty, &stock, &plan, decision, "shop")?;
                    }
                    Ok(())
                };
                history.told.committed.clear();
                history.faults.arm(Some(Fault { call, after_effect, for_good }));
                let done = keep_last_one(&history);
                calls = calls.max(history.faults.calls().len());
                history.faults.arm(None);
                history.check(&before);
                keep_last_one(&history).unwrap();
                let groups: BTreeSet<_> = history
                    .check(&before)
                    .iter()
                    .map(|(l, s)| (s.candidate(l).identity, s.partial.clone()))
                    .collect();
                let objects = history.store.list("").unwrap().count();
                assert_eq!(
                    objects,
                    2 * groups.len(),
                    "call {call}: an archive and a manifest for each database"
                );
                if done.is_ok() && call > calls {
                    break;
                }
            }
            assert!(calls > 10, "{calls} calls were made to fail");
        }
    }
}

#[test]
fn of_a_hold_and_a_prune_at_the_same_moment_one_wins_and_both_know() {
    let mut met = 0;
    for seed in 0..200 {
        let mut history = History::new(5000 + seed);
        for _ in 0..2 {
            history.now += SignedDuration::from_hours(24);
            history.backup("shop");
        }
        let (store, catalogue) = (&history.store, Catalogue::new(history.store.clone()));
        let stock = Stock::look(&catalogue).unwrap();
        let policy = Policy { last: Some(1), ..Policy::default() };
        let plan = stock.plan(store, "shop", &policy, history.now).unwrap();
        // Two databases under one name do not push each other out.
        let Some(decision) = plan.deletions().next() else { continue };
        met += 1;
        let listed = catalogue.list().unwrap().into_iter().find(|l| l.id == decision.backup.id).unwrap();
        let note = Hold { reason: "audit".into(), since: history.now, by: None };
        let both = Barrier::new(2);
        let (outcome, held) = std::thread::scope(|scope| {
            let holder = scope.spawn(|| {
                both.wait();
                hold(store, &listed, &note)
            });
            both.wait();
            (delete(&catalogue, &stock, &plan, decision, "shop").unwrap(), holder.join().unwrap())
        });
        let there = |key: String| store.head(&key).is_ok();
        let stands = there(listed.id.manifest_key("shop"));
        assert_eq!(stands, matches!(outcome, Outcome::Stays(_)), "seed {seed}: {outcome:?}");
        assert_eq!(there(Sidecar::hold_key("shop", &listed.id)), held.is_ok(), "seed {seed}: {held:?}");
        assert!(stands || held.is_err(), "seed {seed}: a hold was promised, and the backup is gone");
    }
    assert!(met > 50, "{met}");
}
