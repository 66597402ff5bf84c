//! `pgkeep vault`, against the scripted AWS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::process::{Command, Output};

use pgkeep_testbed::{Aws, AwsFake, Database, Server};
use serde_json::{Value, json};
use support::{output, program, succeed};
use tempfile::TempDir;

const DATABASE: &str = "arn:aws:rds:eu-central-1:123456789012:db:chat-db";
const CLUSTER: &str = "arn:aws:rds:eu-central-1:123456789012:cluster:chat-cluster";
const VAULT: &str = "chat-backup-vault";

/// A fake in which ten minutes pass with every request, and a folder with the configuration.
struct Account {
    fake: AwsFake,
    dir: TempDir,
}

impl Account {
    fn with(more: &str) -> Account {
        let account = Account { fake: AwsFake::start(), dir: tempfile::tempdir().unwrap() };
        account.order(json!({ "do": "set", "tick": 600 }));
        account.configure(more);
        account
    }

    /// With vault, plan, selection and role in place.
    fn applied(more: &str) -> Account {
        let account = Account::with(more);
        succeed(&mut account.pgkeep(&["apply"]));
        account
    }

    fn configure(&self, more: &str) {
        let text =
            format!("[aws_backup]\nname = 'chat'\npreset = 'prod'\nresources = ['{DATABASE}']\n{more}");
        std::fs::write(self.dir.path().join("pgkeep.toml"), text).unwrap();
    }

    fn order(&self, order: Value) -> Value {
        serde_json::from_str(&self.fake.order(&order.to_string())).unwrap()
    }

    fn state(&self) -> Value {
        self.order(json!({ "do": "state", "service": "backup" }))
    }

    fn fault(&self, operation: &str, fault: Value) {
        let mut order = json!({ "do": "fault", "operation": operation });
        order.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        self.order(order);
    }

    /// A job that a rule of the plan began.
    fn job(&self, resource: &str, rule: &str, more: Value) {
        let plan = self.state()["plans"][0]["id"].clone();
        let mut order = json!({ "do": "job", "service": "backup", "region": Aws::REGION, "vault": VAULT,
            "resource": resource, "plan": plan, "rule": rule });
        order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.order(order);
    }

    fn pgkeep(&self, words: &[&str]) -> Command {
        let mut command = program();
        command.current_dir(self.dir.path()).envs(self.fake.environment()).arg("vault").args(words);
        if ["apply", "restore", "backup", "copy"].contains(&words[0]) {
            command.args(["--poll", "10ms"]);
        }
        command
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_slice(&output(self.pgkeep(words).arg("--json")).stdout).unwrap()
    }
}

#[track_caller]
fn failed(out: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "\"{word}\" is not said: {said}");
    }
}

fn kinds(status: &Value) -> Vec<&str> {
    status["findings"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap()).collect()
}

#[test]
fn apply_makes_what_plan_shows_and_then_there_is_nothing_to_do() {
    let account = Account::with(
        "vault_lock = { mode = 'governance', min_days = 7 }\naccess_policy = '{\"Version\":\"2012-10-17\",\"Statement\":[]}'",
    );
    let shown = String::from_utf8(succeed(&mut account.pgkeep(&["plan"]))).unwrap();
    assert!(
        shown.contains("would    create vault chat-backup-vault") && shown.contains("governance"),
        "{shown}"
    );
    assert_eq!(account.state()["vaults"], json!([]), "plan changes nothing");
    succeed(&mut account.pgkeep(&["apply"]));
    let state = account.state();
    let rules = state["plans"][0]["plan"]["Rules"].as_array().unwrap();
    assert_eq!(rules.len(), 2);
    assert_eq!(
        (&rules[0]["ScheduleExpression"], &rules[0]["EnableContinuousBackup"]),
        (&json!("cron(0 3 * * ? *)"), &json!(true))
    );
    assert_eq!(rules[1]["Lifecycle"], json!({ "DeleteAfterDays": 90 }));
    assert_eq!(state["vaults"][0]["lock"]["MinRetentionDays"], 7);
    let roles = account.order(json!({ "do": "roles", "service": "iam" }));
    assert_eq!(roles[0]["policies"].as_array().unwrap().len(), 2);
    assert!(String::from_utf8(succeed(&mut account.pgkeep(&["apply"]))).unwrap().contains("nothing to do"));
    assert_eq!(account.json(&["plan"])["steps"], json!([]));

    account.configure("vault_lock = { mode = 'governance', min_days = 7 }\n[aws_backup.rules.daily-backup]\ndelete_after = 14");
    let plan = account.json(&["plan"]);
    assert_eq!(plan["steps"][0], json!({ "step": "set_policy", "policy": null }));
    assert_eq!(
        plan["steps"][1]["differences"],
        json!(["rule daily-backup: lifecycle.delete_after: 35 → 14"])
    );
    assert_eq!(kinds(&account.json(&["status"])), ["drift"]);
    succeed(&mut account.pgkeep(&["apply"]));
    let state = account.state();
    assert_eq!((&state["plans"][0]["version"], &state["vaults"][0]["policy"]), (&json!(2), &json!(null)));
}

#[test]
fn answers_that_are_lost_and_roles_that_are_not_known_yet_make_nothing_twice() {
    let account = Account::with("");
    for operation in ["CreateBackupVault", "CreateBackupPlan", "CreateRole"] {
        account.fault(operation, json!({ "kind": "lost" }));
    }
    account.fault(
        "CreateBackupSelection",
        json!({ "kind": "error", "code": "InvalidParameterValueException", "message": "The IAM role cannot be assumed" }),
    );
    // The pause before the role is looked for again is one of five seconds.
    succeed(&mut account.pgkeep(&["apply"]));
    let state = account.state();
    assert_eq!((state["vaults"].as_array().unwrap().len(), state["plans"].as_array().unwrap().len()), (1, 1));
    assert_eq!(state["plans"][0]["selections"].as_object().unwrap().len(), 1);
}

#[test]
fn what_aws_refuses_is_told_with_the_action_and_the_next_run_goes_on() {
    let account = Account::with("");
    account.fault(
        "CreateBackupPlan",
        json!({ "kind": "error", "code": "AccessDenied", "message": "no", "status": 403 }),
    );
    failed(&output(&mut account.pgkeep(&["apply"])), 1, &["chat-backup-plan", "backup:CreateBackupPlan"]);
    let plan = account.json(&["plan"]);
    let left: Vec<_> =
        plan["steps"].as_array().unwrap().iter().map(|s| s["step"].as_str().unwrap()).collect();
    assert_eq!(left, ["create_plan", "create_selection"]);
    succeed(&mut account.pgkeep(&["apply"]));
    failed(
        &output(account.pgkeep(&["recovery-points"]).env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")),
        1,
        &["network"],
    );
}

#[test]
fn a_lock_for_good_wants_the_vaults_name() {
    let account = Account::with("vault_lock = { mode = 'compliance', changeable_for_days = 3 }");
    failed(
        &output(&mut account.pgkeep(&["apply"])),
        2,
        &["nobody can remove it", "--lock-for-good chat-backup-vault"],
    );
    failed(&output(&mut account.pgkeep(&["apply", "--lock-for-good", "other"])), 2, &["--lock-for-good"]);
    assert_eq!(account.state()["vaults"], json!([]));
    succeed(&mut account.pgkeep(&["apply", "--lock-for-good", VAULT]));
    assert!(account.state()["vaults"][0]["lock"]["LockDate"].is_string());
    assert_eq!(account.json(&["plan"])["steps"], json!([]));
    account.configure("");
    let out = output(&mut account.pgkeep(&["apply"]));
    failed(&out, 1, &["1 difference"]);
    assert!(String::from_utf8_lossy(&out.stdout).contains("compliance"));
}

#[test]
fn what_aws_would_refuse_is_told_before_it_is_asked() {
    let account = Account::with("[aws_backup.rules.daily-backup]\ndelete_after = 36\nstart_window = 5");
    failed(&output(&mut account.pgkeep(&["plan"])), 2, &["1 to 35 days", "wants 60"]);
    assert_eq!(account.order(json!({ "do": "calls" })), json!([]));
    let empty = tempfile::tempdir().unwrap();
    failed(&output(account.pgkeep(&["plan"]).current_dir(empty.path())), 2, &["says nothing of AWS Backup"]);
}

#[test]
fn status_tells_what_is_overdue_failing_and_stuck() {
    let account = Account::with("");
    // The plan is three days old by the real clock, which decides what is overdue.
    let past = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(72);
    account.order(
        json!({ "do": "set", "tick": 0, "now": past.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string() }),
    );
    succeed(&mut account.pgkeep(&["apply"]));
    let status = account.json(&["status"]);
    assert!(kinds(&status).contains(&"overdue"), "{status}");
    failed(&output(&mut account.pgkeep(&["status"])), 1, &["finding"]);

    let now = jiff::Timestamp::now();
    account.order(json!({ "do": "set", "now": now.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string() }));
    for rule in ["daily-backup", "weekly-backup"] {
        account.job(DATABASE, rule, json!({ "continuous": true, "days": 35 }));
    }
    account.order(json!({ "do": "set", "backup.fates": ["fail"] }));
    account.job(CLUSTER, "daily-backup", json!({ "resource_type": "Aurora" }));
    let running = account.json(&["status"]);
    assert_eq!(running["jobs"][0]["state"], "scheduled");
    account.order(json!({ "do": "advance", "seconds": 7200 }));
    let status = account.json(&["status"]);
    assert_eq!(kinds(&status), ["failing"], "{status}");
    let told = &status["findings"][0];
    assert!(told["what"].as_str().unwrap().contains("AWSBackupServiceRolePolicyForBackup"), "{told}");
    assert_eq!(status["recovery_points"]["stored"], 2);
    let screen = String::from_utf8_lossy(&output(&mut account.pgkeep(&["status"])).stdout).into_owned();
    assert!(screen.contains("2 stored") && screen.contains("FINDING"), "{screen}");
}

#[test]
fn a_recovery_point_is_restored_under_another_name_with_what_the_flags_say() {
    let account = Account::applied("");
    account.job(DATABASE, "daily-backup", json!({ "continuous": true, "days": 35 }));
    account.order(json!({ "do": "advance", "seconds": 7200 }));
    let listed = String::from_utf8(succeed(&mut account.pgkeep(&["recovery-points", "chat-db"]))).unwrap();
    assert!(listed.contains("continuous") && listed.lines().count() == 2, "{listed}");
    let mut list = program();
    list.current_dir(account.dir.path())
        .envs(account.fake.environment())
        .args(["list", "--json", "--store", "store"]);
    let lines = String::from_utf8(succeed(&mut list)).unwrap();
    assert!(lines.contains("\"type\":\"aws-backup\"") && lines.contains("chat-db"), "{lines}");
    failed(&output(&mut account.pgkeep(&["restore", "chat-db", "--name", "chat-db"])), 2, &["another name"]);
    failed(&output(&mut account.pgkeep(&["restore", "nothing", "--name", "x"])), 2, &["no recovery point"]);
    let words = [
        "restore",
        "chat-db",
        "--name",
        "chat-new",
        "--class",
        "db.t3.small",
        "--security-group",
        "sg-9",
        "--set",
        "MultiAZ=false",
        "--to",
        "2026-01-15T10:30:00Z",
    ];
    let dry: Vec<&str> = words.iter().copied().chain(["--dry-run"]).collect();
    let asked = account.json(&dry)["metadata"].clone();
    assert_eq!(account.state()["restores"], json!([]));
    succeed(&mut account.pgkeep(&words));
    let state = account.state();
    let sent = &state["restores"][0]["metadata"];
    assert_eq!(sent, &asked);
    assert_eq!(
        (&sent["DBInstanceIdentifier"], &sent["DBInstanceClass"], &sent["RestoreTime"], &sent["MultiAZ"]),
        (&json!("chat-new"), &json!("db.t3.small"), &json!("2026-01-15T10:30:00Z"), &json!("false"))
    );
    assert_eq!(
        (&sent["VpcSecurityGroupIds"], &sent["DBSubnetGroupName"]),
        (&json!("[\"sg-9\"]"), &json!("default"))
    );
    let databases = account.order(json!({ "do": "databases" }));
    assert!(databases.as_array().unwrap().iter().any(|d| d["name"] == "chat-new"), "{databases}");

    account.order(json!({ "do": "set", "backup.fates": ["fail"] }));
    let out = output(&mut account.pgkeep(&["restore", "chat-db", "--name", "chat-3", "--latest"]));
    failed(&out, 1, &["restore of chat-3", "subnet group does not exist"]);
}

#[test]
fn what_was_restored_is_read_whole_by_a_drill_and_removed() {
    let chat = Database::create(&Server::major(17), "vault_drill");
    chat.psql("create table t as select generate_series(1, 1000) as i");
    let account = Account::applied("");
    let url = chat.url();
    let place = url.split('@').nth(1).and_then(|rest| rest.split('/').next()).unwrap();
    let (host, port) = place.split_once(':').unwrap();
    account.order(json!({ "do": "set", "rds.place": [host, port.parse::<u16>().unwrap()] }));
    account.configure(&format!("[databases.chat]\nurl = '{}'", url.replace(place, "db.invalid:5432")));
    account.job(DATABASE, "daily-backup", json!({ "days": 35 }));
    account.order(json!({ "do": "advance", "seconds": 7200 }));
    let words = ["restore", "chat-db", "--name", "Chat-Drill", "--drill", "chat", "--remove", "--check"];
    let done = account.json(&[&words[..], &["select count(*) = 1000 from t"]].concat());
    assert_eq!((&done["drill"]["rows"], &done["removed"]), (&1000.into(), &true.into()), "{done}");
    let databases = || account.order(json!({ "do": "databases" }));
    assert_eq!(databases(), json!([]));
    let out = output(&mut account.pgkeep(&[&words[..], &["select count(*) = 1001 from t"]].concat()));
    failed(&out, 3, &["not true"]);
    assert_eq!(databases(), json!([]));

    account.job(CLUSTER, "daily-backup", json!({ "resource_type": "Aurora", "days": 35 }));
    account.order(json!({ "do": "advance", "seconds": 7200 }));
    let made = account.json(&["restore", "chat-cluster", "--name", "chat-c", "--class", "db.r6g.large"]);
    assert_eq!((&made["instance"], &made["ok"]), (&json!("chat-c"), &json!(true)));
    let all = databases();
    let cluster = all.as_array().unwrap().iter().find(|d| d["kind"] == "cluster").unwrap();
    assert_eq!(
        (&cluster["members"], &cluster["tags"]["pgkeep:restored"]),
        (&json!(["chat-c-1"]), &json!("chat-c"))
    );
}

#[test]
fn jobs_on_demand_and_copies_are_waited_for_or_not() {
    let account = Account::applied("");
    let done = account.json(&["backup", DATABASE]);
    assert_eq!(done["state"], "completed");
    assert_eq!(
        account.state()["points"][0]["days"],
        35,
        "kept as the rule says that keeps for the shortest time"
    );
    let elsewhere = "arn:aws:backup:us-west-2:123456789012:backup-vault:dr";
    let copied = account.json(&["copy", "chat-db", "--into", elsewhere, "--delete-after", "90"]);
    assert_eq!(copied["state"], "completed");
    assert!(copied["recovery_point"].as_str().unwrap().contains("us-west-2"));
    let started = account.json(&["copy", "chat-db", "--into", elsewhere, "--no-wait"]);
    assert_eq!(started["state"], "started");
    failed(&output(&mut account.pgkeep(&["backup", "chat-db"])), 2, &["by their ARN"]);
    account.order(json!({ "do": "set", "backup.fates": ["expire"] }));
    failed(&output(&mut account.pgkeep(&["backup", DATABASE])), 1, &["EXPIRED"]);
}

#[test]
fn the_cost_of_twenty_gigabytes_is_that_of_the_documents_table() {
    let account = Account::with("");
    let cost = account.json(&["cost", "--size", "20GB"]);
    assert_eq!(format!("{:.2}", cost["cost"]["month"].as_f64().unwrap()), "4.17");
    let screen = String::from_utf8(succeed(&mut account.pgkeep(&["cost", "--size", "20GB"]))).unwrap();
    assert!(screen.contains("$1.17") && screen.contains("$3.00") && screen.contains("supposes"), "{screen}");
    let prices = String::from_utf8(succeed(&mut account.pgkeep(&["cost", "--list-prices"]))).unwrap();
    let file = account.dir.path().join("prices.toml");
    std::fs::write(&file, prices.replace("0.05", "0.10")).unwrap();
    let dearer = account.json(&["cost", "--size", "20GB", "--prices", file.to_str().unwrap()]);
    assert_eq!(format!("{:.2}", dearer["cost"]["month"].as_f64().unwrap()), "8.33");
}
