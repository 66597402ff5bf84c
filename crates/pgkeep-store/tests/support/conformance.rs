//! What every store does alike. `conformance!(fresh)` makes one test of each promise for the stores that
//! `fresh() -> Bed` gives.

use super::{Bed, bytes, unique};
use pgkeep_store::{Finished, PartHash, Store, StoreError, Upload, UploadPlan};
use sha2::{Digest, Sha256};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One test of each promise.
#[macro_export]
macro_rules! conformance {
    ($fresh:path: $($name:ident)*) => {
        $(#[test] fn $name() { $crate::support::conformance::$name(&$fresh()) })*
    };
    ($fresh:path) => {
        $crate::conformance!($fresh:
            what_was_put_comes_back
            a_put_replaces_what_was_there
            a_range_gives_these_bytes_and_no_others
            a_missing_object_is_not_found_and_can_be_deleted
            deleting_removes_only_the_one_object
            a_listing_is_sorted_by_key_and_filtered_by_prefix
            a_listing_goes_on_beyond_a_thousand_keys
            an_empty_store_lists_nothing
            keys_with_spaces_and_unicode_come_back_as_they_went
            keys_that_leave_the_store_are_refused
            put_if_absent_keeps_what_is_there
            of_many_at_once_exactly_one_puts_if_absent
            an_upload_of_any_shape_arrives_whole_with_the_hashes_of_its_parts
            an_upload_is_invisible_until_it_is_finished
            an_aborted_upload_leaves_nothing
            a_dropped_upload_leaves_nothing
            a_head_of_another_length_is_refused_and_leaves_nothing
            a_small_upload_that_was_expected_to_be_large_arrives
            many_threads_can_use_one_store
            the_stores_url_can_be_read_again
            a_copy_within_the_store_is_its_original
            what_a_store_cannot_do_it_says
        );
    };
}

fn keys(store: &Store, prefix: &str) -> Vec<String> {
    store.list(prefix).unwrap().map(|o| o.unwrap().key).collect()
}

fn nothing_pending(store: &Store) {
    assert_eq!(store.pending_uploads("").unwrap(), []);
}

pub fn what_was_put_comes_back(bed: &Bed) {
    for (key, len) in [("empty", 0), ("a/small", 10), ("a/b/large", 3_000_000)] {
        let body = bytes(len, 1);
        let put = bed.store.put(key, body.clone().into()).unwrap();
        assert_eq!((put.key.as_str(), put.size), (key, len));
        let head = bed.store.head(key).unwrap();
        assert_eq!((head.key.as_str(), head.size), (key, len));
        assert_eq!(head.etag, put.etag);
        let age = jiff::Timestamp::now().as_second() - head.modified.as_second();
        assert!((-120..600).contains(&age), "{head:?}");
        assert!(bed.store.get(key).unwrap() == body, "{key}");
    }
}

pub fn a_put_replaces_what_was_there(bed: &Bed) {
    bed.store.put("k", "first, which is longer".into()).unwrap();
    bed.store.put("k", "second".into()).unwrap();
    assert_eq!(bed.store.get("k").unwrap(), "second");
    assert_eq!(bed.store.head("k").unwrap().size, 6);
    nothing_pending(&bed.store);
}

pub fn a_range_gives_these_bytes_and_no_others(bed: &Bed) {
    bed.store.put("k", "0123456789".into()).unwrap();
    let get = |range| bed.store.get_range("k", range);
    assert_eq!(get(0..10).unwrap(), "0123456789");
    assert_eq!(get(3..5).unwrap(), "34");
    assert_eq!(get(9..10).unwrap(), "9");
    assert_eq!(get(7..4000).unwrap(), "789", "an end behind the object's is cut");
    assert_eq!(get(5..5).unwrap(), "", "an empty range needs no object");
    let e = get(10..12).unwrap_err();
    assert!(matches!(e, StoreError::OutOfRange(_)), "{e:?}");
}

pub fn a_missing_object_is_not_found_and_can_be_deleted(bed: &Bed) {
    bed.store.put("there/is", "a neighbour".into()).unwrap();
    for key in ["missing", "there", "there/is/not", "there/i"] {
        for e in [
            bed.store.get(key).unwrap_err(),
            bed.store.get_range(key, 0..1).unwrap_err(),
            bed.store.head(key).unwrap_err(),
        ] {
            assert!(e.is_not_found(), "{e:?}");
            assert!(e.to_string().contains(&bed.store.url_of(key)), "{e}");
            assert!(!e.is_retryable());
        }
        bed.store.delete(key).unwrap();
    }
    assert_eq!(keys(&bed.store, ""), ["there/is"]);
}

pub fn deleting_removes_only_the_one_object(bed: &Bed) {
    for key in ["a/b/c", "a/b/d", "a/e"] {
        bed.store.put(key, "x".into()).unwrap();
    }
    bed.store.delete("a/b/c").unwrap();
    assert_eq!(keys(&bed.store, ""), ["a/b/d", "a/e"]);
    bed.store.delete("a/b/d").unwrap();
    bed.store.delete("a/e").unwrap();
    assert_eq!(keys(&bed.store, ""), [""; 0]);
    bed.store.put("a/b/c", "again".into()).unwrap();
    assert_eq!(keys(&bed.store, ""), ["a/b/c"]);
}

pub fn a_listing_is_sorted_by_key_and_filtered_by_prefix(bed: &Bed) {
    let sorted = ["B", "a-b", "a.b", "a/x", "a/y/z", "a/y-z", "a0", "ab/c", "ü"];
    let mut sorted = sorted.map(str::to_owned);
    sorted.sort();
    for key in sorted.iter().rev() {
        bed.store.put(key, key.clone().into()).unwrap();
    }
    for prefix in ["", "a", "a/", "a/y", "a/y/", "a/y/z", "ab/", "B", "zz", "a/x/", "ü", "nowhere/at/all"] {
        let want: Vec<_> = sorted.iter().filter(|k| k.starts_with(prefix)).cloned().collect();
        assert_eq!(keys(&bed.store, prefix), want, "{prefix:?}");
    }
    for object in bed.store.list("").unwrap() {
        let object = object.unwrap();
        assert_eq!(object.size, object.key.len() as u64);
    }
}

pub fn a_listing_goes_on_beyond_a_thousand_keys(bed: &Bed) {
    let want: Vec<_> = (0..1100).map(|i| format!("many/{}/{i:05}", i % 3)).collect();
    std::thread::scope(|scope| {
        for chunk in want.chunks(138) {
            scope.spawn(move || chunk.iter().for_each(|key| drop(bed.store.put(key, "".into()).unwrap())));
        }
    });
    let mut want = want;
    want.sort();
    assert_eq!(keys(&bed.store, "many/"), want);
    let first: Vec<_> = bed.store.list("").unwrap().take(3).map(|o| o.unwrap().key).collect();
    assert_eq!(first, want[..3], "a listing may be left early");
}

pub fn an_empty_store_lists_nothing(bed: &Bed) {
    assert_eq!(keys(&bed.store, ""), [""; 0]);
    assert_eq!(keys(&bed.store, "a/b"), [""; 0]);
    nothing_pending(&bed.store);
}

pub fn keys_with_spaces_and_unicode_come_back_as_they_went(bed: &Bed) {
    let mut odd = [
        "two words/and three more",
        "grün/Ünïcödé ✓",
        "日本/語.dump",
        "100%/a%20b",
        "q?a=b&c#d",
        "plus+minus-_~!*'()",
        "colon:semi;comma,at@",
        ".hidden/..double",
        "quote\"<>|^`{}[]",
    ];
    odd.sort();
    for key in odd {
        bed.store.put(key, key.into()).unwrap();
        assert_eq!(bed.store.get(key).unwrap(), key);
        assert_eq!(bed.store.head(key).unwrap().key, key);
        assert_eq!(keys(&bed.store, key), [key]);
    }
    assert_eq!(keys(&bed.store, ""), odd);
    for key in odd {
        upload(bed, key, 10, bed.part + 1, bed.part).unwrap();
        assert_eq!(bed.store.head(key).unwrap().size, bed.part + 11);
        bed.store.delete(key).unwrap();
    }
    assert_eq!(keys(&bed.store, ""), [""; 0]);
    nothing_pending(&bed.store);
}

pub fn keys_that_leave_the_store_are_refused(bed: &Bed) {
    for key in [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/../../x",
        "a//b",
        "a/",
        "./a",
        "a\nb",
        "a\\b",
        ".x.y.partial",
    ] {
        for e in [
            bed.store.put(key, "x".into()).unwrap_err(),
            bed.store.put_if_absent(key, "x".into()).unwrap_err(),
            bed.store.get(key).unwrap_err(),
            bed.store.delete(key).unwrap_err(),
            bed.store.start_upload(key, UploadPlan::new(0, 0)).unwrap_err(),
        ] {
            assert!(matches!(e, StoreError::InvalidUrl(_)), "{key:?}: {e:?}");
        }
    }
    assert!(bed.store.list("../").is_err());
    assert!(bed.store.pending_uploads("../").is_err());
}

pub fn put_if_absent_keeps_what_is_there(bed: &Bed) {
    for round in 0..3 {
        let key = format!("once-{round}");
        let put = bed.store.put_if_absent(&key, "first".into()).unwrap();
        assert_eq!(put.size, 5);
        let e = bed.store.put_if_absent(&key, "second".into()).unwrap_err();
        assert!(e.is_already_exists(), "{e:?}");
        assert_eq!(bed.store.get(&key).unwrap(), "first");
    }
    bed.store.put("twice", "x".into()).unwrap();
    assert!(bed.store.put_if_absent("twice", "x".into()).unwrap_err().is_already_exists());
    bed.store.delete("once-0").unwrap();
    bed.store.put_if_absent("once-0", "again".into()).unwrap();
    nothing_pending(&bed.store);
}

pub fn of_many_at_once_exactly_one_puts_if_absent(bed: &Bed) {
    for round in 0..5 {
        let (key, winners, start) = (format!("race-{round}"), AtomicUsize::new(0), Barrier::new(8));
        std::thread::scope(|scope| {
            for i in 0..8 {
                let (key, winners, start) = (&key, &winners, &start);
                scope.spawn(move || {
                    start.wait();
                    match bed.store.put_if_absent(key, format!("writer {i}").into()) {
                        Ok(_) => drop(winners.fetch_add(1, Ordering::Relaxed)),
                        Err(e) => assert!(e.is_already_exists(), "{e:?}"),
                    }
                });
            }
        });
        if bed.store.capabilities().conditional_put {
            assert_eq!(winners.load(Ordering::Relaxed), 1);
        }
        assert!(bed.store.get(&key).unwrap().starts_with(b"writer "));
    }
}

/// Uploads random bytes and checks what is there afterwards.
fn upload(bed: &Bed, key: &str, head_len: u64, body_len: u64, piece: u64) -> Result<Finished, StoreError> {
    let object = bytes(head_len + body_len, head_len ^ body_len);
    let (head, body) = object.split_at(head_len as usize);
    let plan = UploadPlan { head_len, part_size: Some(bed.part), ..UploadPlan::default() };
    let mut upload = bed.store.start_upload(key, plan)?;
    assert_eq!(upload.position(), head_len);
    for piece in body.chunks(piece as usize) {
        upload.write(piece)?;
    }
    assert_eq!(upload.position(), head_len + body_len);
    let finished = upload.finish(head.to_vec())?;
    let want: Vec<_> = object
        .chunks(bed.part as usize)
        .map(|part| PartHash { size: part.len() as u64, sha256: Sha256::digest(part).into() })
        .collect();
    assert_eq!(finished.parts, want, "head {head_len}, body {body_len}");
    assert_eq!((finished.size, finished.part_size), (head_len + body_len, bed.part));
    assert!(bed.store.get(key)? == object, "head {head_len}, body {body_len}");
    assert_eq!(bed.store.head(key)?.etag, finished.etag);
    Ok(finished)
}

pub fn an_upload_of_any_shape_arrives_whole_with_the_hashes_of_its_parts(bed: &Bed) {
    let p = bed.part;
    for (head, body) in [
        (0, 0),
        (10, 0),
        (0, 10),
        (10, 100),
        (0, p),
        (10, p - 10),
        (10, p - 9),
        (p, 0),
        (p, 1),
        (0, 2 * p),
        (10, 2 * p - 10),
        (10, 2 * p + 7),
        (p + 1000, 10),
        (p + 1000, 2 * p),
        (2 * p + 5, 0),
        (2 * p, p),
    ] {
        upload(bed, &format!("shape-{head}-{body}"), head, body, p / 3 + 1).unwrap();
    }
    for piece in [1000, 65_536, 10 * p] {
        upload(bed, "pieces", 999, 3 * p + 1, piece).unwrap();
    }
    nothing_pending(&bed.store);
}

fn begun(bed: &Bed, key: &str) -> Upload {
    let plan = UploadPlan { head_len: 100, part_size: Some(bed.part), ..UploadPlan::default() };
    let mut upload = bed.store.start_upload(key, plan).unwrap();
    upload.write(&bytes(3 * bed.part, 7)).unwrap();
    assert!(upload.id().is_some());
    upload
}

pub fn an_upload_is_invisible_until_it_is_finished(bed: &Bed) {
    bed.store.put("k", "the old one".into()).unwrap();
    let upload = begun(bed, "k");
    assert_eq!(bed.store.get("k").unwrap(), "the old one");
    assert_eq!(keys(&bed.store, ""), ["k"]);
    if bed.store.capabilities().lists_pending && !bed.store.capabilities().pending_are_dead {
        let pending = bed.store.pending_uploads("").unwrap();
        assert_eq!(pending.len(), 1);
        assert_eq!((pending[0].key.as_str(), Some(&pending[0].upload_id)), ("k", upload.id().as_ref()));
    }
    upload.finish(vec![1; 100]).unwrap();
    assert_eq!(bed.store.head("k").unwrap().size, 3 * bed.part + 100);
    nothing_pending(&bed.store);
}

pub fn an_aborted_upload_leaves_nothing(bed: &Bed) {
    begun(bed, "some/where/k").abort().unwrap();
    assert!(bed.store.get("some/where/k").unwrap_err().is_not_found());
    assert_eq!(keys(&bed.store, ""), [""; 0]);
    nothing_pending(&bed.store);
}

pub fn a_dropped_upload_leaves_nothing(bed: &Bed) {
    drop(begun(bed, "k"));
    assert_eq!(keys(&bed.store, ""), [""; 0]);
    nothing_pending(&bed.store);
    drop(bed.store.start_upload("k", UploadPlan::new(10, 100 << 20)).unwrap());
    nothing_pending(&bed.store);
}

pub fn a_head_of_another_length_is_refused_and_leaves_nothing(bed: &Bed) {
    let e = begun(bed, "k").finish(vec![0; 99]).unwrap_err();
    assert!(e.to_string().contains("100 bytes was announced, 99 came"), "{e}");
    assert_eq!(keys(&bed.store, ""), [""; 0]);
    nothing_pending(&bed.store);
}

pub fn a_small_upload_that_was_expected_to_be_large_arrives(bed: &Bed) {
    let mut upload = bed.store.start_upload("k", UploadPlan::new(4, 1 << 40)).unwrap();
    upload.write(b" and the body").unwrap();
    let finished = upload.finish(b"head".to_vec()).unwrap();
    assert!(finished.part_size >= (2 << 40) / 10_000);
    assert_eq!(finished.parts.len(), 1);
    assert_eq!(bed.store.get("k").unwrap(), "head and the body");
    nothing_pending(&bed.store);
}

pub fn many_threads_can_use_one_store(bed: &Bed) {
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = bed.store.clone();
            scope.spawn(move || {
                for i in 0..10 {
                    let key = format!("{thread}/{i}");
                    store.put(&key, key.clone().into()).unwrap();
                    assert_eq!(store.get(&key).unwrap(), key);
                    store.delete(&key).unwrap();
                }
            });
        }
    });
    assert_eq!(keys(&bed.store, ""), [""; 0]);
}

pub fn the_stores_url_can_be_read_again(bed: &Bed) {
    let url: pgkeep_store::StoreUrl = bed.store.url().parse().unwrap();
    assert_eq!(url.to_string(), bed.store.url());
    let key = unique("key");
    assert!(bed.store.url_of(&key).ends_with(&format!("/{key}")));
    assert!(!bed.store.url_of(&key).contains('?'));
}

pub fn a_copy_within_the_store_is_its_original(bed: &Bed) {
    let store = &bed.store;
    if !store.can_copy_from(store) {
        store.put("k", "v".into()).unwrap();
        let e = store.copy_from("l", store, "k", None).unwrap_err();
        assert!(matches!(e, StoreError::Unsupported(_)), "{e:?}");
        assert_eq!(keys(store, ""), ["k"]);
        return;
    }
    upload(bed, "large", 10, 2 * bed.part + 5, bed.part).unwrap();
    store.put("empty", "".into()).unwrap();
    store.put("sm\u{e4}ll one", "+ % &".into()).unwrap();
    for (from, part) in
        [("large", Some(bed.part)), ("large", None), ("empty", None), ("sm\u{e4}ll one", Some(bed.part))]
    {
        let copy = store.copy_from("a copy/of \u{fc}", store, from, part).unwrap().info;
        assert_eq!((copy.key.as_str(), copy.size), ("a copy/of \u{fc}", store.head(from).unwrap().size));
        assert!(store.get("a copy/of \u{fc}").unwrap() == store.get(from).unwrap(), "{from} {part:?}");
    }
    assert!(store.copy_from("x", store, "missing", None).unwrap_err().is_not_found());
    assert!(store.head("x").unwrap_err().is_not_found());
    nothing_pending(store);
}

pub fn what_a_store_cannot_do_it_says(bed: &Bed) {
    let (store, can) = (&bed.store, bed.store.capabilities());
    store.put("k", "v".into()).unwrap();
    assert_eq!(store.retention("k").unwrap(), None);
    let versions: Vec<_> = store.versions("").unwrap().collect::<Result<_, _>>().unwrap();
    match can.versions {
        true => {
            assert_eq!(versions.len(), 1, "{versions:?}");
            assert!(versions[0].key == "k" && versions[0].is_latest && !versions[0].is_delete_marker);
        }
        false => assert_eq!(versions, []),
    }
    if !can.locks {
        let e = store.set_legal_hold("k", true).unwrap_err();
        assert!(matches!(e, StoreError::Unsupported(_)), "{e:?}");
    }
    store.locking(jiff::Timestamp::now()).unwrap().put("l", "v".into()).unwrap();
    assert_eq!(store.retention("l").unwrap(), None, "the URL asks for no lock");
}
