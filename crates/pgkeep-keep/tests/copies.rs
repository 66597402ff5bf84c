//! Copies and what syncs plan, with a store that fails at any call.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use pgkeep_keep::retention::Policy;
use pgkeep_keep::sync::{Action, Side, plan};
use pgkeep_keep::{
    BackupId, Catalogue, Copied, HashCheck, KeepError, Listed, Look, Manifest, ObjectRecord, Run, Sidecar,
    copy, look_whole, sweep, verify_hashes,
};
use pgkeep_store::{Fault, Faults, Store, UploadPlan};

/// A folder that goes with the test.
struct Place {
    store: Store,
    catalogue: Catalogue,
    _dir: Option<tempfile::TempDir>,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().to_str().unwrap()).unwrap();
        Place { catalogue: Catalogue::new(store.clone()), store, _dir: Some(dir) }
    }

    /// The same in memory, which is quicker.
    fn memory() -> Place {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let store =
            Store::open(&format!("memory://place-{}", COUNT.fetch_add(1, Ordering::Relaxed))).unwrap();
        Place { catalogue: Catalogue::new(store.clone()), store, _dir: None }
    }

    fn keys(&self) -> Vec<String> {
        self.store.list("").unwrap().map(|o| o.unwrap().key).collect()
    }

    fn listed(&self) -> Vec<Listed> {
        self.catalogue.list().unwrap()
    }

    fn side(&self) -> Side {
        let survey = self.catalogue.survey("").unwrap();
        Side::new(&survey.backups, self.catalogue.summaries(&survey.backups).found, &survey.others)
    }
}

/// Puts an object of noise there.
fn object(store: &Store, key: &str, len: usize) -> ObjectRecord {
    let mut upload = store
        .start_upload(key, UploadPlan { part_size: Some(1 << 20), ..UploadPlan::new(10, len as u64) })
        .unwrap();
    upload.write(&(10..len).map(|i| (i * i / 7) as u8).collect::<Vec<_>>()).unwrap();
    ObjectRecord::new(key, &upload.finish(vec![1; 10]).unwrap())
}

/// Commits a backup with an archive of three parts, another object, and a hold.
fn backup(store: &Store, day: u32) -> Listed {
    let started: Timestamp = format!("2026-11-{day:02}T01:00:00Z").parse().unwrap();
    let id = BackupId::new(started);
    let mut manifest = Manifest::from_json(include_bytes!("fixtures/manifest-v1.json"), "x").unwrap();
    manifest.id = id.to_string();
    manifest.name = "shop".into();
    manifest.started = started;
    manifest.dump.snapshot_time = started;
    manifest.dump.head_len = 10;
    manifest.object = object(store, &id.archive_key("shop"), (2 << 20) + 500);
    manifest.globals = None;
    store.put(&id.manifest_key("shop"), manifest.to_json().into()).unwrap();
    store.put(&Sidecar::hold_key("shop", &id), "{}".into()).unwrap();
    Catalogue::new(store.clone()).list().unwrap().into_iter().find(|l| l.id == id).unwrap()
}

fn go(from: &Place, to: &Store, listed: &Listed) -> Result<Copied, KeepError> {
    copy(&from.catalogue, to, listed, Look::Quick, &|_| true)
}

#[track_caller]
fn whole(place: &Place, listed: &Listed) {
    let manifest = place.catalogue.manifest(listed).unwrap();
    look_whole(&place.store, &manifest).unwrap();
}

#[test]
fn a_copy_has_all_of_the_original_and_a_second_one_is_nothing_to_do() {
    let (a, b) = (Place::new(), Place::new());
    let listed = backup(&a.store, 1);
    let memory = Store::open("memory://a-copy-has-all").unwrap();
    let streamed = go(&a, &memory, &listed).unwrap();
    assert_eq!((streamed.sent, streamed.by_store, streamed.changed), ((2 << 20) + 500, 0, true));
    let by_store = go(&a, &b.store, &listed).unwrap();
    assert_eq!(
        (by_store.sent, by_store.by_store),
        (0, (2 << 20) + 500),
        "from folder to folder by the kernel"
    );
    for (store, keys) in [(&memory, a.keys()), (&b.store, a.keys())] {
        for key in keys {
            assert!(store.get(&key).unwrap() == a.store.get(&key).unwrap(), "{key}");
        }
        assert_eq!(go(&a, store, &listed).unwrap(), Copied::default());
    }
}

#[test]
fn a_damaged_copy_is_made_whole_and_a_damaged_original_is_told() {
    let (a, b) = (Place::new(), Place::new());
    let listed = backup(&a.store, 1);
    let archive = listed.id.archive_key("shop");
    go(&a, &b.store, &listed).unwrap();
    let good = a.store.get(&archive).unwrap();
    let mut changed = good.to_vec();
    changed[5] ^= 1;
    for bad in [good.slice(..1000), changed.into()] {
        b.store.put(&archive, bad).unwrap();
        assert!(go(&a, &b.store, &listed).unwrap().changed);
        assert!(b.store.get(&archive).unwrap() == good);
    }
    b.store.put(&listed.id.manifest_key("shop"), "{".into()).unwrap();
    let healed = go(&a, &b.store, &listed).unwrap();
    assert_eq!((healed.reused, healed.sent + healed.by_store), (good.len() as u64, 0));
    whole(&b, &listed);

    let memory = Store::open("memory://a-damaged-original").unwrap();
    let mut broken = good.to_vec();
    broken[(1 << 20) + 7] ^= 1;
    a.store.put(&archive, broken.into()).unwrap();
    let e = go(&a, &memory, &listed).unwrap_err();
    assert!(
        matches!(&e, KeepError::Damaged { .. }) && e.to_string().contains("bytes 1048576 to 2097152"),
        "{e}"
    );
    assert_eq!(memory.list("").unwrap().count(), 0, "nothing is left");
}

#[test]
fn another_backup_under_the_same_key_is_refused() {
    let (a, b) = (Place::new(), Place::new());
    let listed = backup(&a.store, 1);
    let key = listed.id.manifest_key("shop");
    go(&a, &b.store, &listed).unwrap();
    let mut other = a.catalogue.manifest(&listed).unwrap();
    other.object.sha256 = "0".repeat(64);
    b.store.put(&key, other.to_json().into()).unwrap();
    let e = go(&a, &b.store, &listed).unwrap_err();
    assert!(e.to_string().contains("another archive"), "{e}");
}

#[test]
fn a_manifest_of_a_newer_pgkeep_is_not_overwritten() {
    let (a, b) = (Place::new(), Place::new());
    let listed = backup(&a.store, 1);
    let key = listed.id.manifest_key("shop");
    let newer = r#"{"manifest_version": 99}"#;
    b.store.put(&key, newer.into()).unwrap();
    let e = go(&a, &b.store, &listed).unwrap_err();
    assert!(e.to_string().contains("newer pgkeep"), "{e}");
    assert_eq!(b.store.get(&key).unwrap(), newer);
}

#[test]
fn a_copy_that_fails_at_any_call_shows_nothing_half_made_and_goes_on_later() {
    let a = Place::new();
    let listed = backup(&a.store, 1);
    let faults = Faults::new();
    faults.arm(None);
    go(&a, &faults.around(&Place::new().store), &listed).unwrap();
    let calls = faults.calls().len();
    for call in 0..calls {
        for (after_effect, for_good) in [(false, false), (true, false), (false, true), (true, true)] {
            let b = Place::new();
            faults.arm(Some(Fault { call, after_effect, for_good }));
            let done = go(&a, &faults.around(&b.store), &listed);
            // What is listed is whole, whatever happened.
            b.listed().iter().for_each(|l| whole(&b, l));
            assert!(done.is_err() || b.listed().len() == 1, "call {call}");
            // Also after a sweep by another, which takes this process for dead.
            sweep(&b.store, Timestamp::now() + jiff::SignedDuration::from_mins(16)).unwrap();
            b.listed().iter().for_each(|l| whole(&b, l));
            go(&a, &b.store, &listed).unwrap();
            whole(&b, &listed);
            let stray: Vec<String> = b.keys().into_iter().filter(|k| !k.starts_with(".pgkeep")).collect();
            assert_eq!(stray, a.keys(), "call {call}");
        }
    }
    assert!(calls > 8, "{calls}");
    whole(&a, &listed);
}

#[test]
fn an_original_that_fails_at_any_call_costs_nothing() {
    let a = Place::new();
    let listed = backup(&a.store, 1);
    let faults = Faults::new();
    faults.arm(None);
    let from = Catalogue::new(faults.around(&a.store));
    let memory = |n: usize| Store::open(&format!("memory://original-fails-{n}")).unwrap();
    copy(&from, &memory(1000), &listed, Look::Quick, &|_| true).unwrap();
    for call in 0..faults.calls().len() {
        faults.arm(Some(Fault { call, after_effect: false, for_good: true }));
        let store = memory(call);
        let failed = copy(&from, &store, &listed, Look::Quick, &|_| true);
        faults.arm(None);
        let made = Catalogue::new(store.clone()).list().unwrap();
        assert!(failed.is_err() || made.len() == 1);
        copy(&from, &store, &listed, Look::Quick, &|_| true).unwrap();
        assert_eq!(store.list("shop/").unwrap().count(), 3);
    }
}

/// What a sync does: it looks at both stores, plans, and copies what is missing or damaged.
fn sync(a: &Catalogue, b: &Catalogue) -> Result<usize, KeepError> {
    let both = [a, b];
    let mut sides = Vec::new();
    for catalogue in both {
        let survey = catalogue.survey("")?;
        let mut side = Side::new(&survey.backups, catalogue.summaries(&survey.backups).found, &survey.others);
        side.verify(catalogue, &|_| true, &WHOLE, &mut |_| true)?;
        sides.push(side);
    }
    let policy = |_: usize, _: &str| Ok::<_, KeepError>(Policy::default());
    let steps = plan(&sides, &[0, 1], &[0, 1], &|_| true, &policy, Timestamp::now())?;
    for step in &steps {
        // A manifest that could not be read looks like damage.
        let (Action::Copy(sources) | Action::Complete(sources)) = &step.action else { continue };
        copy(both[sources[0]], both[step.to].store(), &step.backup, Look::Whole, &|_| true)?;
    }
    Ok(steps.len())
}

const WHOLE: HashCheck = HashCheck { jobs: 1, percent: 100.0 };

/// Every backup that is listed is what its manifest says, to the last byte.
#[track_caller]
fn whole_to_the_last_byte(place: &Place) {
    for listed in place.listed() {
        let manifest = place.catalogue.manifest(&listed).unwrap();
        verify_hashes(&place.store, &manifest, &WHOLE, &mut |_| true).unwrap();
    }
}

/// Two stores, each with a backup that the other lacks, and one that both have.
fn apart() -> (Place, Place) {
    let (a, b) = (Place::memory(), Place::memory());
    backup(&a.store, 1);
    let both = backup(&a.store, 2);
    backup(&b.store, 3);
    go(&a, &b.store, &both).unwrap();
    (a, b)
}

#[test]
fn a_sync_that_fails_at_any_call_damages_nothing_and_the_next_one_ends_it() {
    let faults = Faults::new();
    faults.arm(None);
    let (a, b) = apart();
    assert_eq!(sync(&a.catalogue, &Catalogue::new(faults.around(&b.store))).unwrap(), 2);
    let calls = faults.calls().len();
    assert!(calls > 30, "{calls}");
    for call in 0..calls {
        for (after_effect, for_good) in [(false, false), (true, false), (false, true), (true, true)] {
            let (a, b) = apart();
            faults.arm(Some(Fault { call, after_effect, for_good }));
            let _ = sync(&a.catalogue, &Catalogue::new(faults.around(&b.store)));
            for place in [&a, &b] {
                whole_to_the_last_byte(place);
                assert!(place.listed().len() >= 2, "call {call}");
                sweep(&place.store, Timestamp::now() + jiff::SignedDuration::from_mins(16)).unwrap();
            }
            sync(&a.catalogue, &b.catalogue).unwrap();
            [&a, &b].into_iter().for_each(whole_to_the_last_byte);
            assert_eq!((a.listed().len(), a.keys()), (3, b.keys()), "call {call}");
        }
    }
}

#[test]
fn a_copy_that_rotted_without_changing_its_size_is_healed_where_every_byte_is_read() {
    let (a, b) = (Place::new(), Place::new());
    let listed = backup(&a.store, 1);
    go(&a, &b.store, &listed).unwrap();
    let archive = listed.id.archive_key("shop");
    let mut rotten = b.store.get(&archive).unwrap().to_vec();
    rotten[(2 << 20) + 100] ^= 1;
    b.store.put(&archive, rotten.into()).unwrap();
    assert!(!go(&a, &b.store, &listed).unwrap().changed, "behind the head a quick look sees nothing");
    assert_eq!(sync(&a.catalogue, &b.catalogue).unwrap(), 1);
    whole_to_the_last_byte(&b);
    assert_eq!(sync(&a.catalogue, &b.catalogue).unwrap(), 0);
}

#[test]
fn a_rotten_original_is_not_passed_on_by_the_store_itself() {
    let (a, b) = (Place::new(), Place::new());
    let listed = backup(&a.store, 1);
    let archive = listed.id.archive_key("shop");
    let mut rotten = a.store.get(&archive).unwrap().to_vec();
    rotten[(2 << 20) + 100] ^= 1;
    a.store.put(&archive, rotten.into()).unwrap();
    let e = go(&a, &b.store, &listed).unwrap_err();
    assert!(matches!(e, KeepError::Damaged { .. }), "{e}");
    assert_eq!(b.keys(), Vec::<String>::new());
}

#[test]
fn why_a_store_did_not_copy_by_itself_is_told() {
    let (a, b) = (Place::new(), Place::new());
    let listed = backup(&a.store, 1);
    let faults = Faults::new();
    faults.arm(None);
    go(&a, &faults.around(&Place::new().store), &listed).unwrap();
    let call = faults.calls().iter().position(|call| call.starts_with("copy_from")).unwrap();
    faults.arm(Some(Fault { call, after_effect: false, for_good: false }));
    let copied = go(&a, &faults.around(&b.store), &listed).unwrap();
    assert_eq!((copied.sent, copied.by_store), ((2 << 20) + 500, 0));
    assert!(copied.streamed_because.unwrap().contains("copy_from, was to fail"));
}

#[test]
fn objects_that_a_dead_copy_left_are_not_sent_again() {
    let (a, b) = (Place::new(), Place::new());
    let listed = backup(&a.store, 1);
    let archive = listed.id.archive_key("shop");
    b.store.put(&archive, a.store.get(&archive).unwrap()).unwrap();
    let run = Run::begin(&b.store, "shop", &listed.id, &archive).unwrap();
    run.leave();
    let copied = go(&a, &b.store, &listed).unwrap();
    assert_eq!((copied.reused, copied.sent + copied.by_store), ((2 << 20) + 500, 0));
}

fn lacking(sides: &[Side], policies: [Policy; 2]) -> Vec<(String, usize, Action)> {
    let now = "2026-11-20T00:00:00Z".parse().unwrap();
    let policy = |side: usize, _: &str| Ok::<_, KeepError>(policies[side].clone());
    let steps = plan(sides, &[0, 1], &[0, 1], &|_| true, &policy, now).unwrap();
    steps.into_iter().map(|s| (s.backup.id.as_str()[..8].to_owned(), s.to, s.action)).collect()
}

#[test]
fn every_store_gets_what_it_lacks_and_would_keep() {
    let (a, b) = (Place::new(), Place::new());
    let all: Vec<Listed> = (1..=4).map(|day| backup(&a.store, day)).collect();
    // Holds would keep everything.
    all.iter().for_each(|l| a.store.delete(&Sidecar::hold_key("shop", &l.id)).unwrap());
    let only_there = backup(&b.store, 10);
    b.store.delete(&Sidecar::hold_key("shop", &only_there.id)).unwrap();
    go(&a, &b.store, &all[3]).unwrap();
    let archive = all[3].id.archive_key("shop");
    b.store.put(&archive, "cut".into()).unwrap();

    let keep_two = Policy { last: Some(2), ..Policy::default() };
    let steps = lacking(&[a.side(), b.side()], [Policy::default(), keep_two]);
    let short: Vec<(&str, usize, bool)> =
        steps.iter().map(|(id, to, action)| (&id[6..], *to, matches!(action, Action::Copy(_)))).collect();
    // The newest goes to a; of the others b keeps one, and what it has of that is damaged.
    assert_eq!(
        short,
        [("10", 0, true), ("01", 1, false), ("02", 1, false), ("03", 1, false), ("04", 1, true)]
    );

    for (id, to, action) in &steps {
        let Action::Copy(sources) = action else { continue };
        let places = [&a, &b];
        let from = places[sources[0]];
        let listed = from.listed().into_iter().find(|l| l.id.as_str().starts_with(id)).unwrap();
        go(from, &places[*to].store, &listed).unwrap();
    }
    let keep_two = Policy { last: Some(2), ..Policy::default() };
    let again = lacking(&[a.side(), b.side()], [Policy::default(), keep_two]);
    assert!(
        again.iter().all(|(_, _, action)| matches!(action, Action::Expired(_))),
        "no ping-pong: {again:?}"
    );
}

#[test]
fn what_is_damaged_everywhere_has_no_source() {
    let (a, b) = (Place::new(), Place::new());
    let listed = backup(&a.store, 1);
    a.store.delete(&listed.id.archive_key("shop")).unwrap();
    let steps = lacking(&[a.side(), b.side()], [Policy::default(), Policy::default()]);
    assert!(
        steps.iter().all(|(_, _, action)| matches!(action, Action::NoSource)) && steps.len() == 2,
        "{steps:?}"
    );
}
