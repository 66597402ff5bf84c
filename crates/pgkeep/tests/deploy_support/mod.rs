//! Shared by the tests of what `deploy/` has for AWS.
#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod terraform;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pgkeep_testbed::{Aws, Bucket, Database, Lambda, LambdaAnswer, S3, Server, compare_databases, python};
use serde_json::{Value, json};

use super::support::{program, succeed};

/// What a run may take.
pub const TIME: Duration = Duration::from_secs(120);
/// An event as EventBridge sends it by a schedule.
pub const SCHEDULED: &str = r#"{ "source": "aws.events", "detail-type": "Scheduled Event", "detail": {} }"#;
/// What AWS itself does with the function's role: write the log, keep failed events, be in a VPC, see which roles a task
/// that is started has.
pub const OF_LAMBDA: &[&str] = &["Log", "TellWhatWasGivenUp", "BeInTheVpc", "PassRoles"];

/// A file or folder of `deploy/`.
pub fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path)
}

/// What AWS's own library says: a Python expression over `client(service)`.
#[track_caller]
pub fn ask(aws: &Aws, expression: &str) -> Value {
    serde_json::from_str(&aws.ask(expression)).unwrap()
}

/// Where `testbed/install` has put the tools.
pub fn deploy_tools() -> PathBuf {
    std::env::var("PGKEEP_TEST_DEPLOY").expect("PGKEEP_TEST_DEPLOY is set by `. .bed/env`").into()
}

/// checkov with these words. What it skips says why, beside what is skipped.
#[track_caller]
pub fn checkov(words: &[&str]) {
    let tools = deploy_tools().join("checkov");
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", &tools).arg(tools.join("bin/checkov"));
    let out = command.args(words).args(["--skip-download", "--compact", "--quiet"]).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success() && said.contains("Failed checks: 0"), "{said}");
}

/// The program with the environment that the function of this name was given, in an emulated AWS.
pub fn deployed(aws: &Aws, function: &str) -> Command {
    let expression = format!(
        "client('lambda').get_function_configuration(FunctionName='{function}')['Environment']['Variables']"
    );
    let variables = ask(aws, &expression);
    let mut command = program();
    command.envs(aws.environment());
    command.envs(variables.as_object().unwrap().iter().map(|(k, v)| (k.as_str(), v.as_str().unwrap())));
    command
}

/// The program as the only task of this cluster runs it, in an emulated AWS.
pub fn task(aws: &Aws, cluster: &str) -> Command {
    let call = format!(
        "(lambda e: e.describe_tasks(cluster='{cluster}', tasks=e.list_tasks(cluster='{cluster}')['taskArns'])\
         ['tasks'])(client('ecs'))"
    );
    let tasks = ask(aws, &call);
    let [task] = tasks.as_array().unwrap().as_slice() else { panic!("{tasks}") };
    let definition = task["taskDefinitionArn"].as_str().unwrap();
    let call = format!(
        "client('ecs').describe_task_definition(taskDefinition='{definition}')['taskDefinition']\
         ['containerDefinitions'][0]"
    );
    let container = ask(aws, &call);
    let over = &task["overrides"]["containerOverrides"][0];
    assert_eq!(over["name"], container["name"]);
    let mut command = program();
    command.envs(aws.environment());
    for variables in [&container["environment"], &over["environment"]] {
        for variable in variables.as_array().unwrap() {
            command.env(variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap());
        }
    }
    command.args(over["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()));
    command
}

/// With its bucket on a real S3 server.
pub fn with(bucket: &Bucket, mut command: Command) -> Command {
    command.env("AWS_ENDPOINT_URL_S3", S3::from_env().endpoint).envs(bucket.credentials());
    command
}

/// The answer to an event of a function that succeeds.
#[track_caller]
pub fn invoke(function: &mut Command, event: &str) -> Value {
    match Lambda::start(function).invoke(event, TIME) {
        LambdaAnswer::Response(body) => serde_json::from_str(&body).unwrap(),
        LambdaAnswer::Error(body) => panic!("the invocation failed: {body}"),
    }
}

/// The policy of a role, and expects that it is the only one.
#[track_caller]
pub fn policy(aws: &Aws, role: &str) -> Value {
    let names = ask(aws, &format!("client('iam').list_role_policies(RoleName='{role}')['PolicyNames']"));
    assert_eq!(names, json!(["backup"]));
    let document =
        format!("client('iam').get_role_policy(RoleName='{role}', PolicyName='backup')['PolicyDocument']");
    // Of a stack the emulator gives it as Python writes it, with a hole where a statement was left out.
    let read =
        format!("(lambda d: __import__('ast').literal_eval(d) if isinstance(d, str) else d)({document})");
    let mut policy = ask(aws, &read);
    policy["Statement"].as_array_mut().unwrap().retain(|statement| !statement.is_null());
    policy
}

/// `psql` takes the script into an empty database, which is then as the source.
#[track_caller]
pub fn psql_restores(server: &Server, bucket: &Bucket, key: &str, source: &Database) {
    let script = tempfile::NamedTempFile::new().unwrap();
    bucket.download(key, script.path());
    let target = Database::create(server, "target");
    let mut psql = Command::new(server.bin_dir().join("psql"));
    psql.args(["-Xq", "-v", "ON_ERROR_STOP=1", &target.url()]).stdin(fs::File::open(script.path()).unwrap());
    succeed(&mut psql);
    compare_databases(source, &target).unwrap();
}

/// The emulator follows a bucket's policy without its conditions: one that denies what comes without TLS denies all.
pub fn forget_policy_of(aws: &Aws, bucket: &str) {
    let _ = ask(aws, &format!("str(client('s3').delete_bucket_policy(Bucket='{bucket}'))"));
}

/// Makes it look as if a run had been killed while it wrote `archive`.
pub fn plant_dead_run(aws: &Aws, bucket: &str, prefix: &str, archive: &str) {
    let read = |path: &str| fs::read_to_string(path).unwrap().trim().to_owned();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap();
    let (name, boot) = (read("/proc/sys/kernel/hostname"), read("/proc/sys/kernel/random/boot_id"));
    let id = "20260101T000000Z-000000";
    let mark = json!({
        "id": id, "name": "dead", "host": format!("{name} {boot} {}", namespace.display()), "pid": 4_000_000,
        "process_start": 1, "key": archive,
    });
    let expression = format!(
        "[str(client('s3').create_multipart_upload(Bucket='{bucket}', Key='{prefix}{archive}')), \
         str(client('s3').put_object(Bucket='{bucket}', Key='{prefix}.pgkeep/runs/{id}.json', Body='''{mark}'''))]"
    );
    let _ = ask(aws, &expression);
}

/// The requests that a policy does not allow of those recorded, and what it allows though none of them needs it; without
/// the statements of these ids.
pub fn rights(aws: &Aws, policy: &Value, without: &[&str]) -> (Vec<String>, Vec<String>) {
    let mut judge = python();
    judge.args(["-c", include_str!("rights.py")]).arg(aws.recording()).arg(policy.to_string()).args(without);
    let said: Value = serde_json::from_slice(&succeed(&mut judge)).unwrap();
    let list = |name: &str| serde_json::from_value(said[name].clone()).unwrap();
    (list("refused"), list("unused"))
}

/// Expects that the policy allows what was recorded and nothing else, and that this is really looked at.
#[track_caller]
pub fn allows_what_is_used(aws: &Aws, policy: &Value, without: &[&str]) {
    assert_eq!(rights(aws, policy, without), (vec![], vec![]), "{policy:#}");
    let with = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut changed = policy.clone();
        let statements = changed["Statement"].as_array_mut().unwrap();
        let writes = statements.iter_mut().find(|s| s["Sid"] == "WriteBackups").unwrap();
        change(writes["Action"].as_array_mut().unwrap());
        changed
    };
    let less = with(&|actions| actions.retain(|a| a != "s3:AbortMultipartUpload"));
    let more = with(&|actions| actions.push("s3:PutBucketPolicy".into()));
    let (refused, _) = rights(aws, &less, without);
    assert!(refused.iter().any(|r| r.starts_with("s3:AbortMultipartUpload")), "{refused:?}");
    assert_eq!(rights(aws, &more, without).1, ["WriteBackups s3:PutBucketPolicy"]);
}
