//! Several stores written to as one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use pgkeep_store::{Fault, Faults, Finished, Mirror, Store, UploadPlan};
use std::time::Duration;
use support::proxy::{Action, Proxy};
use support::s3::{endpoint, open_at, options};
use support::{Bed, bytes, unique};

const PATIENCE: Duration = Duration::from_secs(20);

fn folder(dir: &tempfile::TempDir, name: &str) -> Store {
    Store::open(dir.path().join(name).to_str().unwrap()).unwrap()
}

fn memory() -> Store {
    Store::open(&format!("memory://{}", unique("m"))).unwrap()
}

fn fresh() -> Bed {
    let dir = tempfile::tempdir().unwrap();
    let mirror = Mirror::new(vec![folder(&dir, "a"), memory(), folder(&dir, "b")], PATIENCE);
    Bed { store: mirror.store(), part: 1 << 20, keep: Some(dir) }
}

conformance!(fresh:
    what_was_put_comes_back
    a_put_replaces_what_was_there
    a_range_gives_these_bytes_and_no_others
    a_missing_object_is_not_found_and_can_be_deleted
    deleting_removes_only_the_one_object
    a_listing_is_sorted_by_key_and_filtered_by_prefix
    an_upload_of_any_shape_arrives_whole_with_the_hashes_of_its_parts
    a_small_upload_that_was_expected_to_be_large_arrives
);

fn upload(store: &Store, body: &[u8]) -> pgkeep_store::Result<Finished> {
    let mut upload = store.start_upload("x", UploadPlan::new(10, body.len() as u64))?;
    for piece in body.chunks(300_000) {
        upload.write(piece)?;
    }
    upload.finish(vec![7; 10])
}

fn keys(store: &Store) -> Vec<String> {
    store.list("").unwrap().map(|o| o.unwrap().key).collect()
}

#[test]
fn a_stream_arrives_in_all_stores_with_the_same_part_hashes() {
    let dir = tempfile::tempdir().unwrap();
    let stores = vec![folder(&dir, "a"), open_at(&endpoint(), "", &options()).unwrap(), memory()];
    let mirror = Mirror::new(stores.clone(), PATIENCE);
    let body = bytes(20 << 20, 5);
    let finished = upload(&mirror.store(), &body).unwrap();
    assert_eq!((mirror.lost(), finished.parts.len()), (vec![], 3));
    let want = [vec![7; 10], body].concat();
    for store in stores {
        assert_eq!(store.head("x").unwrap().size, finished.size);
        for at in (0..finished.size).step_by(4 << 20) {
            let end = finished.size.min(at + (4 << 20));
            assert!(store.get_range("x", at..end).unwrap() == want[at as usize..end as usize]);
        }
    }
}

#[test]
fn a_store_that_fails_at_any_call_is_left_behind_and_the_other_has_all() {
    let body = bytes(3 << 20, 6);
    let faults = Faults::new();
    let run = |fault| {
        let (good, bad) = (memory(), memory());
        faults.arm(fault);
        let mirror = Mirror::new(vec![faults.around(&bad), good.clone()], PATIENCE);
        upload(&mirror.store(), &body).unwrap();
        mirror.store().put("y", "y".into()).unwrap();
        assert_eq!(keys(&good), ["x", "y"]);
        (mirror.lost(), keys(&bad))
    };
    let (lost, there) = run(None);
    assert_eq!((lost, there), (vec![], vec!["x".to_owned(), "y".to_owned()]));
    let calls = faults.calls().len();
    assert!(calls >= 6, "{:?}", faults.calls());
    for call in 0..calls {
        for after_effect in [false, true] {
            let (lost, there) = run(Some(Fault { call, after_effect, for_good: true }));
            assert_eq!(lost.len(), 1, "call {call}");
            assert!(
                lost[0].index == 0 && !lost[0].stalled && lost[0].why.contains("was to fail"),
                "{lost:?}"
            );
            // What it has when it fails at its end is for the caller to remove.
            assert!(there.len() < 2 || after_effect, "call {call}: {there:?}");
        }
    }
}

#[test]
fn a_store_that_takes_nothing_is_left_behind() {
    let proxy = Proxy::start(&endpoint(), |request| match request.is_part() {
        true => loop {
            std::thread::park();
        },
        false => Action::Forward,
    });
    let stalling = open_at(&proxy.endpoint, "", &options()).unwrap();
    let good = memory();
    let mirror = Mirror::new(vec![stalling, good.clone()], Duration::from_secs(2));
    upload(&mirror.store(), &bytes(60 << 20, 7)).unwrap();
    let lost = mirror.lost();
    assert!(lost.len() == 1 && lost[0].index == 0 && lost[0].stalled, "{lost:?}");
    assert_eq!(keys(&good), ["x"]);
}

#[test]
fn when_all_fail_the_upload_fails_and_leaves_nothing() {
    let faults = Faults::new();
    let (a, b) = (memory(), memory());
    let mirror = Mirror::new(vec![faults.around(&a), faults.around(&b)], PATIENCE);
    faults.arm(Some(Fault { call: 4, after_effect: false, for_good: true }));
    let e = upload(&mirror.store(), &bytes(5 << 20, 8)).unwrap_err();
    assert!(e.to_string().contains("every store failed"), "{e}");
    assert_eq!((mirror.lost().len(), keys(&a).len() + keys(&b).len()), (2, 0));
}

#[test]
fn a_dropped_upload_leaves_nothing_in_any_store() {
    let dir = tempfile::tempdir().unwrap();
    let stores = vec![folder(&dir, "a"), folder(&dir, "b")];
    let mirror = Mirror::new(stores.clone(), PATIENCE).store();
    let mut upload = mirror.start_upload("x", UploadPlan::new(10, 100)).unwrap();
    upload.write(&bytes(3 << 20, 9)).unwrap();
    assert!(keys(&mirror).is_empty());
    drop(upload);
    assert!(std::fs::read_dir(dir.path().join("a")).map_or(true, |mut d| d.next().is_none()));
    assert!(std::fs::read_dir(dir.path().join("b")).map_or(true, |mut d| d.next().is_none()));
}
