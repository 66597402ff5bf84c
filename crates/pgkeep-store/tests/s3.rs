//! S3 as a store: a real server, and a proxy before it that fails on command.

mod support;

use pgkeep_store::{Credentials, OpenOptions, Store, StoreError, UploadPlan};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use support::proxy::{Action, Proxy, Request};
use support::s3::{BUCKET, create_bucket, credentials, endpoint, fresh, impatient, open_at, options};
use support::{bytes, unique};

conformance!(fresh);

const PART: u64 = 5 << 20;

fn plan() -> UploadPlan {
    UploadPlan { head_len: 100, part_size: Some(PART), ..UploadPlan::default() }
}

/// Uploads three parts and a bit.
fn upload(store: &Store, key: &str) -> Result<(), StoreError> {
    let body = bytes(3 * PART, 3);
    let mut upload = store.start_upload(key, plan())?;
    upload.write(&body)?;
    upload.finish(vec![9; 100])?;
    assert!(store.get(key)?[100..] == body);
    Ok(())
}

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
    assert!(e.cause().to_lowercase().contains("refused") || e.cause().contains("connect"), "{e}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    // An address that swallows packets: nothing answers in TEST-NET-1 (RFC 5737).
    let options = OpenOptions { connect_timeout: Duration::from_secs(1), ..options() };
    let (store, began) =
        (Store::open_with("s3://b?endpoint=http://192.0.2.1", &options).unwrap(), Instant::now());
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
fn a_lost_answer_to_the_completion_is_no_failure() {
    let proxy = failing(1, Request::is_complete, || Action::ForwardThenReset);
    let store = open_at(&proxy.endpoint, "", &options()).unwrap();
    upload(&store, "k").unwrap();
    assert!(proxy.count(Request::is_complete) >= 2);
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

#[test]
fn encryption_and_storage_class_are_asked_for_with_puts_and_multipart_uploads() {
    let all = |r: &Request| {
        r.header("x-amz-server-side-encryption") == Some("aws:kms")
            && r.header("x-amz-server-side-encryption-aws-kms-key-id") == Some("some-key")
            && r.header("x-amz-storage-class") == Some("STANDARD_IA")
            && r.header("authorization").is_some_and(|a| a.contains("x-amz-storage-class"))
    };
    // Only the requests matter here: this server says yes to everything.
    let proxy = Proxy::start("", |r| {
        let etag = ("ETag", "\"e\"".to_owned());
        match (r.method.as_str(), r.is_create_multipart(), r.is_complete()) {
            ("HEAD", ..) => Action::Answer(404, vec![], String::new()),
            (_, true, _) => Action::Answer(
                200,
                vec![],
                "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
                    .into(),
            ),
            (.., true) => Action::Answer(
                200,
                vec![],
                "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>".into(),
            ),
            _ => Action::Answer(200, vec![etag], String::new()),
        }
    });
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

/// Runs the test `with_the_credentials_around` in a process with this environment.
fn in_environment(query: &str, vars: &[(&str, &str)]) -> String {
    create_bucket(BUCKET);
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "with_the_credentials_around", "--nocapture"]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", "/nonexistent");
    command
        .env("PGKEEP_TEST_URL", format!("s3://{BUCKET}/{}{query}", unique("t")))
        .envs(vars.iter().copied());
    let output = command.output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
#[ignore = "the tests below run it in an environment of its own"]
fn with_the_credentials_around() {
    let Ok(url) = std::env::var("PGKEEP_TEST_URL") else { return };
    let store = Store::open(&url).unwrap();
    match store.put("k", "v".into()) {
        Ok(_) => println!("it works, pending: {}", store.pending_uploads("").unwrap().len()),
        Err(e) => println!("it fails: {e:?}"),
    }
}

#[test]
fn credentials_and_endpoint_come_from_the_environment() {
    let (c, endpoint) = (credentials(), endpoint());
    let keys = [("AWS_ACCESS_KEY_ID", c.access_key.as_str()), ("AWS_SECRET_ACCESS_KEY", &c.secret_key)];
    for name in ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"] {
        let text = in_environment("", &[keys[0], keys[1], (name, &endpoint)]);
        assert!(text.contains("it works, pending: 0"), "{name}: {text}");
    }
}

#[test]
fn credentials_come_from_the_profile_that_the_url_names() {
    let dir = tempfile::tempdir().unwrap();
    let (file, c) = (dir.path().join("credentials"), credentials());
    let profile = |name, key: &str| {
        format!("[{name}]\naws_access_key_id = {}\naws_secret_access_key = {key}\n", c.access_key)
    };
    std::fs::write(&file, profile("default", "wrong") + &profile("backup", &c.secret_key)).unwrap();
    let vars = [("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap())];
    let text = in_environment(&format!("?endpoint={}&profile=backup", endpoint()), &vars);
    assert!(text.contains("it works"), "{text}");
    let text = in_environment(&format!("?endpoint={}", endpoint()), &vars);
    assert!(text.contains("it fails: PermissionDenied"), "{text}");
}

#[test]
fn credentials_come_from_the_process_that_the_profile_names() {
    let dir = tempfile::tempdir().unwrap();
    let (file, c) = (dir.path().join("config"), credentials());
    let json = format!(
        r#"{{"Version":1,"AccessKeyId":"{}","SecretAccessKey":"{}","Expiration":"2099-01-01T00:00:00Z"}}"#,
        c.access_key, c.secret_key
    );
    std::fs::write(dir.path().join("json"), json).unwrap();
    let json = dir.path().join("json");
    std::fs::write(&file, format!("[profile p]\ncredential_process = cat {}\n", json.display())).unwrap();
    let vars = [("AWS_CONFIG_FILE", file.to_str().unwrap()), ("AWS_PROFILE", "p")];
    let text = in_environment(&format!("?endpoint={}", endpoint()), &vars);
    assert!(text.contains("it works"), "{text}");
}

#[test]
fn having_no_credentials_is_said_so_within_seconds() {
    let began = Instant::now();
    let text = in_environment(&format!("?endpoint={}", endpoint()), &[]);
    assert!(
        text.contains("it fails: PermissionDenied") && text.contains("no usable AWS credentials"),
        "{text}"
    );
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
