//! `pgkeep rds snapshot`, against the scripted AWS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;
use std::process::{Command, Output};

use pgkeep_testbed::{AwsFake, Database, Server};
use serde_json::{Value, json};
use support::{output, program, succeed};
use tempfile::TempDir;

const THERE: &str = "us-west-2";

/// A fake in which a minute passes with every request, and a folder for the configuration.
struct Account {
    fake: AwsFake,
    dir: TempDir,
}

impl Account {
    fn with(names: &[&str]) -> Account {
        let account = Account { fake: AwsFake::start(), dir: tempfile::tempdir().unwrap() };
        account.order(json!({ "do": "set", "tick": 60 }));
        for name in names {
            account.order(json!({ "do": "database", "region": pgkeep_testbed::Aws::REGION, "name": name }));
        }
        account
    }

    fn order(&self, order: Value) -> Value {
        serde_json::from_str(&self.fake.order(&order.to_string())).unwrap()
    }

    fn snapshots(&self, region: &str) -> Vec<Value> {
        self.order(json!({ "do": "snapshots", "region": region })).as_array().unwrap().clone()
    }

    fn pgkeep(&self, words: &[&str]) -> Command {
        let mut command = program();
        command.current_dir(self.dir.path()).envs(self.fake.environment()).env("PGKEEP_RDS_POLL", "10ms");
        command.args(["rds", "snapshot"]).args(words);
        command
    }

    fn configure(&self, text: &str) {
        std::fs::write(Path::new(self.dir.path()).join("pgkeep.toml"), text).unwrap();
    }
}

fn lines(out: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(out).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
fn failed(out: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "\"{word}\" is not said: {said}");
    }
}

#[test]
fn what_is_configured_for_a_database_is_made_tagged_shared_copied_and_pruned() {
    let account = Account::with(&["shop-prod"]);
    account.configure(
        "[databases.shop]\nurl = 'postgres://db.example.com/shop'\nrds_instance = 'shop-prod'\n\
         rds_tag = ['Owner=DBA Team']\nrds_share = ['111122223333']\n\
         rds_copy_to = ['us-west-2']\nrds_prune = true\nrds_keep_last = 2\nrds_copy_keep = ['last=1']",
    );
    let mut names = Vec::new();
    for hour in 0..3 {
        let at = format!("2026-01-01T0{hour}:00:00Z");
        let out =
            succeed(account.pgkeep(&["create", "--json", "--at", &at]).env("PGKEEP_RDS_EXPECT_EVERY", "0"));
        let made = lines(&out).pop().unwrap();
        assert_eq!(
            (&made["ok"], &made["database"], &made["taken_up"]),
            (&true.into(), &"shop".into(), &false.into())
        );
        assert_eq!(made["copies"][0]["snapshots"][0], made["id"]);
        names.push(made["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(names[0], "shop-prod-20260101000000");
    let here = account.snapshots(pgkeep_testbed::Aws::REGION);
    assert_eq!(here.iter().map(|s| s["name"].as_str().unwrap()).collect::<Vec<_>>(), [&names[1], &names[2]]);
    assert_eq!(
        (&here[0]["tags"]["Owner"], &here[0]["shared"][0]),
        (&"DBA Team".into(), &"111122223333".into())
    );
    let there = account.snapshots(THERE);
    assert_eq!(there.iter().map(|s| s["name"].as_str().unwrap()).collect::<Vec<_>>(), [&names[2]]);

    let listed = lines(&succeed(&mut account.pgkeep(&["list", "--json"])));
    let told: Vec<_> =
        listed.iter().map(|l| (l["id"].as_str().unwrap(), l["region"].as_str().unwrap())).collect();
    assert_eq!(told, [(&*names[1], "eu-central-1"), (&*names[2], "eu-central-1"), (&*names[2], "us-west-2")]);
    assert!(
        listed.iter().all(|l| l["type"] == "rds-snapshot" && l["ours"] == true && l["taken"].is_string())
    );
    let text = String::from_utf8(succeed(&mut account.pgkeep(&["list"]))).unwrap();
    assert!(text.contains("shop-prod-20260101010000") && text.contains("unencrypted"), "{text}");
    // In the catalogue of backups they stand by themselves.
    let mut list = program();
    list.current_dir(account.dir.path()).envs(account.fake.environment()).args(["list", "shop", "--json"]);
    let all = lines(&succeed(&mut list));
    assert!(all.len() == 3 && all.iter().all(|l| l["type"] == "rds-snapshot"), "{all:?}");
}

#[test]
fn a_copy_that_fails_leaves_the_snapshot_and_its_own_exit_code() {
    let account = Account::with(&["shop"]);
    account.order(
        json!({ "do": "fault", "operation": "CopyDBSnapshot", "kind": "error", "code": "AccessDenied",
        "message": "no", "status": 403 }),
    );
    let out = output(&mut account.pgkeep(&["create", "shop", "--copy-to", THERE, "--json"]));
    failed(&out, 10, &["us-west-2 has no copy", "rds:CopyDBSnapshot"]);
    let line = lines(&out.stdout).pop().unwrap();
    assert_eq!((&line["ok"], &line["error"]["kind"]), (&false.into(), &"degraded".into()));
    assert_eq!(account.snapshots(pgkeep_testbed::Aws::REGION).len(), 1);
    // What is lacking is made up for, and then nothing is.
    let plan =
        lines(&succeed(&mut account.pgkeep(&["copy", "shop", "--copy-to", THERE, "--dry-run", "--json"])));
    assert_eq!((plan.len(), account.snapshots(THERE).len()), (1, 0));
    succeed(&mut account.pgkeep(&["copy", "shop", "--copy-to", THERE]));
    let text =
        String::from_utf8(succeed(&mut account.pgkeep(&["copy", "shop", "--copy-to", THERE]))).unwrap();
    assert!(text.contains("has all of them"), "{text}");
    assert_eq!(account.snapshots(THERE).len(), 1);
}

#[test]
fn several_are_made_at_once_and_one_that_fails_does_not_keep_the_others() {
    let account = Account::with(&["one", "two", "three"]);
    account.order(json!({ "do": "states", "region": pgkeep_testbed::Aws::REGION, "name": "two", "states": [[0, "stopped"]] }));
    let out = output(&mut account.pgkeep(&[
        "create",
        "one",
        "two",
        "three",
        "nowhere",
        "--json",
        "--progress",
        "json",
    ]));
    failed(&out, 1, &["two", "\"stopped\"", "nowhere", "one-2", "\"event\":\"progress\""]);
    let mut told: Vec<_> = lines(&out.stdout)
        .into_iter()
        .map(|l| (l["database"].as_str().unwrap().to_owned(), l["ok"] == true, l["error"]["kind"].clone()))
        .collect();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    let wanted = [
        ("nowhere", false, json!("not-found")),
        ("one", true, Value::Null),
        ("three", true, Value::Null),
        ("two", false, json!("unfit")),
    ];
    assert_eq!(told, wanted.map(|(name, ok, kind)| (name.to_owned(), ok, kind)));
    assert_eq!(account.snapshots(pgkeep_testbed::Aws::REGION).len(), 2);
}

#[test]
fn a_dry_run_changes_nothing_and_says_what_would_be_done() {
    let account = Account::with(&["shop"]);
    let text = succeed(&mut account.pgkeep(&["create", "shop", "--dry-run"]));
    assert!(String::from_utf8_lossy(&text).contains("would make snapshot shop-"));
    assert!(account.snapshots(pgkeep_testbed::Aws::REGION).is_empty());
    for day in ["2026-01-01", "2026-01-02"] {
        succeed(&mut account.pgkeep(&["create", "shop", "--at", &format!("{day}T00:00:00Z")]));
    }
    let prune = |more: &[&'static str]| [&["prune", "shop", "--json"], more].concat();
    let planned = lines(&succeed(account.pgkeep(&prune(&["--dry-run"])).env("PGKEEP_RDS_KEEP_LAST", "1")));
    let actions = |lines: &[Value]| {
        let all = lines[0]["regions"][0]["snapshots"].as_array().unwrap();
        all.iter().map(|s| s["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(actions(&planned), ["keep", "would delete"]);
    assert_eq!(account.snapshots(pgkeep_testbed::Aws::REGION).len(), 2);
    // What is said of backups says nothing of snapshots.
    let kept = lines(&succeed(account.pgkeep(&prune(&[])).env("PGKEEP_KEEP_LAST", "1")));
    assert_eq!(actions(&kept), ["keep", "keep"]);
    assert_eq!(
        actions(&lines(&succeed(&mut account.pgkeep(&prune(&["--keep-last", "1"]))))),
        ["keep", "deleted"]
    );
    // They fail to come.
    account.order(json!({ "do": "drop", "region": pgkeep_testbed::Aws::REGION, "name": "shop" }));
    let out = output(&mut account.pgkeep(&["prune", "shop", "--keep-last", "1", "--expect-every", "1d"]));
    failed(&out, 9, &["snapshots fail to come"]);
}

#[test]
fn status_tells_how_a_database_is_kept_and_what_is_wrong() {
    let account = Account::with(&["shop"]);
    let out = output(&mut account.pgkeep(&["status", "shop"]));
    failed(&out, 1, &["1 finding"]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("kept 7 days, daily 02:00-03:00 UTC") && text.contains("FINDING"), "{text}");
    succeed(&mut account.pgkeep(&["create", "shop"]));
    let good = lines(&succeed(&mut account.pgkeep(&["status", "shop", "--expect-every", "1d", "--json"])))
        .pop()
        .unwrap();
    assert_eq!(
        (&good["ok"], &good["snapshots"], &good["automated_backup_days"]),
        (&true.into(), &1.into(), &7.into())
    );
    let off =
        json!({ "do": "database", "region": pgkeep_testbed::Aws::REGION, "name": "off", "retention": 0 });
    account.order(off);
    let out = output(&mut account.pgkeep(&["status", "off", "--json"]));
    failed(&out, 1, &[]);
    let kinds: Vec<_> =
        lines(&out.stdout)[0]["findings"].as_array().unwrap().iter().map(|f| f["kind"].clone()).collect();
    assert_eq!(kinds, ["no-automated-backups", "no-snapshot"]);
}

#[test]
fn without_an_instance_it_is_said_how_to_name_one() {
    let account = Account::with(&[]);
    failed(&output(&mut account.pgkeep(&["create"])), 2, &["rds_instance"]);
    account.configure("[databases.shop]\nurl = 'postgres://db.example.com/shop'");
    failed(&output(&mut account.pgkeep(&["create", "shop"])), 2, &["rds_instance", "[databases.shop]"]);
    failed(&output(&mut account.pgkeep(&["create", "x", "--tag", "pgkeep:resource=y"])), 2, &["not yours"]);
    failed(&output(&mut account.pgkeep(&["prune", "x", "--copy-keep", "dayly=3"])), 2, &["daily=30"]);
}

#[test]
fn a_restored_instance_is_read_whole_by_a_drill_and_removed() {
    let shop = Database::create(&Server::major(17), "rds_drill");
    shop.psql("create table t as select generate_series(1, 1000) as i");
    let account = Account::with(&["shop-prod"]);
    let url = shop.url();
    let place = url.split('@').nth(1).and_then(|rest| rest.split('/').next()).unwrap();
    let (host, port) = place.split_once(':').unwrap();
    account.order(json!({ "do": "set", "rds.place": [host, port.parse::<u16>().unwrap()] }));
    // The database that runs in production is elsewhere.
    let production = url.replace(place, "db.invalid:5432");
    account.configure(&format!(
        "[databases.shop]\nurl = '{production}'\nrds_instance = 'shop-prod'\nrds_class = 'db.t4g.medium'\n\
         [databases.shop.drill]\ncheck = ['select count(*) = 1000 from t']"
    ));
    succeed(&mut account.pgkeep(&["create", "shop"]));
    let words = ["restore", "shop", "--as", "shop-drill", "--drill", "--remove", "--json"];
    let done = lines(&succeed(&mut account.pgkeep(&words))).pop().unwrap();
    assert_eq!(
        (&done["drill"]["rows"], &done["drill"]["tables"], &done["removed"]),
        (&1000.into(), &1.into(), &true.into())
    );
    assert_eq!(done["drill"]["checks"][0]["passed"], true);
    assert_eq!(account.order(json!({ "do": "databases" })).as_array().unwrap().len(), 1);

    let out = output(
        &mut account
            .pgkeep(&[&words[..], &["--latest", "--check", "select count(*) = 1001 from t"]].concat()),
    );
    failed(&out, 3, &["count(*) = 1001", "not true"]);
    assert_eq!(account.order(json!({ "do": "databases" })).as_array().unwrap().len(), 1);

    // Nobody listens there.
    account.order(json!({ "do": "set", "rds.place": ["127.0.0.1", 1] }));
    let kept = ["restore", "shop", "--as", "shop-2", "--reach-within", "1s"];
    failed(
        &output(&mut account.pgkeep(&kept)),
        4,
        &["not reached from here", "--security-group", "remove shop-2"],
    );
    failed(
        &output(&mut account.pgkeep(&["remove", "shop-prod"])),
        1,
        &["no restore of pgkeep's has made it"],
    );
    succeed(&mut account.pgkeep(&["remove", "shop-2"]));
    let out = output(&mut account.pgkeep(&["restore", "shop", "--as", "x", "--to", "2020-01-01T00:00:00Z"]));
    failed(&out, 1, &["not within what can be restored"]);
}

#[test]
fn an_export_tells_where_it_is() {
    let account = Account::with(&["shop"]);
    succeed(&mut account.pgkeep(&["create", "shop"]));
    failed(&output(&mut account.pgkeep(&["export", "shop"])), 2, &["--export-bucket is missing"]);
    let mut command =
        account.pgkeep(&["export", "shop", "--export-bucket", "archive", "--export-prefix", "rds", "--json"]);
    command.env("PGKEEP_RDS_EXPORT_ROLE", "arn:aws:iam::123456789012:role/export");
    command.env("PGKEEP_RDS_EXPORT_KMS_KEY", "alias/export");
    let done = lines(&succeed(&mut command)).pop().unwrap();
    let url = done["url"].as_str().unwrap();
    assert!(url.starts_with("s3://archive/rds/export-shop-") && done["status"] == "COMPLETE", "{done}");
}
