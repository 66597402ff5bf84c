//! The Terraform modules against an emulator of AWS: they apply, a second plan is empty, and what stands there is right.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pgkeep_testbed::{Aws, python};
use serde_json::Value;
use tempfile::TempDir;

/// The provider's settings for an emulator.
const EMULATOR: &str = "provider \"aws\" {
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
  max_retries                 = 2
}
";

/// A copy of `deploy/terraform`, and one of its folders in use.
struct Deployment {
    copy: TempDir,
    folder: &'static str,
    aws: Aws,
}

impl Deployment {
    fn of(folder: &'static str, variables: &str) -> Deployment {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/terraform"), copy.path());
        let deployment = Deployment { copy, folder, aws: Aws::start() };
        let place = deployment.place();
        fs::write(place.join("emulator_override.tf"), EMULATOR).unwrap();
        fs::write(place.join("terraform.tfvars"), variables).unwrap();
        fs::write(place.join("pgkeep-lambda.zip"), "a package").unwrap();
        deployment.terraform(&["init", "-input=false"]);
        deployment
    }

    fn place(&self) -> PathBuf {
        self.copy.path().join(self.folder)
    }

    fn run(&self, words: &[&str]) -> Output {
        let settings = self.copy.path().join("terraform.rc");
        // Machines without a mirror of their own ask the registry.
        let mirror = Path::new("/opt/tf-plugins").is_dir();
        let installation =
            "provider_installation {\n  filesystem_mirror {\n    path = \"/opt/tf-plugins\"\n  }\n}\n";
        fs::write(&settings, if mirror { installation } else { "" }).unwrap();
        let mut command = Command::new("terraform");
        command.current_dir(self.place()).env("TF_CLI_CONFIG_FILE", settings).env("TF_IN_AUTOMATION", "1");
        command.envs(self.aws.environment()).args(words).arg("-no-color").output().expect("terraform runs")
    }

    #[track_caller]
    fn terraform(&self, words: &[&str]) -> String {
        let out = self.run(words);
        let (said, error) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success(), "terraform {words:?}: {said}\n{error}");
        said.into_owned()
    }

    /// Applies, and expects that a second plan has nothing to do.
    #[track_caller]
    fn apply(&self) {
        self.terraform(&["validate"]);
        self.terraform(&["apply", "-auto-approve", "-input=false"]);
        let plan = self.run(&["plan", "-detailed-exitcode", "-input=false"]);
        assert_eq!(plan.status.code(), Some(0), "{}", String::from_utf8_lossy(&plan.stdout));
    }

    /// What boto3 says of what stands there: a Python expression over `client(service)`.
    #[track_caller]
    fn ask(&self, expression: &str) -> Value {
        let script = format!(
            "import boto3, json\ndef client(service):\n    return boto3.client(service, region_name='{}', \
             endpoint_url='{}')\nprint(json.dumps({expression}, default=str))",
            Aws::REGION,
            self.aws.endpoint
        );
        let out = python().envs(self.aws.environment()).args(["-c", &script]).output().unwrap();
        assert!(out.status.success(), "{expression}: {}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice(&out.stdout).unwrap()
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            // What a `terraform init` by hand left.
            true if entry.file_name() == ".terraform" => {}
            true => copy_folder(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn several_databases_every_three_hours_as_the_deployment_guide_has_it() {
    let variables = r#"
        databases = [{ host = "db", port = 5432, username = "u", password = "planted-password", database = "d", ssl_mode = "require" }]
        backup_bucket_name = "my-postgres-backup-storage"
        alarm_sns_topic_arn = "arn:aws:sns:eu-central-1:123456789012:backup-alerts"
        aws_region = "eu-central-1"
    "#;
    let deployment = Deployment::of("postgres-backup", variables);
    deployment.apply();
    let rule = deployment.ask("client('events').list_rules()['Rules'][0]['ScheduleExpression']");
    assert_eq!(rule, "rate(3 hours)");
    let group = deployment.ask("client('logs').describe_log_groups()['logGroups'][0]");
    assert_eq!(
        (&group["logGroupName"], &group["retentionInDays"]),
        (&"/aws/lambda/postgres-backup-service".into(), &14.into())
    );
    let function =
        deployment.ask("client('lambda').get_function_configuration(FunctionName='postgres-backup-service')");
    assert!(!function.to_string().contains("planted-password"), "{function}");
    let variables = &function["Environment"]["Variables"];
    assert_eq!(variables["PGKEEP_STORE"], "s3://my-postgres-backup-storage/postgres-backup");
    let secret = variables["PGKEEP_DATABASES_SECRET"].as_str().unwrap();
    let kept = deployment
        .ask(&format!("client('secretsmanager').get_secret_value(SecretId='{secret}')['SecretString']"));
    let list: Value = serde_json::from_str(kept.as_str().unwrap()).unwrap();
    assert_eq!(list[0]["password"], "planted-password");
    let alarms = deployment
        .ask("sorted(a['MetricName'] for a in client('cloudwatch').describe_alarms()['MetricAlarms'])");
    assert_eq!(alarms, serde_json::json!(["Duration", "Errors"]));
    bucket_is_safe(&deployment, "my-postgres-backup-storage");
    let rules = deployment
        .ask("client('s3').get_bucket_lifecycle_configuration(Bucket='my-postgres-backup-storage')['Rules']");
    let rules = rules.as_array().unwrap();
    let rule = |id: &str| rules.iter().find(|r| r["ID"] == id).unwrap();
    assert_eq!(
        (&rule("expire-backups")["Expiration"]["Days"], &rule("expire-backups")["Filter"]["Prefix"]),
        (&2.into(), &"postgres-backup/".into())
    );
    assert_eq!(rule("clean-versions")["NoncurrentVersionExpiration"]["NoncurrentDays"], 30);
    let refused = deployment.run(&["destroy", "-auto-approve", "-input=false"]);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && told.contains("prevent_destroy"), "the bucket is protected: {told}");
}

#[test]
fn a_supabase_database_every_week_with_an_e_mail_when_it_fails() {
    let variables = r#"
        supabase_db_url = "postgres://postgres.ref:planted-password@aws-0-us-east-1.pooler.supabase.com:6543/postgres"
        alert_email = "you@example.com"
        aws_region = "eu-central-1"
    "#;
    let deployment = Deployment::of("supabase-backup", variables);
    deployment.apply();
    assert_eq!(
        deployment.ask("client('events').list_rules()['Rules'][0]['ScheduleExpression']"),
        "rate(7 days)"
    );
    let alarms = deployment.ask("sorted((a['MetricName'], a['AlarmActions']) for a in client('cloudwatch').describe_alarms()['MetricAlarms'])");
    let topic = deployment.ask("client('sns').list_topics()['Topics'][0]['TopicArn']");
    assert_eq!(alarms, serde_json::json!([["Errors", [topic]], ["Throttles", [topic]]]));
    let told = deployment
        .ask("[(s['Protocol'], s['Endpoint']) for s in client('sns').list_subscriptions()['Subscriptions']]");
    assert_eq!(told, serde_json::json!([["email", "you@example.com"]]));
    let function =
        deployment.ask("client('lambda').get_function_configuration(FunctionName='pana_db_backup')");
    assert!(!function.to_string().contains("planted-password"), "{function}");
    bucket_is_safe(&deployment, "pana-db-backups");
    let days = deployment.ask("[r['Expiration']['Days'] for r in client('s3').get_bucket_lifecycle_configuration(Bucket='pana-db-backups')['Rules'] if 'Expiration' in r]");
    assert_eq!(days, serde_json::json!([30]));
}

#[track_caller]
fn bucket_is_safe(deployment: &Deployment, bucket: &str) {
    let ask = |call: &str| deployment.ask(&format!("client('s3').{call}(Bucket='{bucket}')"));
    assert_eq!(ask("get_bucket_versioning")["Status"], "Enabled");
    let rules = &ask("get_bucket_encryption")["ServerSideEncryptionConfiguration"]["Rules"];
    assert_eq!(rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256");
    let block = &ask("get_public_access_block")["PublicAccessBlockConfiguration"];
    for setting in ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"] {
        assert_eq!(block[setting], true, "{setting}");
    }
    assert!(ask("get_bucket_policy")["Policy"].as_str().unwrap().contains("aws:SecureTransport"));
}

#[test]
fn values_that_make_no_sense_are_refused_with_what_to_write() {
    let variables = r#"
        databases = [{ host = "db", username = "u", password = "p", database = "d", ssl_mode = "maybe" }]
        backup_bucket_name = "My_Bucket"
        log_level = "loud"
    "#;
    let deployment = Deployment::of("postgres-backup", variables);
    let out = deployment.run(&["plan", "-input=false"]);
    let told = String::from_utf8_lossy(&out.stderr).replace('\n', " ");
    for words in ["verify-full", "lower case letters", "error, warn, info or debug"] {
        assert!(told.contains(words), "{words}: {told}");
    }
}
