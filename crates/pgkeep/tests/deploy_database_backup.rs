//! The Terraform module for RDS snapshots: its examples applied to an emulated AWS, and the function that they make driven as
//! Lambda drives it, with RDS as the scripted fake.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod deploy_support;
mod support;

use deploy_support::terraform::{Deployment, Terraform};
use deploy_support::{ask, deploy_tools, deployed, file, invoke};
use pgkeep_testbed::{Aws, AwsFake};
use serde_json::{Value, json};
use support::succeed;

const MODULE: &str = "modules/database-backup";

#[test]
fn the_module_and_its_examples_are_formatted_and_wrong_values_are_refused_with_what_is_right() {
    let terraform = Terraform::new();
    terraform.run("", &["fmt", "-check", "-recursive", "-diff"]);
    terraform.run(MODULE, &["init", "-input=false", "-backend=false"]);
    let said = terraform.run(MODULE, &["test"]);
    assert!(said.contains("Success!") && !said.contains(" 0 passed"), "{said}");
}

#[test]
fn the_tables_in_the_modules_pages_are_what_their_files_say() {
    let place = |path: &str| file(&format!("terraform/{path}"));
    let modules = std::fs::read_dir(place("modules")).unwrap().map(|entry| entry.unwrap().path());
    let mut check = std::process::Command::new("python3");
    check.env("PYTHONPATH", deploy_tools().join("checkov")).env("PYTHONDONTWRITEBYTECODE", "1");
    check.arg(place("module-docs")).arg("--check").args(modules);
    succeed(&mut check);
}

/// An example that is applied, with a second plan that is empty.
fn applied(folder: &'static str, variables: &str) -> Deployment {
    let deployment = Deployment::of(folder, variables);
    // The module's own provider needs the emulator's settings as the root's does. The emulator follows a bucket's policy without
    // its conditions: one that denies what comes without TLS denies all. And it forgets which objects are replicated.
    let edits = [
        (
            "versions.tf",
            "s/  region = local.destination/&\\n  skip_credentials_validation = true\\n  s3_use_path_style = true/",
        ),
        ("bucket.tf", "s/effect    = \"Deny\"/effect    = \"Allow\"/"),
        ("replication.tf", "s/var.enable_s3_encryption ? \\[1\\] : \\[\\]/[]/"),
    ];
    for (file, edit) in edits {
        let path = format!("../../{MODULE}/{file}");
        let status = deployment.command("sed").args(["-i", edit, &path]).status().unwrap();
        assert!(status.success());
    }
    deployment.terraform(&["init", "-input=false"]);
    deployment.terraform(&["apply", "-auto-approve", "-input=false"]);
    deployment.a_second_plan_is_empty();
    deployment
}

/// What a rule's target sends to the function at this time.
fn event(aws: &Aws, rule: &str, time: &str) -> String {
    let target =
        format!("client('events').list_targets_by_rule(Rule='{rule}')['Targets'][0]['InputTransformer']");
    let transformer = ask(aws, &target);
    assert_eq!(transformer["InputPathsMap"], json!({ "time": "$.time" }));
    transformer["InputTemplate"].as_str().unwrap().replace("<time>", &format!("\"{time}\""))
}

fn order(fake: &AwsFake, order: &Value) -> Value {
    serde_json::from_str(&fake.order(&order.to_string())).unwrap()
}

/// The function with RDS as the fake, in which a minute passes with every request.
fn function(
    deployment: &Deployment,
    fake: &AwsFake,
    name: &str,
    instances: &[&str],
) -> std::process::Command {
    order(fake, &json!({ "do": "set", "tick": 60 }));
    for instance in instances {
        order(fake, &json!({ "do": "database", "region": Aws::REGION, "name": instance }));
    }
    let mut function = deployed(&deployment.aws, name);
    function.env("AWS_ENDPOINT_URL_RDS", fake.endpoint()).env("PGKEEP_RDS_POLL", "10ms");
    function
}

#[test]
fn the_basic_example_makes_snapshots_of_two_instances_and_keeps_them_for_thirty_days() {
    let deployment = applied("examples/basic-backup", "");
    let aws = &deployment.aws;
    let name = "nestedphoenix-production-db-backup";
    let made = ask(aws, &format!("client('lambda').get_function_configuration(FunctionName='{name}')"));
    assert_eq!(
        (&made["Timeout"], &made["MemorySize"], &made["Runtime"]),
        (&300.into(), &256.into(), &"provided.al2023".into())
    );
    let group = ask(aws, "client('logs').describe_log_groups()['logGroups'][0]");
    assert_eq!(
        (&group["logGroupName"], &group["retentionInDays"]),
        (&format!("/aws/lambda/{name}").into(), &14.into())
    );
    let rule = ask(aws, "client('events').list_rules()['Rules'][0]['ScheduleExpression']");
    assert_eq!(rule, "cron(0 2 * * ? *)");
    let alarms = "sorted((a['Namespace'], a['MetricName']) for a in client('cloudwatch').describe_alarms()['MetricAlarms'])";
    assert_eq!(
        ask(aws, alarms),
        json!([["AWS/Lambda", "Errors"], ["CustomMetrics/DatabaseBackup", "BackupFailure"]])
    );
    let told =
        "[(s['Protocol'], s['Endpoint']) for s in client('sns').list_subscriptions()['Subscriptions']]";
    assert_eq!(ask(aws, told), json!([["email", "dba-team@company.com"]]));

    let fake = AwsFake::start();
    let mut function = function(&deployment, &fake, name, &["prod-database-1", "prod-database-2"]);
    let event = event(aws, &format!("{name}-create"), "2026-08-20T02:00:00Z");
    for _ in 0..2 {
        // The second is another try of the same event.
        let answer = invoke(&mut function, &event);
        assert_eq!(answer["results"][0]["ok"], true, "{answer}");
    }
    assert_eq!(names(&fake), ["prod-database-1-20260820020000", "prod-database-2-20260820020000"]);
    let snapshots = order(&fake, &json!({ "do": "snapshots" }));
    assert_eq!(snapshots[0]["tags"]["Project"], "nestedphoenix");
    // Two months later nothing of these is kept but what 30 days before the newest covers.
    invoke(&mut function, &event_at(aws, name, "2026-10-20T02:00:00Z"));
    assert_eq!(names(&fake), ["prod-database-1-20261020020000", "prod-database-2-20261020020000"]);
}

/// The snapshots that there are, in order of their names.
fn names(fake: &AwsFake) -> Vec<String> {
    let snapshots = order(fake, &json!({ "do": "snapshots" }));
    let mut names: Vec<String> =
        snapshots.as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn event_at(aws: &Aws, name: &str, time: &str) -> String {
    event(aws, &format!("{name}-create"), time)
}

#[test]
fn the_enterprise_example_copies_replicates_and_stays_off_the_internet() {
    let deployment = applied(
        "examples/enterprise-backup",
        "slack_webhook_url = \"https://hooks.slack.com/services/planted\"",
    );
    let aws = &deployment.aws;
    let replication = ask(
        aws,
        "client('s3').get_bucket_replication(Bucket='nestedphoenix-prod-db-backups')['ReplicationConfiguration']",
    );
    assert_eq!(
        replication["Rules"][0]["Destination"]["Bucket"],
        "arn:aws:s3:::nestedphoenix-prod-db-backups-replica"
    );
    let logging =
        ask(aws, "client('s3').get_bucket_logging(Bucket='nestedphoenix-prod-db-backups')['LoggingEnabled']");
    assert_eq!(logging["TargetBucket"], "nestedphoenix-prod-db-backups-logs");
    let rules = ask(
        aws,
        "client('s3').get_bucket_lifecycle_configuration(Bucket='nestedphoenix-prod-db-backups')['Rules']",
    );
    let exports = rules.as_array().unwrap().iter().find(|r| r["ID"] == "exports").unwrap();
    let mut steps: Vec<_> = exports["Transitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| (t["Days"].as_u64().unwrap(), t["StorageClass"].as_str().unwrap()))
        .collect();
    steps.sort_unstable();
    assert_eq!(steps, [(30, "STANDARD_IA"), (90, "GLACIER"), (365, "DEEP_ARCHIVE")]);
    assert_eq!(exports["Expiration"]["Days"], 2555);
    let endpoints = "sorted(e['ServiceName'].split('.')[-1] for e in client('ec2').describe_vpc_endpoints()['VpcEndpoints'])";
    assert_eq!(
        ask(aws, endpoints),
        json!(["kms", "logs", "monitoring", "rds", "s3", "secretsmanager", "sns"])
    );
    let dashboards =
        "[d['DashboardName'] for d in client('cloudwatch').list_dashboards()['DashboardEntries']]";
    assert_eq!(ask(aws, dashboards), json!(["nestedphoenix-production-db-backup"]));
    let ages = "sum(a['MetricName'] == 'SnapshotAge' for a in client('cloudwatch').describe_alarms()['MetricAlarms'])";
    assert_eq!(ask(aws, ages), 3);
    let config = config(aws, "nestedphoenix-prod-db-backups");
    assert!(!config.contains("planted") && config.contains("url = { secret ="), "{config}");

    let fake = AwsFake::start();
    let name = "nestedphoenix-production-db-backup";
    let instances = ["prod-database-1", "prod-database-2", "prod-read-replica-1"];
    let mut function = function(&deployment, &fake, name, &instances);
    let answer = invoke(&mut function, &event_at(aws, name, "2026-11-20T02:00:00Z"));
    assert_eq!(answer["results"][0]["ok"], true, "{answer}");
    let there = order(&fake, &json!({ "do": "snapshots", "region": "us-west-2" }));
    assert_eq!(there.as_array().unwrap().len(), 3);
    assert!(there[0]["key"].as_str().unwrap().contains(":kms:us-west-2:"), "{there}");
}

#[test]
fn the_compliance_example_exports_every_month_into_a_bucket_that_keeps_for_ten_years() {
    let deployment = applied("examples/compliance-backup", "");
    let aws = &deployment.aws;
    let name = "nestedphoenix-compliance-db-backup";
    let fake = AwsFake::start();
    let mut function = function(&deployment, &fake, name, &["ledger"]);
    invoke(&mut function, &event_at(aws, name, "2026-11-20T02:00:00Z"));
    let answer = invoke(&mut function, &event(aws, &format!("{name}-export"), "2026-12-01T06:00:00Z"));
    assert_eq!(answer["results"][0]["ok"], true, "{answer}");
    let exports = order(&fake, &json!({ "do": "exports" }));
    let bucket = "nestedphoenix-compliance-db-backups-123456789012";
    assert_eq!((&exports[0]["bucket"], &exports[0]["prefix"]), (&bucket.into(), &"exports".into()));
    let role = exports[0]["role"].as_str().unwrap();
    assert!(role.ends_with(&format!("role/{name}-export")), "{role}");
    assert!(config(aws, bucket).contains("within=1095d"));
}

/// The function's configuration, which the program takes.
fn config(aws: &Aws, bucket: &str) -> String {
    let text = ask(
        aws,
        &format!(
            "client('s3').get_object(Bucket='{bucket}', Key='config/pgkeep.toml')['Body'].read().decode()"
        ),
    );
    text.as_str().unwrap().to_owned()
}
