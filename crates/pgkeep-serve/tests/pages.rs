//! What pages, metrics and the API say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use pgkeep_serve::{Order, RunId, RunState, TaskKind};
use serde_json::Value;
use support::fleet::{BACKUP, hostile, run, sound};
use support::{Site, options, store};

#[test]
fn the_overview_says_whether_one_can_sleep() {
    let well = Site::with(&options(), sound(&store(), Timestamp::now())).text("/");
    assert!(well.contains("You can sleep.") && !well.contains("Open problems"), "{well}");
    let page = Site::open().text("/");
    for text in [
        "Not yet: 3 databases need you.",
        "the last backup failed",
        "Connection refused (os error 111)",
        "the last drill failed",
        "a backup is overdue since",
        "the newest backup has no copy in nas",
        "nothing is scheduled",
        "39 %",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn a_backup_s_page_says_what_its_manifest_says() {
    let site = Site::open();
    let page = site.text(&format!("/databases/shop/backups/{BACKUP}"));
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(store().join(format!("shop/{BACKUP}.manifest.json"))).unwrap())
            .unwrap();
    for table in manifest["dump"]["tables"].as_array().unwrap() {
        assert!(page.contains(table["sum"].as_str().unwrap()), "{table}");
    }
    assert!(page.contains(manifest["object"]["sha256"].as_str().unwrap()));
    assert!(page.contains("public.odd &lt;name&gt;") && page.contains("30,000"));
    let (_, rest) = page.split_once(&format!("/databases/shop/backups/{BACKUP}/drills/")).expect("a drill");
    let report =
        site.get(&format!("/databases/shop/backups/{BACKUP}/drills/{}", rest.split('"').next().unwrap()));
    let policy = report.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("sandbox") && policy.contains("style-src 'sha256-"), "{policy}");
    assert!(report.text().unwrap().contains("Restore drill: <span class=\"proven\">proven</span>"));
    assert_eq!(site.get("/databases/shop/backups/20200101T000000Z-000000").status(), 404);
    assert_eq!(site.get(&format!("/databases/shop/backups/{BACKUP}/drills/..%2F..%2Fx")).status(), 404);
}

#[test]
fn names_and_errors_are_never_taken_for_html() {
    let name = r#"<script>alert(1)</script>"'&/.."#;
    let error = "<img src=x onerror=alert(2)> failed\n  hint: <b>bold</b>";
    let site = Site::with(&options(), hostile(&store(), Timestamp::now(), name, error));
    let overview = site.text("/");
    let (_, rest) = overview.split_once("href=\"/databases/").unwrap();
    let path = format!("/databases/{}", rest.split('"').next().unwrap());
    let (_, rest) = overview.split_once("href=\"/runs/").unwrap();
    let of_run = format!("/runs/{}", rest.split('"').next().unwrap());
    for page in ["/", "/runs", "/calendar", &path, &format!("{path}/restore"), &of_run] {
        let html = site.text(page);
        for raw in ["<script>alert", "<img src=x", "<b>bold", "\"'&/.."] {
            assert!(!html.contains(raw), "{page}: {raw}");
        }
        assert!(html.contains("&lt;script&gt;alert(1)"), "{page}");
    }
}

#[test]
fn orders_become_the_words_of_a_command() {
    let site = Site::open();
    let csrf = site.csrf(&site.text("/"));
    let words = |fields: &[(&str, &str)]| {
        let fields = [fields, &[("csrf", &csrf)]].concat();
        let answer = site.form("/orders/run", &fields).send().unwrap();
        if answer.status() != 303 {
            return Err(answer.status().as_u16());
        }
        let Order::Run { run, task, words, by } = site.next_order() else { panic!("no run") };
        assert_eq!(answer.headers()["location"], format!("/runs/{run}"));
        assert_eq!(by, "local");
        Ok(format!("{task}: {}", words.join(" ")))
    };
    let shop = |kind| [("database", "shop"), ("kind", kind)];
    assert_eq!(words(&shop("backup")), Ok("shop/backup: ".into()));
    assert_eq!(
        words(&[&shop("prune")[..], &[("dry_run", "yes")]].concat()),
        Ok("shop/prune: --dry-run".into())
    );
    assert_eq!(
        words(&[&shop("drill")[..], &[("backup", BACKUP)]].concat()),
        Ok(format!("shop/drill: {BACKUP} --store offsite"))
    );
    assert_eq!(
        words(&[&shop("restore")[..], &[("backup", BACKUP), ("tables", "orders, a b")]].concat()),
        Ok(format!(
            "shop/restore: {BACKUP} --store offsite --into throwaway --table=orders --table=a --table=b"
        ))
    );
    assert_eq!(words(&shop("restore")), Err(400));
    assert_eq!(words(&[&shop("drill")[..], &[("backup", "--into=postgres://x")]].concat()), Err(400));
    assert_eq!(words(&[("database", "no-such"), ("kind", "backup")]), Err(404));
    assert!(site.text("/").contains("Read the configuration again"));
    assert_eq!(site.form("/orders/reload", &[("csrf", &csrf)]).send().unwrap().status(), 303);
    assert_eq!(site.next_order(), Order::Reload { by: "local".into() });
}

#[test]
fn the_restore_page_shows_the_exact_command() {
    let site = Site::open();
    let page = site.text(&format!("/databases/shop/restore?backup={BACKUP}&into=swap&tables=public.orders"));
    let command = format!(
        "pgkeep restore {BACKUP} --store offsite --into postgres://USER@HOST/DATABASE --swap --table=public.orders"
    );
    assert!(page.contains(&command), "{page}");
    assert!(!page.contains("Run it here"));
    assert!(site.text("/databases/shop/restore").contains("Run it here"));
}

#[test]
fn a_run_s_page_shows_its_error_its_log_and_a_prune_s_plan() {
    let site = Site::open();
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    std::fs::write(&log, "first\n<last>\n".repeat(5000)).unwrap();
    let mut prune = run("shop", TaskKind::Prune, Timestamp::now(), RunState::Completed, 3.0);
    prune.log = Some(log.to_str().unwrap().into());
    prune.result = Some(serde_json::json!({
        "ok": true, "store": "file:///b", "dry_run": true, "leftovers": [],
        "names": [{ "name": "shop", "backups": [
            { "id": "b1", "keep": false, "action": "would delete", "reasons": ["no rule keeps it"] },
            { "id": "b2", "keep": true, "action": "keep", "reasons": ["the newest"] },
        ]}],
    }));
    site.shared.history.put_run(&prune).unwrap();
    let page = site.text(&format!("/runs/{}", prune.id));
    for text in
        ["Plan for", "no rule keeps it", "<strong>would delete</strong>", "&lt;last&gt;", "The whole log"]
    {
        assert!(page.contains(text), "{text}");
    }
    let whole = site.get(&format!("/runs/{}/log", prune.id));
    assert_eq!(whole.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(whole.text().unwrap().len(), 5000 * "first\n<last>\n".len());
    assert_eq!(site.get("/runs/20200101T000000Z-abcdef").status(), 404);
    assert!(site.text(&format!("/runs/{}", RunId::new(Timestamp::now()))).contains("It begins in a moment."));
}

#[test]
fn promtool_takes_the_metrics() {
    let name = "a\"b\\c";
    let site = Site::with(&options(), hostile(&store(), Timestamp::now(), name, "failed"));
    for metrics in [site.text("/metrics"), Site::open().text("/metrics")] {
        let mut promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        promtool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
        let out = promtool.wait_with_output().unwrap();
        assert!(out.status.success(), "{}\n{metrics}", String::from_utf8_lossy(&out.stderr));
    }
    let metrics = Site::open().text("/metrics");
    for line in [
        "pgkeep_backup_overdue{database=\"search\"} 1",
        "pgkeep_backup_overdue{database=\"shop\"} 0",
        "pgkeep_copies_missing{database=\"events\"} 1",
        "pgkeep_runs_in_progress 1",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line}\n{metrics}");
    }
    assert!(metrics.contains("pgkeep_runs_total{database=\"billing\",kind=\"backup\",state=\"failed\"} "));
    assert!(metrics.contains("pgkeep_next_run_timestamp_seconds{database=\"shop\",kind=\"drill\"} "));
}

#[test]
fn the_api_says_what_pages_show() {
    let site = Site::open();
    let get = |path: &str| -> Value { serde_json::from_str(&site.text(path)).unwrap() };
    let all = get("/api/databases");
    let billing =
        all["databases"].as_array().unwrap().iter().find(|d| d["database"] == "billing").unwrap().clone();
    assert_eq!(billing["problems"][0]["severity"], "bad");
    assert_eq!(
        billing["problems"][0]["hint"].as_str().unwrap().split('?').next(),
        Some("is the server up, and does a firewall let this host through")
    );
    let run = &get("/api/runs?database=billing")[0];
    assert_eq!(run["state"], "failed");
    assert_eq!(get(&format!("/api/runs/{}", run["id"].as_str().unwrap()))["task"], "billing/backup");
    assert!(get("/api/points?database=shop").as_array().unwrap().len() > 30);
}
