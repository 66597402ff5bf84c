//! The Terraform files: judged by Terraform and checkov, applied to an emulated AWS, and what they made of the function
//! driven as Lambda drives it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod deploy_support;
mod support;

use std::path::Path;

use deploy_support::terraform::{Deployment, Terraform};
use deploy_support::{
    OF_LAMBDA, SCHEDULED, allows_what_is_used, ask, checkov, deploy_tools, deployed, file, forget_policy_of,
    invoke, plant_dead_run, policy, psql_restores, task, with,
};
use pgkeep_testbed::{Aws, Database, S3, Server};
use serde_json::{Value, json};
use support::succeed;

const FOLDERS: [&str; 3] = ["modules/backup-function", "postgres-backup", "supabase-backup"];

/// Without looking at everything anew: nobody else has changed it.
const DESTROY: &[&str] = &["destroy", "-auto-approve", "-input=false", "-refresh=false"];

#[test]
fn the_files_are_formatted_and_their_own_tests_pass() {
    let terraform = Terraform::new();
    terraform.run("", &["fmt", "-check", "-recursive", "-diff"]);
    for folder in FOLDERS {
        terraform.run(folder, &["init", "-input=false", "-backend=false"]);
        if !folder.starts_with("modules") {
            terraform.run(folder, &["validate"]);
        }
        let said = terraform.run(folder, &["test"]);
        assert!(said.contains("Success!") && !said.contains(" 0 passed"), "{said}");
    }
}

#[test]
fn checkov_finds_nothing_that_is_not_explained() {
    checkov(&["-d", file("terraform").to_str().unwrap(), "--framework", "terraform"]);
}

#[test]
fn several_databases_every_three_hours_as_the_deployment_guide_has_it() {
    let (server, source) = (Server::major(18), support::shop::shop(18));
    let big = Database::create(&server, "big");
    big.psql("create table t as select generate_series(1, 1000) as i");
    let bucket = S3::from_env().create_bucket("postgres-backup");
    let variables = |aws: &Aws| {
        let subnet = ask(aws, "client('ec2').describe_subnets()['Subnets'][0]['SubnetId']");
        let group = ask(aws, "client('ec2').describe_security_groups()['SecurityGroups'][0]['GroupId']");
        format!(
            r#"
        databases = [{{
          host = "127.0.0.1", port = {}, username = "postgres", password = "secret", database = "{}", ssl_mode = "prefer"
        }}, {{
          host = "127.0.0.1", port = {}, username = "postgres", password = "secret", database = "{}", ssl_mode = "prefer"
        }}]
        fargate = {{
          image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/pgkeep:1", subnet_ids = [{}]
          security_group_ids = [{}], databases = ["{}"]
        }}
        backup_bucket_name  = "{}"
        alarm_sns_topic_arn = "arn:aws:sns:eu-central-1:123456789012:backup-alerts"
        aws_region          = "eu-central-1"
        "#,
            server.port(),
            source.name(),
            server.port(),
            big.name(),
            subnet,
            group,
            big.name(),
            bucket.name()
        )
    };
    let deployment = Deployment::asking("postgres-backup", variables);
    deploy_sh(&deployment, &["deploy", "-auto-approve", "-input=false"]);
    deployment.a_second_plan_is_empty();
    let aws = &deployment.aws;
    let rule = ask(aws, "client('events').list_rules()['Rules'][0]['ScheduleExpression']");
    assert_eq!(rule, "rate(3 hours)");
    let group = ask(aws, "client('logs').describe_log_groups()['logGroups'][0]");
    assert_eq!(
        (&group["logGroupName"], &group["retentionInDays"]),
        (&"/aws/lambda/postgres-backup-service".into(), &14.into())
    );
    the_function_is(aws, "postgres-backup-service", 512);
    the_alarms_are(
        aws,
        &json!([
            ["Duration", 600_000.0, ["arn:aws:sns:eu-central-1:123456789012:backup-alerts"]],
            ["Errors", 0.0, ["arn:aws:sns:eu-central-1:123456789012:backup-alerts"]],
            ["NumberOfMessagesSent", 0.0, ["arn:aws:sns:eu-central-1:123456789012:backup-alerts"]]
        ]),
    );
    bucket_is_safe(aws, bucket.name(), "postgres-backup/", 2);
    let refused = deployment.try_terraform(DESTROY);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && told.contains("prevent_destroy"), "the bucket is protected: {told}");

    // The function itself, with the environment that it was given, and the task that it starts.
    let answer = invoke(&mut with(&bucket, deployed(aws, "postgres-backup-service")), SCHEDULED);
    assert!(answer["results"].to_string().contains("started"), "{answer}");
    succeed(&mut with(&bucket, task(aws, "postgres-backup-service")));
    for database in [&source, &big] {
        let keys = bucket.keys();
        let script =
            keys.iter().find(|key| is_by_day(key, database.name())).unwrap_or_else(|| panic!("{keys:?}"));
        psql_restores(&server, &bucket, script, database);
    }
    let mut task = task(aws, "postgres-backup-service");
    uses_what_it_may(aws, "postgres-backup-service", bucket.name(), "postgres-backup/");
    plant_dead_run(aws, bucket.name(), "postgres-backup/", "dead/unfinished.sql");
    let policy = policy(aws, "postgres-backup-service-task");
    aws.record();
    succeed(&mut task);
    allows_what_is_used(aws, &policy, &[]);

    let status = deploy_sh(&deployment, &["status"]);
    assert!(status.contains("postgres-backup-service-errors") && status.contains(".sql"), "{status}");
    deploy_sh(&deployment, DESTROY);
    assert_eq!(ask(aws, "client('lambda').list_functions()['Functions']"), json!([]));
    let kept = ask(aws, &format!("client('s3').get_bucket_versioning(Bucket='{}')['Status']", bucket.name()));
    assert_eq!(kept, "Enabled", "the bucket is kept as it was");
}

#[test]
fn a_supabase_database_every_week_with_an_e_mail_when_it_fails() {
    let (server, source) = (Server::major(16), support::shop::shop(16));
    let bucket = S3::from_env().create_bucket("supabase-backup");
    let variables = format!(
        r#"
        supabase_db_url = "postgres://postgres:secret@127.0.0.1:{}/{}?sslmode=prefer"
        alert_email     = "you@example.com"
        aws_region      = "eu-central-1"
        bucket_name     = "{}"
        "#,
        server.port(),
        source.name(),
        bucket.name()
    );
    let deployment = Deployment::of("supabase-backup", &variables);
    deployment.terraform(&["init", "-input=false"]);
    deployment.terraform(&["apply", "-auto-approve", "-input=false"]);
    deployment.a_second_plan_is_empty();
    let aws = &deployment.aws;
    assert_eq!(ask(aws, "client('events').list_rules()['Rules'][0]['ScheduleExpression']"), "rate(7 days)");
    the_function_is(aws, "pana_db_backup", 512);
    let topic = ask(aws, "client('sns').list_topics()['Topics'][0]['TopicArn']");
    the_alarms_are(aws, &json!([["Errors", 0.0, [topic]], ["Throttles", 0.0, [topic]]]));
    let told = ask(
        aws,
        "[(s['Protocol'], s['Endpoint']) for s in client('sns').list_subscriptions()['Subscriptions']]",
    );
    assert_eq!(told, json!([["email", "you@example.com"]]));
    bucket_is_safe(aws, bucket.name(), "", 30);

    invoke(&mut with(&bucket, deployed(aws, "pana_db_backup")), SCHEDULED);
    let scripts: Vec<String> = bucket.keys().into_iter().filter(|key| key.ends_with(".sql")).collect();
    let [script] = scripts.as_slice() else { panic!("{scripts:?}") };
    let time = script.strip_prefix("backups/backup_").and_then(|rest| rest.strip_suffix(".sql")).unwrap();
    assert!(has_form(time, "00000000_000000"), "{script}");
    psql_restores(&server, &bucket, script, &source);
    uses_what_it_may(aws, "pana_db_backup", bucket.name(), "");
    let refused = deployment.try_terraform(DESTROY);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && told.contains("BucketNotEmpty"), "the backups are not lost: {told}");
    assert_eq!(ask(aws, "client('lambda').list_functions()['Functions']"), json!([]));
}

/// The script with these words.
#[track_caller]
fn deploy_sh(deployment: &Deployment, words: &[&str]) -> String {
    let cli = deploy_tools().join("awscli");
    let path = std::env::var("PATH").unwrap();
    let mut command = deployment.command("./deploy.sh");
    command.env("PATH", format!("{}:{path}", cli.join("bin").display())).env("PYTHONPATH", cli);
    let out = command.args(words).output().unwrap();
    let (said, error) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "deploy.sh {words:?}: {said}\n{error}");
    said.into_owned()
}

#[track_caller]
fn the_function_is(aws: &Aws, name: &str, memory: u64) {
    let function = ask(aws, &format!("client('lambda').get_function_configuration(FunctionName='{name}')"));
    // The password is kept elsewhere, and the environment says where.
    assert!(!function.to_string().contains("secret@") && !function.to_string().contains("password"));
    let variables = function["Environment"]["Variables"].as_object().unwrap();
    let kept = variables.iter().find(|(key, _)| key.ends_with("_SECRET")).unwrap().1.as_str().unwrap();
    let text =
        ask(aws, &format!("client('secretsmanager').get_secret_value(SecretId='{kept}')['SecretString']"));
    assert!(text.as_str().unwrap().contains("secret"), "{text}");
    assert_eq!((&function["MemorySize"], &function["Timeout"]), (&memory.into(), &900.into()));
    assert_eq!(
        (&function["Runtime"], &function["Architectures"]),
        (&"provided.al2023".into(), &json!(["x86_64"]))
    );
    let call = format!("client('lambda').get_function_event_invoke_config(FunctionName='{name}')");
    let failed = ask(aws, &call);
    assert_eq!(failed["MaximumRetryAttempts"], 1);
    let queue = failed["DestinationConfig"]["OnFailure"]["Destination"].as_str().unwrap().to_owned();
    assert!(queue.ends_with(&format!("{name}-failed")), "{queue}");
}

#[track_caller]
fn the_alarms_are(aws: &Aws, expected: &Value) {
    let alarms = "sorted((a['MetricName'], a['Threshold'], a['AlarmActions']) \
                  for a in client('cloudwatch').describe_alarms()['MetricAlarms'])";
    assert_eq!(&ask(aws, alarms), expected);
}

#[track_caller]
fn bucket_is_safe(aws: &Aws, bucket: &str, folder: &str, days: u64) {
    let ask = |call: &str| ask(aws, &format!("client('s3').{call}(Bucket='{bucket}')"));
    assert_eq!(ask("get_bucket_versioning")["Status"], "Enabled");
    let rules = &ask("get_bucket_encryption")["ServerSideEncryptionConfiguration"]["Rules"];
    assert_eq!(rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256");
    let block = &ask("get_public_access_block")["PublicAccessBlockConfiguration"];
    for setting in ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"] {
        assert_eq!(block[setting], true, "{setting}");
    }
    assert!(ask("get_bucket_policy")["Policy"].as_str().unwrap().contains("aws:SecureTransport"));
    let rules = ask("get_bucket_lifecycle_configuration")["Rules"].clone();
    let rule = |id: &str| rules.as_array().unwrap().iter().find(|r| r["ID"] == id).unwrap();
    let expire = rule("expire-backups");
    assert_eq!((&expire["Expiration"]["Days"], &expire["Status"]), (&days.into(), &"Enabled".into()));
    assert_eq!(expire["Filter"]["Prefix"], folder);
    assert_eq!(rule("clean-versions")["NoncurrentVersionExpiration"]["NoncurrentDays"], 30);
}

/// One run, and one that cleans up behind a dead one: the role lets the function do all that it asks for, and no more.
#[track_caller]
fn uses_what_it_may(aws: &Aws, function: &str, bucket: &str, prefix: &str) {
    forget_policy_of(aws, bucket);
    plant_dead_run(aws, bucket, prefix, "dead/unfinished.sql");
    let policy = policy(aws, &format!("{function}-role"));
    let mut deployed = deployed(aws, function);
    aws.record();
    invoke(&mut deployed, SCHEDULED);
    allows_what_is_used(aws, &policy, OF_LAMBDA);
}

/// `<prefix>/<database>/<day>/<database>_<day>_<time>.sql`
fn is_by_day(key: &str, database: &str) -> bool {
    let path = Path::new(key);
    let day = path.parent().and_then(Path::file_name).and_then(|d| d.to_str()).unwrap_or_default();
    let start = format!("postgres-backup/{database}/{day}/{database}_{day}_");
    let time = key.strip_prefix(&start).and_then(|rest| rest.strip_suffix(".sql")).unwrap_or_default();
    has_form(day, "0000-00-00") && has_form(time, "00-00-00")
}

/// The same with every digit a 0.
fn has_form(text: &str, form: &str) -> bool {
    text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).eq(form.chars())
}
