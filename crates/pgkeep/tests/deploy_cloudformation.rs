//! The CloudFormation template: judged by cfn-lint and checkov, made into a stack in an emulated AWS, and what it made of
//! the function driven as Lambda drives it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod deploy_support;
mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use deploy_support::{
    OF_LAMBDA, TIME, allows_what_is_used, ask, checkov, deployed, file, invoke, plant_dead_run, policy, with,
};
use pgkeep_testbed::{Aws, Database, Lambda, LambdaAnswer, S3, Server, compare_databases, python};
use serde_json::json;
use support::succeed;

const STACK: &str = "devdb-prodau-backup";

#[test]
fn cfn_lint_and_checkov_find_nothing_that_is_not_explained() {
    let template = file("cloudformation/template.yaml");
    let packages = std::env::var("PGKEEP_TEST_AWS").expect("PGKEEP_TEST_AWS is set by `. .bed/env`");
    succeed(python().arg(Path::new(&packages).join("bin/cfn-lint")).arg(&template));
    checkov(&["-f", template.to_str().unwrap(), "--framework", "cloudformation"]);
}

/// What the guide says, up to the stack; its parameters beside `VpcId` and `SubnetIds`.
fn stack(aws: &Aws, parameters: &[(&str, &str)]) {
    let vpc = ask(aws, "client('ec2').create_vpc(CidrBlock='10.0.0.0/16')['Vpc']['VpcId']");
    let vpc = vpc.as_str().unwrap();
    let subnet = |zone: &str, net: &str| {
        let call = format!(
            "client('ec2').create_subnet(VpcId='{vpc}', CidrBlock='{net}', AvailabilityZone='{zone}')['Subnet']['SubnetId']"
        );
        ask(aws, &call).as_str().unwrap().to_owned()
    };
    let subnets = [subnet("eu-central-1a", "10.0.1.0/24"), subnet("eu-central-1b", "10.0.2.0/24")].join(",");
    let all = [("VpcId", vpc), ("SubnetIds", subnets.as_str())].into_iter().chain(parameters.iter().copied());
    let parameters: Vec<_> =
        all.map(|(key, value)| json!({"ParameterKey": key, "ParameterValue": value})).collect();
    let place = "Bucket='your-deployment-bucket'";
    let made = ask(
        aws,
        &format!(
            "[str(client('s3').create_bucket({place}, CreateBucketConfiguration=dict(LocationConstraint='eu-central-1'))), \
             str(client('s3').put_object({place}, Key='function.zip', Body=b'a package')), \
             str(client('cloudformation').create_stack(StackName='{STACK}', TemplateBody=open('{}').read(), \
             Capabilities=['CAPABILITY_IAM'], Parameters=json.loads('{}')))]",
            file("cloudformation/template.yaml").display(),
            json!(parameters)
        ),
    );
    assert_eq!(made.as_array().unwrap().len(), 3);
    let status = ask(
        aws,
        &format!("client('cloudformation').describe_stacks(StackName='{STACK}')['Stacks'][0]['StackStatus']"),
    );
    assert_eq!(status, "CREATE_COMPLETE");
}

/// RDS whose instances are on this machine.
struct RdsHere {
    child: Child,
    endpoint: String,
}

impl RdsHere {
    fn before(aws: &Aws) -> RdsHere {
        let mut command = python();
        command.args(["-c", include_str!("deploy_support/rds_here.py"), &aws.endpoint]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        RdsHere { child, endpoint: format!("http://127.0.0.1:{}", port.trim()) }
    }
}

impl Drop for RdsHere {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_rds_instance_into_a_bucket_by_event_as_the_dev_database_system_has_it() {
    let (server, source) = (Server::major(17), support::shop::shop(17));
    let bucket = S3::from_env().create_bucket("devdb");
    let aws = Aws::start();
    // As RDS writes it. The emulator does not make secrets of stacks.
    let secret = aws.secret("rds", r#"{"username": "postgres", "password": "secret"}"#);
    stack(&aws, &[("DbSecretArn", &secret), ("TargetBucket", bucket.name())]);
    let _ = ask(
        &aws,
        &format!(
            "str(client('rds').create_db_instance(DBInstanceIdentifier='localhost', Engine='postgres', \
             DBInstanceClass='db.m5.large', AllocatedStorage=20, DBName='{}', Port={}, MasterUsername='app', \
             MasterUserPassword='planted-master'))",
            source.name(),
            server.port()
        ),
    );
    let outputs = ask(
        &aws,
        &format!(
            "{{o['OutputKey']: o['OutputValue'] for o in client('cloudformation').describe_stacks(StackName='{STACK}')['Stacks'][0]['Outputs']}}"
        ),
    );
    let group = outputs["BackupLambdaSecurityGroupId"].as_str().unwrap();
    let function = ask(&aws, &format!("client('lambda').get_function_configuration(FunctionName='{STACK}')"));
    assert_eq!(function["VpcConfig"]["SecurityGroupIds"], json!([group]));
    assert_eq!((&function["Timeout"], &function["MemorySize"]), (&900.into(), &1024.into()));
    assert_eq!(function["Environment"]["Variables"], json!({ "DB_SECRET": secret }));
    let days = ask(&aws, "client('logs').describe_log_groups()['logGroups'][0]['retentionInDays']");
    assert_eq!(days, 14);

    let rds = RdsHere::before(&aws);
    let event = json!({
        "rdsInstance": "localhost", "sourceRegion": "eu-central-1", "targetBucket": bucket.name(),
        "targetRegion": S3::REGION,
    });
    let mut command = with(&bucket, deployed(&aws, STACK));
    command.env("AWS_ENDPOINT_URL_RDS", &rds.endpoint);
    let answer = invoke(&mut command, &event.to_string());
    let start = format!("backups/localhost/{}/", source.name());
    let dumps: Vec<String> = bucket.keys().into_iter().filter(|key| key.ends_with(".dump")).collect();
    let [dump] = dumps.as_slice() else { panic!("{dumps:?}") };
    assert!(dump.starts_with(&start), "{dump}: {answer}");
    // What the dev-database system does with it.
    let archive = tempfile::NamedTempFile::new().unwrap();
    bucket.download(dump, archive.path());
    let target = Database::create(&server, "target");
    let mut restore = Command::new(server.bin_dir().join("pg_restore"));
    succeed(restore.args(["--no-owner", "--exit-on-error", "-d", &target.url()]).arg(archive.path()));
    compare_databases(&source, &target).unwrap();

    // The role lets it do all that it asks for, and no more.
    let make = format!(
        "str(client('s3').create_bucket(Bucket='{}', CreateBucketConfiguration=dict(LocationConstraint='eu-central-1')))",
        bucket.name()
    );
    let _ = ask(&aws, &make);
    plant_dead_run(&aws, bucket.name(), "", "backups/dead.dump");
    let role = ask(&aws, "client('iam').list_roles()['Roles'][0]['RoleName']");
    let policy = policy(&aws, role.as_str().unwrap());
    let mut command = deployed(&aws, STACK);
    command.env("AWS_ENDPOINT_URL_RDS", &rds.endpoint);
    aws.record();
    let event = json!({
        "rdsInstance": "localhost", "targetBucket": bucket.name(), "targetKey": "optional/custom/path/backup.dump",
    });
    invoke(&mut command, &event.to_string());
    // A name that no instance has may be a cluster's.
    let event = json!({ "rdsInstance": "nowhere", "targetBucket": bucket.name() });
    let LambdaAnswer::Error(told) = Lambda::start(&mut command).invoke(&event.to_string(), TIME) else {
        panic!("a backup of nothing")
    };
    assert!(told.contains("nowhere"), "{told}");
    allows_what_is_used(&aws, &policy, OF_LAMBDA);
}

#[test]
fn user_and_password_are_parameters_and_the_password_goes_into_a_secret_alone() {
    let aws = Aws::start();
    stack(&aws, &[("DbUser", "app"), ("DbPassword", "planted-password")]);
    let function = ask(&aws, &format!("client('lambda').get_function_configuration(FunctionName='{STACK}')"));
    assert_eq!(function["Environment"]["Variables"]["DB_USER"], "app");
    assert!(!function.to_string().contains("planted-password"), "{function}");
    let template = std::fs::read_to_string(file("cloudformation/template.yaml")).unwrap();
    let uses: Vec<&str> =
        template.lines().filter(|line| line.contains("!Ref DbPassword")).map(str::trim).collect();
    assert_eq!(
        uses,
        [
            "- !And [!Not [!Equals [!Ref DbUser, \"\"]], !Not [!Equals [!Ref DbPassword, \"\"]]]",
            "SecretString: !Ref DbPassword"
        ]
    );
}

#[test]
fn the_guide_has_the_lifecycle_that_aws_takes() {
    let aws = Aws::start();
    let put = format!(
        "[str(client('s3').create_bucket(Bucket='your-backup-bucket', CreateBucketConfiguration=dict(LocationConstraint='eu-central-1'))), \
         str(client('s3').put_bucket_lifecycle_configuration(Bucket='your-backup-bucket', LifecycleConfiguration=json.load(open('{}')))), \
         client('s3').get_bucket_lifecycle_configuration(Bucket='your-backup-bucket')['Rules'][0]['Transitions'][0]][2]",
        file("cloudformation/lifecycle.json").display()
    );
    assert_eq!(ask(&aws, &put), json!({ "Days": 30, "StorageClass": "STANDARD_IA" }));
}
