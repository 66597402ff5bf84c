//! Beyond one invocation: an invocation for each database, a task for one that is too big, and a store that is too busy.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pgkeep_testbed::{
    Aws, Database, FaultProxy, Lambda, LambdaAnswer, LambdaService, S3, Server, compare_databases, python,
};
use serde_json::{Value, json};
use support::{output, program, succeed};

const TIME: Duration = Duration::from_secs(120);

fn function(env: &[(&str, String)]) -> Command {
    let mut command = program();
    command.envs(env.iter().map(|(name, value)| (name, value)));
    command
}

#[track_caller]
fn parsed(answer: &LambdaAnswer) -> Value {
    match answer {
        LambdaAnswer::Response(body) | LambdaAnswer::Error(body) => serde_json::from_str(body).unwrap(),
    }
}

fn listed(database: &str, port: u16) -> Value {
    json!({
        "host": "127.0.0.1", "port": port, "username": "postgres", "password": Server::PASSWORD,
        "database": database, "ssl_mode": "prefer",
    })
}

fn backups(store: &Path) -> Vec<Value> {
    let lines = succeed(program().args(["list", "--json", "--store"]).arg(store));
    String::from_utf8(lines).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn databases_fan_out_to_invocations_of_their_own_and_the_answer_has_all_results() {
    let server = Server::major(17);
    let (one, two) = (Database::create(&server, "one"), Database::create(&server, "two"));
    one.psql("create table t as select 1");
    let dir = tempfile::tempdir().unwrap();
    let names = [one.name(), two.name(), "nowhere"];
    let list: Vec<Value> = names.iter().map(|name| listed(name, server.port())).collect();
    let mut env = vec![
        ("PGKEEP_DATABASES", json!(list).to_string()),
        ("PGKEEP_STORE", dir.path().to_str().unwrap().to_owned()),
        ("PGKEEP_FAN_OUT", "2".into()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".into()),
        ("AWS_SECRET_ACCESS_KEY", "secret".into()),
        ("AWS_REGION", "eu-central-1".into()),
    ];
    let of_child = env.clone();
    let service = LambdaService::start(move || function(&of_child), TIME);
    env.push(("AWS_ENDPOINT_URL_LAMBDA", service.endpoint.clone()));
    let log = dir.path().join("log");
    let mut command = function(&env);
    command.stdout(File::create(&log).unwrap());
    let told = parsed(&Lambda::start(&mut command).invoke("{}", TIME));
    let message = told["errorMessage"].as_str().unwrap();
    assert!(message.starts_with("1 of 3 failed\nnowhere: ") && !message.contains("of 1 failed"), "{message}");
    assert_eq!(backups(dir.path()).len(), 2);
    assert_eq!(service.most_at_once(), 2);
    // Each invocation has told of its own database; this one has nothing to add.
    assert_eq!(fs::read_to_string(&log).unwrap(), "");
    let good = json!({ "databases": [list[0], list[1]], "fan_out": 1 }).to_string();
    let told = parsed(&Lambda::start(&mut function(&env)).invoke(&good, TIME));
    let results: Vec<&Value> = told["results"].as_array().unwrap().iter().map(|r| &r["database"]).collect();
    assert_eq!(
        (&told["ok"], results),
        (&json!(true), vec![&json!(one.name()), &json!(two.name())]),
        "{told}"
    );
    assert!(told["results"][1]["id"].is_string());
}

#[test]
fn an_invocation_that_is_not_over_in_time_is_reported_as_unfinished() {
    // It takes requests and answers none.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let lambda = Lambda::start(&mut function(&[
        ("PGKEEP_DATABASES", json!([listed("a", 1), listed("b", 1)]).to_string()),
        ("PGKEEP_FAN_OUT", "5".into()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".into()),
        ("AWS_SECRET_ACCESS_KEY", "secret".into()),
        ("AWS_REGION", "eu-central-1".into()),
        ("AWS_ENDPOINT_URL_LAMBDA", format!("http://{}", silent.local_addr().unwrap())),
    ]));
    let told = parsed(&lambda.invoke("{}", Duration::from_secs(8)));
    let message = told["errorMessage"].as_str().unwrap();
    assert!(
        message.starts_with("2 of 2 failed") && message.contains("b: its invocation was not over"),
        "{message}"
    );
}

/// What boto3, as `ecs`, says to an expression, as JSON.
fn ecs(aws: &Aws, expression: &str) -> Value {
    let program = format!(
        "import boto3, json\necs, ec2 = (boto3.client(s, endpoint_url='{}') for s in ('ecs', 'ec2'))\nprint(json.dumps({expression}, default=str))",
        aws.endpoint
    );
    let mut command = python();
    command.envs(aws.environment()).env("AWS_DEFAULT_REGION", Aws::REGION).args(["-c", &program]);
    serde_json::from_slice(&succeed(&mut command)).unwrap()
}

#[test]
fn what_does_not_fit_is_refused_or_goes_to_a_task_that_makes_the_same_backup() {
    let server = Server::major(18);
    let source = Database::create(&server, "big");
    source.psql(
        "create table t as select i, md5(i::text) || md5((-i)::text) as x from generate_series(1, 1600000) i",
    );
    // So slow that there is not the time.
    let slow = FaultProxy::to(("127.0.0.1", server.port()));
    slow.throttle(1_000_000);
    let dir = tempfile::tempdir().unwrap();
    let aws = Aws::start();
    let of_database = |port: u16| ("PGKEEP_DATABASES", json!([listed(source.name(), port)]).to_string());
    let store = ("PGKEEP_STORE", dir.path().to_str().unwrap().to_owned());
    let mut env = vec![of_database(slow.port()), store.clone()];
    env.extend(aws.environment());
    let told = parsed(&Lambda::start(&mut function(&env)).invoke("{}", Duration::from_secs(55)));
    let message = told["errorMessage"].as_str().unwrap();
    assert!(message.contains("refused before it began") && message.contains("Fargate"), "{message}");
    ecs(&aws, "ecs.create_cluster(clusterName='backups')");
    let container = "[{'name': 'pgkeep', 'image': 'pgkeep', 'memory': 512}]";
    ecs(
        &aws,
        &format!(
            "ecs.register_task_definition(family='pgkeep', networkMode='awsvpc', requiresCompatibilities=['FARGATE'], \
             cpu='256', memory='512', containerDefinitions={container})"
        ),
    );
    let subnet = ecs(&aws, "ec2.describe_subnets()['Subnets'][0]['SubnetId']");
    env.extend([
        ("PGKEEP_FARGATE_CLUSTER", "backups".to_owned()),
        ("PGKEEP_FARGATE_TASK_DEFINITION", "pgkeep".into()),
        ("PGKEEP_FARGATE_SUBNETS", subnet.as_str().unwrap().into()),
    ]);
    let told = parsed(&Lambda::start(&mut function(&env)).invoke("{}", Duration::from_secs(55)));
    let task = told["results"][0]["started"]["task"].as_str().unwrap();
    assert!(told["ok"] == true && told["results"][0].get("ok").is_none() && task.contains("task/"), "{told}");
    assert_eq!(backups(dir.path()).len(), 0);
    let described =
        ecs(&aws, &format!("ecs.describe_tasks(cluster='backups', tasks=['{task}'])['tasks'][0]"));
    let overrides = &described["overrides"]["containerOverrides"][0];
    assert_eq!(
        (&overrides["name"], &described["launchType"]),
        (&json!("pgkeep"), &json!("FARGATE")),
        "{described}"
    );
    assert!(!described.to_string().contains(Server::PASSWORD) && !described.to_string().contains("password"));
    // What ECS would run.
    let words: Vec<&str> =
        overrides["command"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    let mut run = function(&[of_database(server.port()), store]);
    for pair in overrides["environment"].as_array().unwrap() {
        run.env(pair["name"].as_str().unwrap(), pair["value"].as_str().unwrap());
    }
    let lines = String::from_utf8(succeed(run.args(words))).unwrap();
    let answer: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let archive = answer["results"][0]["url"].as_str().unwrap().strip_prefix("file://").unwrap();
    let target = Database::create(&server, "target");
    succeed(server.bin("pg_restore").args(["--exit-on-error", "-d", &target.url(), archive]));
    compare_databases(&source, &target).unwrap();
}

#[test]
fn a_password_in_the_event_never_goes_to_a_task() {
    let lambda = Lambda::start(&mut function(&[
        ("PGKEEP_FARGATE", "always".into()),
        ("PGKEEP_FARGATE_TASK_DEFINITION", "pgkeep".into()),
        ("PGKEEP_FARGATE_SUBNETS", "subnet-1".into()),
        ("AWS_REGION", "eu-central-1".into()),
    ]));
    for event in [
        json!({ "databases": ["postgres://u:planted-password@h/d"] }),
        json!({ "PGDATABASE": "d", "PGHOST": "h", "PGPASSWORD": "planted-password", "S3_BUCKET": "b" }),
    ] {
        let told = parsed(&lambda.invoke(&event.to_string(), TIME));
        assert!(told["errorMessage"].as_str().unwrap().contains("its password is in the event"), "{told}");
    }
    let told = output(program().args(["lambda", "run", r#"{"only":"x","event":{"databases":["a"]}}"#]));
    assert_eq!(told.status.code(), Some(2), "{told:?}");
}

#[test]
fn a_store_that_asks_to_slow_down_is_asked_again_and_metrics_are_in_the_log() {
    let server = Server::major(16);
    let source = Database::create(&server, "busy");
    source.psql("create table t as select i, md5(i::text) as x from generate_series(1, 300000) i");
    let s3 = S3::from_env();
    let bucket = s3.create_bucket("lambda-busy");
    let proxy = FaultProxy::to_http(s3.address());
    let [key, secret] = bucket.credentials();
    let dir = tempfile::tempdir().unwrap();
    let mut command = function(&[
        ("PGKEEP_DATABASES", json!([listed(source.name(), server.port())]).to_string()),
        ("PGKEEP_STORE", bucket.url_via(&proxy.endpoint(), "b")),
        key,
        secret,
    ]);
    let log = dir.path().join("log");
    command.stdout(File::create(&log).unwrap());
    let lambda = Lambda::start(&mut command);
    proxy.fail_requests(|request| request.starts_with("PUT") || request.starts_with("POST"), 3, 503);
    let told = parsed(&lambda.invoke("{}", TIME));
    assert_eq!(told["ok"], true, "{told}");
    proxy.fail_requests(|request| request.starts_with("POST") && request.contains(".dump"), 100_000, 503);
    let before = bucket.keys();
    let told = parsed(&lambda.invoke("{}", Duration::from_secs(40)));
    assert!(told["errorMessage"].as_str().unwrap().starts_with("1 of 1 failed"), "{told}");
    assert_eq!((bucket.keys(), bucket.multipart_uploads()), (before, Vec::new()));
    let lines: Vec<Value> =
        fs::read_to_string(&log).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| lines.iter().map(|line| line[name].as_f64()).collect::<Vec<_>>();
    assert_eq!(of("BackupSuccess"), [Some(1.0), Some(0.0)]);
    assert_eq!(of("BackupFailure"), [Some(0.0), Some(1.0)]);
    assert!(lines[0]["BackupDuration"].as_f64().unwrap() > 0.0 && lines[0]["Database"] == source.name());
    let directives = lines[0]["_aws"]["CloudWatchMetrics"].as_array().unwrap();
    let sets: Vec<&Value> = directives.iter().map(|d| &d["Dimensions"]).collect();
    assert_eq!(sets, [&json!([[]]), &json!([["Database"]])]);
    assert!(directives.iter().all(|d| d["Namespace"] == "CustomMetrics/DatabaseBackup"));
    assert!(
        directives[1]["Metrics"]
            .as_array()
            .unwrap()
            .contains(&json!({ "Name": "BackupSize", "Unit": "Bytes" }))
    );
}
