//! Where S3's credentials, endpoint and region are found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use pgkeep_store::Store;
use std::time::{Duration, Instant};
use support::s3::{BUCKET, create_bucket, credentials, endpoint};
use support::unique;

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
