//! S3 as a store, with a server before the real one that fails on command, or instead of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use pgkeep_store::{Store, StoreError};
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use support::bytes;
use support::proxy::{Action, Proxy, Request};
use support::s3::{PART, endpoint, impatient, open_at, options, plan, upload};

/// Does `fault` to the first `times` requests that are `which`.
fn failing(times: usize, which: fn(&Request) -> bool, fault: fn() -> Action) -> Proxy {
    let done = AtomicUsize::new(0);
    Proxy::start(&endpoint(), move |request| match which(request) && done.fetch_add(1, Relaxed) < times {
        true => fault(),
        false => Action::Forward,
    })
}

fn unavailable() -> Action {
    Action::Answer(503, Vec::new(), "<Error><Code>SlowDown</Code></Error>".into())
}

#[test]
fn a_part_that_fails_twice_is_sent_a_third_time() {
    for fault in [unavailable, || Action::Reset, || Action::ForwardThenReset] {
        let proxy = failing(2, Request::is_part, fault);
        let store = open_at(&proxy.endpoint, "", &options()).unwrap();
        upload(&store, "k").unwrap();
        assert_eq!(proxy.count(Request::is_part), 4 + 2);
        assert_eq!(store.pending_uploads("").unwrap(), []);
    }
}

#[test]
fn a_part_that_fails_for_good_is_an_error_and_leaves_no_upload() {
    for fault in [unavailable, || Action::Reset] {
        let proxy = failing(usize::MAX, Request::is_part, fault);
        let store = open_at(&proxy.endpoint, "", &impatient()).unwrap();
        let e = upload(&store, "k").unwrap_err();
        assert!(matches!(e, StoreError::Unreachable(_)) && e.is_retryable(), "{e:?}");
        assert!(e.to_string().contains(&store.url_of("k")), "{e}");
        assert!(store.get("k").unwrap_err().is_not_found());
        assert_eq!(store.pending_uploads("").unwrap(), []);
    }
}

#[test]
fn a_store_that_is_down_for_longer_than_retry_for_is_given_up_and_one_that_comes_back_is_not() {
    fn is_head(request: &Request) -> bool {
        request.method == "HEAD"
    }
    let down = failing(usize::MAX, is_head, unavailable);
    let store = open_at(&down.endpoint, "&retry-for=300ms", &options()).unwrap();
    store.put("k", "v".into()).unwrap();
    let e = store.head("k").unwrap_err();
    assert!(matches!(e, StoreError::Unreachable(_)), "{e:?}");
    // Pauses take 100 ms at least; ten further tries would have been made without the option.
    assert!((2..=5).contains(&down.count(is_head)), "{}", down.count(is_head));
    let back = failing(4, is_head, unavailable);
    let store = open_at(&back.endpoint, "&retry-for=1m", &options()).unwrap();
    store.put("k", "v".into()).unwrap();
    assert_eq!(store.head("k").unwrap().size, 1);
    assert_eq!(back.count(is_head), 5);
}

fn no_such_upload() -> Action {
    Action::Answer(404, Vec::new(), "<Error><Code>NoSuchUpload</Code></Error>".into())
}

#[test]
fn a_lost_answer_to_the_completion_is_no_failure() {
    let done = AtomicUsize::new(0);
    let proxy = Proxy::start(&endpoint(), move |request| match request.is_complete() {
        true if done.fetch_add(1, Relaxed) == 0 => Action::ForwardThenReset,
        true => no_such_upload(),
        false => Action::Forward,
    });
    let store = open_at(&proxy.endpoint, "", &options()).unwrap();
    upload(&store, "k").unwrap();
    assert_eq!(proxy.count(Request::is_complete), 2);
    assert_eq!(store.pending_uploads("").unwrap(), []);
}

#[test]
fn an_older_object_of_the_same_size_is_not_taken_for_the_upload() {
    let proxy = failing(usize::MAX, Request::is_complete, no_such_upload);
    let store = open_at(&proxy.endpoint, "", &options()).unwrap();
    store.put("k", bytes(3 * PART + 100, 8).into()).unwrap();
    let e = upload(&store, "k").unwrap_err();
    assert!(matches!(e, StoreError::Interrupted(_)), "{e:?}");
    assert!(store.get("k").unwrap() == bytes(3 * PART + 100, 8));
    assert_eq!(store.pending_uploads("").unwrap(), []);
}

#[test]
fn an_upload_that_somebody_aborted_is_interrupted() {
    let store = open_at(&endpoint(), "", &options()).unwrap();
    let mut upload = store.start_upload("k", plan()).unwrap();
    upload.write(&bytes(2 * PART, 1)).unwrap();
    store.abort_upload(&store.pending_uploads("").unwrap()[0]).unwrap();
    let e =
        upload.write(&bytes(9 * PART, 1)).and_then(|()| upload.finish(vec![0; 100]).map(drop)).unwrap_err();
    assert!(matches!(e, StoreError::Interrupted(_)) && e.hint().contains("aborted"), "{e:?}");
    assert!(store.get("k").unwrap_err().is_not_found());
    assert_eq!(store.pending_uploads("").unwrap(), []);
}

#[test]
fn a_lost_answer_to_a_conditional_put_is_no_failure() {
    let is_put = |r: &Request| r.method == "PUT" && r.header("if-none-match").is_some();
    // The answer is replaced by one that is tried again, after the object was written.
    let done = AtomicUsize::new(0);
    let upstream = endpoint();
    let forward = Proxy::start(&upstream, |_| Action::Forward);
    let proxy =
        Proxy::start(&forward.endpoint, move |r| match is_put(r) && done.fetch_add(1, Relaxed) == 0 {
            true => Action::ForwardThenReset,
            false => Action::Forward,
        });
    let store = open_at(&proxy.endpoint, "", &options()).unwrap();
    store.put_if_absent("k", "mine".into()).unwrap();
    assert_eq!(store.get("k").unwrap(), "mine");
    assert!(proxy.count(is_put) >= 2);
    assert!(store.put_if_absent("k", "mine".into()).unwrap_err().is_already_exists());
}

/// A server that says yes to everything and keeps nothing; what has been put is shown with these headers.
fn yes_sayer(shown: Vec<(&'static str, String)>) -> Proxy {
    let put = Mutex::new(HashSet::new());
    Proxy::start("", move |r| {
        let key = r.target.split('?').next().unwrap_or_default().to_owned();
        let document =
            |name: &str, content: &str| Action::Answer(200, vec![], format!("<{name}>{content}</{name}>"));
        match (r.method.as_str(), r.is_create_multipart(), r.is_complete()) {
            ("HEAD", ..) if !put.lock().unwrap().contains(&key) => Action::Answer(404, vec![], String::new()),
            ("HEAD", ..) => {
                let plain = [("ETag", "\"e\""), ("Last-Modified", "Fri, 20 Nov 2026 10:00:00 GMT")];
                let plain = plain.map(|(name, value)| (name, value.to_owned()));
                Action::Answer(200, plain.into_iter().chain(shown.clone()).collect(), String::new())
            }
            ("DELETE", ..) => Action::Answer(204, vec![], String::new()),
            (_, true, _) => document("InitiateMultipartUploadResult", "<UploadId>u</UploadId>"),
            (.., complete) => {
                if complete || !r.is_part() {
                    put.lock().unwrap().insert(key);
                }
                match complete {
                    true => document("CompleteMultipartUploadResult", "<ETag>e</ETag>"),
                    false => Action::Answer(200, vec![("ETag", "\"e\"".to_owned())], String::new()),
                }
            }
        }
    })
}

#[test]
fn a_server_that_does_not_encrypt_as_asked_is_found_out_and_keeps_no_object() {
    let key = |key: &str| ("x-amz-server-side-encryption-aws-kms-key-id", key.to_owned());
    let sse = |sse: &str| ("x-amz-server-side-encryption", sse.to_owned());
    for (shown, query, says) in [
        (vec![], "&sse=AES256", "sse=AES256 was asked for, and the store says it used nothing"),
        (vec![sse("AES256")], "&sse=aws:kms", "the store says it used AES256"),
        (vec![sse("aws:kms"), key("other")], "&sse=aws:kms&kms-key=mine", "the key mine was asked for"),
        (vec![sse("aws:kms")], "&sse=aws:kms&bucket-key=true", "a bucket key was asked for"),
    ] {
        let proxy = yes_sayer(shown);
        let url = format!("s3://b/p?endpoint={}{query}", proxy.endpoint);
        let store = Store::open_with(&url, &options()).unwrap();
        let put = store.put("k", "v".into()).map(drop);
        let mut uploading = store.start_upload("l", plan()).unwrap();
        uploading.write(&bytes(2 * PART, 1)).unwrap();
        let uploaded = uploading.finish(vec![0; 100]).map(drop);
        for (key, done) in [("k", put), ("l", uploaded)] {
            let e = done.unwrap_err();
            assert!(matches!(e, StoreError::Unkept(_)), "{query}: {e:?}");
            assert!(e.to_string().contains(says) && e.to_string().contains(&store.url_of(key)), "{e}");
            let path = format!("/b/p/{key}");
            let removed = |r: &Request| r.method == "DELETE" && r.target == path;
            assert_eq!(proxy.count(removed), 1, "{query} {key}");
        }
    }
}

#[test]
fn a_server_that_keeps_other_bytes_than_were_sent_is_found_out() {
    let proxy =
        yes_sayer(vec![("x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=-3".into())]);
    let url = format!("s3://b/p?endpoint={}&checksum=sha256", proxy.endpoint);
    let mut uploading = Store::open_with(&url, &options()).unwrap().start_upload("k", plan()).unwrap();
    uploading.write(&bytes(2 * PART, 1)).unwrap();
    let e = uploading.finish(vec![0; 100]).unwrap_err();
    assert!(matches!(e, StoreError::Unkept(_)) && e.cause().contains("the store keeps 47DEQ"), "{e:?}");
}

#[test]
fn encryption_and_storage_class_are_asked_for_with_puts_and_multipart_uploads() {
    let all = |r: &Request| {
        r.header("x-amz-server-side-encryption") == Some("aws:kms")
            && r.header("x-amz-server-side-encryption-aws-kms-key-id") == Some("some-key")
            && r.header("x-amz-storage-class") == Some("STANDARD_IA")
            && r.header("authorization").is_some_and(|a| a.contains("x-amz-storage-class"))
    };
    let proxy = yes_sayer(vec![
        ("x-amz-server-side-encryption", "aws:kms".into()),
        ("x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:eu-central-1:1:key/some-key".into()),
    ]);
    let url = format!(
        "s3://b/p?endpoint={}&sse=aws:kms&kms-key=some-key&storage-class=STANDARD_IA&checksum=sha256",
        proxy.endpoint
    );
    let store = Store::open_with(&url, &options()).unwrap();
    store.put("put", "v".into()).unwrap();
    store.put_if_absent("conditional", "v".into()).unwrap();
    let mut upload = store.start_upload("multipart", plan()).unwrap();
    upload.write(&bytes(2 * PART, 1)).unwrap();
    upload.finish(vec![0; 100]).unwrap();
    let mut upload = store.start_upload("whole", plan()).unwrap();
    upload.write(b"small").unwrap();
    upload.finish(vec![0; 100]).unwrap();
    for (key, which) in [("put", "PUT"), ("conditional", "PUT"), ("multipart", "POST"), ("whole", "PUT")] {
        let target = |r: &Request| {
            r.method == which && r.target.starts_with(&format!("/b/p/{key}")) && !r.is_complete()
        };
        assert!(proxy.count(target) > 0, "{key}");
        assert_eq!(proxy.count(target), proxy.count(|r| target(r) && all(r)), "{key}");
    }
    assert_eq!(proxy.count(|r| r.is_part() && r.header("x-amz-checksum-sha256").is_some()), 3);
}

#[test]
fn a_server_that_ignores_the_condition_is_found_out_and_asked_first() {
    // Keeps whether there is an object, and overwrites it whatever If-None-Match says.
    let there = AtomicUsize::new(0);
    let proxy = Proxy::start("", move |r| match r.method.as_str() {
        "PUT" => {
            there.store(1, Relaxed);
            Action::Answer(200, vec![("ETag", "\"e\"".into())], String::new())
        }
        "HEAD" if there.load(Relaxed) == 1 && r.target.contains("/k") => Action::Answer(
            200,
            vec![
                ("ETag", "\"e\"".into()),
                ("Content-Length", "5".into()),
                ("Last-Modified", "Fri, 20 Nov 2026 10:00:00 GMT".into()),
            ],
            String::new(),
        ),
        _ => Action::Answer(404, vec![], String::new()),
    });
    let store = Store::open_with(&format!("s3://b?endpoint={}", proxy.endpoint), &options()).unwrap();
    assert!(store.capabilities().conditional_put, "trusted until tried");
    store.put_if_absent("k", "first".into()).unwrap();
    assert!(!store.capabilities().conditional_put);
    let puts = proxy.count(|r| r.method == "PUT");
    assert!(store.put_if_absent("k", "other".into()).unwrap_err().is_already_exists());
    assert_eq!(proxy.count(|r| r.method == "PUT"), puts, "nothing was overwritten");
}
