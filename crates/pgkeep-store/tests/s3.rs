//! S3 as a store: a real server, and a proxy before it that fails on command.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use pgkeep_store::{Credentials, OpenOptions, Store, StoreError};
use std::net::TcpListener;
use std::time::{Duration, Instant};
use support::proxy::{Action, Proxy};
use support::s3::{
    BUCKET, PART, create_bucket, credentials, endpoint, fresh, impatient, open_at, options, plan, upload,
};
use support::{bytes, unique};

conformance!(fresh);

fn everything(store: &Store) -> Vec<(&'static str, StoreError)> {
    vec![
        ("put", store.put("k", "v".into()).unwrap_err()),
        ("put_if_absent", store.put_if_absent("k", "v".into()).unwrap_err()),
        ("get", store.get("k").unwrap_err()),
        ("head", store.head("k").unwrap_err()),
        ("list", store.list("").and_then(|mut l| l.next().unwrap()).unwrap_err()),
        ("upload", upload(store, "k").unwrap_err()),
        ("pending", store.pending_uploads("").unwrap_err()),
    ]
}

#[test]
fn a_missing_bucket_is_said_so_by_every_call() {
    let url = format!("s3://{}?endpoint={}", unique("missing"), endpoint());
    for (call, e) in everything(&Store::open_with(&url, &options()).unwrap()) {
        assert!(matches!(e, StoreError::BucketMissing(_)), "{call}: {e:?}");
    }
}

#[test]
fn wrong_credentials_are_said_so_by_every_call_and_never_shown() {
    create_bucket(BUCKET);
    let right = credentials();
    let wrong = [
        Credentials { secret_key: "hunter2hunter2".into(), ..right.clone() },
        Credentials { access_key: "nobody".into(), secret_key: "hunter2hunter2".into(), session_token: None },
    ];
    for credentials in wrong {
        let options = OpenOptions { credentials: Some(credentials), ..impatient() };
        let store = open_at(&endpoint(), "", &options).unwrap();
        for (call, e) in everything(&store) {
            assert!(matches!(e, StoreError::PermissionDenied(_)), "{call}: {e:?}");
            assert!(!format!("{e} {e:?} {store:?} {options:?}").contains("hunter2"), "{call}: {e}");
            assert!(!e.is_retryable() && e.hint().contains("credentials"), "{call}: {e}");
        }
    }
}

#[test]
fn an_unreachable_server_is_said_so_within_seconds() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("s3://b/p?endpoint=http://{closed}");
    let (store, began) = (Store::open_with(&url, &options()).unwrap(), Instant::now());
    let e = store.get("k").unwrap_err();
    assert!(matches!(e, StoreError::Unreachable(_)) && e.is_retryable(), "{e:?}");
    assert!(e.cause().to_lowercase().contains("refused") && e.cause().contains(&closed.to_string()), "{e}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    // An address that swallows packets: nothing answers in TEST-NET-1 (RFC 5737).
    let options = OpenOptions { connect_timeout: Duration::from_secs(1), ..options() };
    let (store, began) =
        (Store::open_with("s3://b?endpoint=http://192.0.2.1", &options).unwrap(), Instant::now());
    let e = store.put("k", "v".into()).unwrap_err();
    assert!(matches!(e, StoreError::Unreachable(_)), "{e:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());

    // A server that takes the connection and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("s3://b?endpoint=http://{}", silent.local_addr().unwrap());
    let (store, began) = (Store::open_with(&url, &options).unwrap(), Instant::now());
    let e = store.put("k", "v".into()).unwrap_err();
    assert!(matches!(e, StoreError::Unreachable(_)), "{e:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn an_upload_left_behind_is_pending_until_it_is_aborted() {
    let bed = fresh();
    let mut left = bed.store.start_upload("a b/ü&<>.dump", plan()).unwrap();
    left.write(&bytes(3 * PART, 1)).unwrap();
    let id = left.id().unwrap();
    std::mem::forget(left); // as if the process had been killed
    for prefix in ["", "a b/", "a b/ü"] {
        let pending = bed.store.pending_uploads(prefix).unwrap();
        assert_eq!(pending.len(), 1, "{prefix:?}");
        assert_eq!((pending[0].key.as_str(), &pending[0].upload_id), ("a b/ü&<>.dump", &id));
        let age = jiff::Timestamp::now().as_second() - pending[0].started.as_second();
        assert!((-120..600).contains(&age), "{pending:?}");
    }
    assert_eq!(bed.store.pending_uploads("b").unwrap(), []);
    let pending = bed.store.pending_uploads("").unwrap();
    bed.store.abort_upload(&pending[0]).unwrap();
    bed.store.abort_upload(&pending[0]).unwrap();
    assert_eq!(bed.store.pending_uploads("").unwrap(), []);
}

#[test]
fn a_session_token_is_sent_and_stays_out_of_errors() {
    let proxy = Proxy::start("", |r| {
        let token = r.header("x-amz-security-token").unwrap_or_default();
        let body = format!(
            "<Error><Code>ExpiredToken</Code><Message>m</Message><CanonicalRequest>{token}</CanonicalRequest></Error>"
        );
        Action::Answer(400, vec![], body)
    });
    let credentials = Credentials { session_token: Some("hunter2".into()), ..credentials() };
    let options = OpenOptions { credentials: Some(credentials), ..options() };
    let store = Store::open_with(&format!("s3://b?endpoint={}", proxy.endpoint), &options).unwrap();
    let e = store.get("k").unwrap_err();
    assert!(matches!(e, StoreError::PermissionDenied(_)) && e.hint().contains("expired"), "{e:?}");
    assert!(!format!("{e} {e:?}").contains("hunter2"), "{e}");
    assert!(proxy.count(|r| r.header("x-amz-security-token") == Some("hunter2")) > 0);
}

#[test]
fn an_upload_arrives_whatever_the_url_says_about_how() {
    for query in [
        "&checksum=sha256",
        "&checksum=crc64nvme",
        "&checksum=none",
        "&retry-for=5s&part-limit=9",
        "&unsigned-payload=true",
        "&unsigned-payload=true&checksum=sha256",
        "&path-style=true&storage-class=STANDARD",
        "&region=us-east-1",
    ] {
        let store = open_at(&endpoint(), query, &options()).unwrap();
        upload(&store, "k").unwrap_or_else(|e| panic!("{query}: {e}"));
        store.put_if_absent("l", "v".into()).unwrap();
        assert!(store.put_if_absent("l", "v".into()).unwrap_err().is_already_exists());
        assert_eq!(store.list("").unwrap().count(), 2);
    }
}
