//! The program as a Lambda function, driven as Lambda drives it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::net::{Ipv6Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pgkeep_testbed::{Database, Lambda, LambdaAnswer, S3, Server, compare_databases, free_port};
use serde_json::{Value, json};
use support::{program, succeed};

const TIME: Duration = Duration::from_secs(120);

fn function(env: &[(&str, String)]) -> Command {
    let mut command = program();
    command.envs(env.iter().map(|(name, value)| (name, value)));
    command
}

#[track_caller]
fn response(answer: &LambdaAnswer) -> Value {
    match answer {
        LambdaAnswer::Response(body) => serde_json::from_str(body).unwrap(),
        LambdaAnswer::Error(body) => panic!("the invocation failed: {body}"),
    }
}

#[track_caller]
fn error(answer: &LambdaAnswer) -> Value {
    match answer {
        LambdaAnswer::Error(body) => serde_json::from_str(body).unwrap(),
        LambdaAnswer::Response(body) => panic!("the invocation succeeded: {body}"),
    }
}

/// A database as Terraform's list gives it.
fn listed(database: &Database, server: &Server) -> Value {
    json!({
        "host": "127.0.0.1", "port": server.port(), "username": "postgres", "password": "secret",
        "database": database.name(), "ssl_mode": "prefer",
    })
}

#[test]
fn a_schedule_writes_scripts_for_psql_by_day_and_a_warm_container_does_it_again() {
    let server = Server::major(17);
    let source = support::shop::shop(17);
    let dir = tempfile::tempdir().unwrap();
    let lambda = Lambda::start(&mut function(&[
        ("PGKEEP_DATABASES", json!([listed(&source, &server)]).to_string()),
        ("PGKEEP_STORE", format!("{}/postgres-backup", dir.path().display())),
        ("PGKEEP_KEY", "daily".into()),
        ("PGKEEP_FORMAT", "plain".into()),
        ("PGKEEP_COMPRESS", "none".into()),
    ]));
    let event = json!({ "source": "aws.events", "detail-type": "Scheduled Event", "detail": {} }).to_string();
    let first = response(&lambda.invoke(&event, TIME));
    // A key of its own: `daily` tells backups apart by the second.
    let by_id = json!({ "options": { "key": "{database}/{id}.{ext}" } }).to_string();
    let second = response(&lambda.invoke(&by_id, TIME));
    assert_ne!(first["results"][0]["id"], second["results"][0]["id"]);
    assert_eq!((&first["ok"], &first["results"][0]["database"]), (&json!(true), &json!(source.name())));
    let script = first["results"][0]["url"].as_str().unwrap().strip_prefix("file://").unwrap();
    let layout = format!("/postgres-backup/{0}/", source.name());
    assert!(script.contains(&layout) && script.ends_with(".sql"), "{script}");
    let target = Database::create(&server, "target");
    succeed(Command::new(server.bin_dir().join("psql")).args([
        "-Xq",
        "-v",
        "ON_ERROR_STOP=1",
        "-f",
        script,
        &target.url(),
    ]));
    compare_databases(&source, &target).unwrap();
    let own = Database::create(&server, "own");
    support::restore(&format!("file://{script}"), &own, &[]);
    compare_databases(&source, &own).unwrap();
}

#[test]
fn one_database_that_fails_fails_the_invocation_after_the_others_ran() {
    let server = Server::major(16);
    let (one, two) = (Database::create(&server, "one"), Database::create(&server, "two"));
    one.psql("create table t as select 1");
    let dir = tempfile::tempdir().unwrap();
    let mut gone = listed(&one, &server);
    gone["database"] = json!("nowhere");
    gone["password"] = json!("planted-password");
    let list = json!([gone, listed(&one, &server), listed(&two, &server)]).to_string();
    let store = dir.path().to_str().unwrap().to_owned();
    let lambda = Lambda::start(&mut function(&[("PGKEEP_DATABASES", list), ("PGKEEP_STORE", store)]));
    let told = error(&lambda.invoke("{}", TIME));
    let message = told["errorMessage"].as_str().unwrap();
    assert!(message.starts_with("1 of 3 failed") && message.contains("nowhere"), "{message}");
    assert!(!message.contains("planted-password"), "{message}");
    let listing = succeed(program().args(["list", "--json", "--store", dir.path().to_str().unwrap()]));
    let names: Vec<Value> =
        String::from_utf8(listing).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn a_backup_that_does_not_end_in_time_is_stopped_before_lambda_ends_it_and_leaves_nothing() {
    let server = Server::major(15);
    let source = Database::create(&server, "slow");
    source.psql("create table t as select generate_series(1, 100) as i");
    let dir = tempfile::tempdir().unwrap();
    let lambda = Lambda::start(&mut function(&[
        ("PGKEEP_DATABASES", json!([listed(&source, &server)]).to_string()),
        ("PGKEEP_STORE", dir.path().to_str().unwrap().to_owned()),
        ("PGKEEP_LOCK_TIMEOUT", "0".into()),
        ("PGKEEP_ESTIMATE", "false".into()),
    ]));
    // Somebody holds a table for longer than the function has.
    let mut holder = Command::new(server.bin_dir().join("psql"))
        .args(["-Xqc", "begin; lock table t; select pg_sleep(300)", &source.url()])
        .spawn()
        .unwrap();
    let held = "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted and relation = 't'::regclass";
    while source.psql(held).trim() == "0" {
        std::thread::sleep(Duration::from_millis(50));
    }
    let told = error(&lambda.invoke("{}", Duration::from_secs(25)));
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(told["errorMessage"].as_str().unwrap().contains("was stopped"), "{told}");
    let left = succeed(program().args(["list", "--json", "--store", dir.path().to_str().unwrap()]));
    assert_eq!(left, b"");
}

#[test]
fn a_copy_at_one_key_is_replaced_whole_and_what_is_no_archive_there_is_not() {
    let server = Server::major(18);
    let source = Database::create(&server, "dev");
    source.psql("create table t as select 1 as i");
    let bucket = S3::from_env().create_bucket("lambda-publish");
    let [key, secret] = bucket.credentials();
    let lambda = Lambda::start(&mut function(&[
        ("PGKEEP_DATABASES", json!([listed(&source, &server)]).to_string()),
        ("PGKEEP_STORE", bucket.url("")),
        key,
        secret,
    ]));
    let event = |options: Value| json!({ "options": options }).to_string();
    let first = response(&lambda.invoke(&event(json!({ "publish": "dev/latest.dump" })), TIME));
    assert!(first["results"][0]["published"].as_str().unwrap().ends_with("/dev/latest.dump"), "{first}");
    source.psql("insert into t values (2)");
    let second = response(&lambda.invoke(&event(json!({ "publish": "dev/latest.dump" })), TIME));
    assert_ne!(first["results"][0]["url"], second["results"][0]["url"]);
    let work = tempfile::tempdir().unwrap();
    let (copy, note) = (work.path().join("latest.dump"), work.path().join("note"));
    bucket.download("dev/latest.dump", &copy);
    let target = Database::create(&server, "target");
    succeed(server.bin("pg_restore").args(["--exit-on-error", "-d", &target.url()]).arg(&copy));
    compare_databases(&source, &target).unwrap();
    std::fs::write(&note, "somebody's").unwrap();
    bucket.upload("dev/note", &note);
    let before = bucket.keys();
    let told = error(&lambda.invoke(&event(json!({ "publish": "dev/note" })), TIME));
    assert!(told["errorMessage"].as_str().unwrap().contains("is no archive"), "{told}");
    assert_eq!(bucket.keys(), before);
    bucket.download("dev/note", &copy);
    assert_eq!(std::fs::read(&copy).unwrap(), b"somebody's");
    response(&lambda.invoke(&event(json!({ "publish": "dev/note", "publish_over": true })), TIME));
    bucket.download("dev/note", &copy);
    assert!(std::fs::read(&copy).unwrap().starts_with(b"PGDMP"));
}

#[test]
fn an_event_that_makes_no_sense_is_refused_by_field_and_the_next_one_runs() {
    let dir = tempfile::tempdir().unwrap();
    let lambda = Lambda::start(&mut function(&[("PGKEEP_STORE", dir.path().to_str().unwrap().to_owned())]));
    let told = error(&lambda.invoke(r#"{ "rdsInstance": "x", "targetBuket": "b" }"#, TIME));
    assert_eq!(told["errorType"], "pgkeep.usage");
    assert!(told["errorMessage"].as_str().unwrap().contains("targetBuket"), "{told}");
    let told = error(&lambda.invoke("{}", TIME));
    assert!(told["errorMessage"].as_str().unwrap().contains("no database is configured"), "{told}");
}

/// `cargo lambda` as it stands between an IDE and a function that is started there.
#[test]
fn cargo_lambda_drives_it() {
    let source = support::shop::shop(17);
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("src")).unwrap();
    std::fs::write(dir.path().join("src/main.rs"), "fn main() {}").unwrap();
    let package = "[package]\nname = \"pgkeep\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    std::fs::write(dir.path().join("Cargo.toml"), package).unwrap();
    let port = free_port();
    let cargo_lambda = |words: &[&str]| {
        let tools = std::env::var("PGKEEP_TEST_DEPLOY").expect("PGKEEP_TEST_DEPLOY is set by `. .bed/env`");
        let mut command = Command::new(format!("{tools}/cargo-lambda/bin/cargo-lambda"));
        command.current_dir(dir.path()).arg("lambda").args(words).args(["--invoke-port", &port.to_string()]);
        command
    };
    let mut watch =
        Running(cargo_lambda(&["watch", "--only-lambda-apis"]).stdout(Stdio::null()).spawn().unwrap());
    while TcpStream::connect((Ipv6Addr::LOCALHOST, port)).is_err() {
        assert_eq!(watch.0.try_wait().unwrap(), None, "cargo lambda ended");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut function = function(&[
        ("AWS_LAMBDA_RUNTIME_API", format!("http://[::1]:{port}/.rt/pgkeep")),
        ("AWS_LAMBDA_FUNCTION_NAME", "pgkeep".into()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".into()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1".into()),
        ("PGKEEP_DATABASE_URL", source.url()),
        ("PGKEEP_STORE", dir.path().join("store").display().to_string()),
    ]);
    let _function = Running(function.stdout(Stdio::null()).spawn().unwrap());
    let said = succeed(&mut cargo_lambda(&["invoke", "pgkeep", "--data-ascii", "{}"]));
    let answer: Value = serde_json::from_slice(&said).unwrap();
    assert_eq!((&answer["ok"], &answer["results"][0]["database"]), (&json!(true), &json!(source.name())));
}

/// A process that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
