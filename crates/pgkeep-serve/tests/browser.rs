//! The dashboard in a real browser. Screenshots are kept in the target folder, in `tmp/dashboard`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use pgkeep_serve::{Order, Progress, RunState, TaskKind};
use support::browser::Browser;
use support::fleet::{BACKUP, run};
use support::{Site, Users};

const TAB: &str = "\u{E004}";
const ENTER: &str = "\u{E007}";

/// axe-core's rules; its full text goes into the page.
fn axe() -> String {
    let packages = std::env::var("PGKEEP_TEST_AWS").expect("PGKEEP_TEST_AWS: `. .bed/env`");
    std::fs::read_to_string(Path::new(&packages).join("axe_playwright_python/axe.min.js"))
        .expect("testbed/install")
}

/// Looks at a page at every width and in both schemes; gives what is wrong.
fn look(browser: &Browser, axe: &str, name: &str, wrong: &mut Vec<String>) {
    for (scheme, width) in [("light", 1280), ("dark", 1280), ("light", 375), ("dark", 375)] {
        browser.scheme(scheme);
        browser.size(width, 900);
        let place = format!("{name}, {scheme}, {width} px");
        let found = browser.run(&format!(
            "{axe}; return axe.run().then(r => r.violations.filter(v => ['serious', 'critical'].includes(v.impact))
             .flatMap(v => v.nodes.map(n => v.id + ': ' + n.html + ' ' + n.failureSummary)))"
        ));
        wrong.extend(found.as_array().unwrap().iter().map(|v| format!("{place}: {v}")));
        if browser.run("return document.documentElement.scrollWidth > document.documentElement.clientWidth")
            == true
        {
            wrong.push(format!("{place}: it has to be scrolled sideways"));
        }
        let file = format!("{}-{scheme}-{width}.png", name.replace(' ', "-"));
        browser.shoot(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard").join(file));
    }
    wrong.extend(browser.complaints().into_iter().map(|c| format!("{name}: the browser says {c}")));
}

#[test]
fn every_page_is_accessible_in_dark_and_light_and_fits_a_phone() {
    let (site, browser, axe) = (Site::open(), Browser::start(), axe());
    let mut failed = run("billing", TaskKind::Backup, Timestamp::now(), RunState::Failed, 12.0);
    failed.error = Some("connecting to db2: refused\n  hint: look at the firewall".into());
    failed.result = Some(serde_json::json!({ "ok": false, "error": { "kind": "connect" } }));
    let log = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(log.path(), "note: one line of the log\n".repeat(40)).unwrap();
    failed.log = Some(log.path().to_str().unwrap().into());
    site.shared.history.put_run(&failed).unwrap();
    let mut wrong = Vec::new();
    for (name, path) in [
        ("overview", "/".to_owned()),
        ("calendar", "/calendar".into()),
        ("database", "/databases/crm".into()),
        ("backup", format!("/databases/shop/backups/{BACKUP}")),
        ("restore", format!("/databases/shop/restore?backup={BACKUP}&into=swap")),
        ("runs", "/runs".into()),
        ("run failed", format!("/runs/{}", failed.id)),
        ("not found", "/no-such-page".into()),
    ] {
        browser.go(&format!("{}{path}", site.url));
        look(&browser, &axe, name, &mut wrong);
    }
    // The browser complains of the page that is not to be found, and of an icon that there is none of.
    wrong.retain(|w| !w.contains("404 (Not Found)"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_backup_is_begun_by_keyboard_alone() {
    let (site, browser) = (Site::open(), Browser::start());
    browser.go(&site.url);
    for _ in 0..100 {
        browser.press(&[TAB]);
        if browser.run("return document.activeElement.textContent") == "Back up now" {
            break;
        }
    }
    let database = browser.run("return document.activeElement.form.elements.database.value");
    browser.press(&[ENTER]);
    let Order::Run { run, task, words, .. } = site.next_order() else { panic!("no run") };
    assert_eq!(task, format!("{}/backup", database.as_str().unwrap()));
    assert!(words.is_empty());
    browser.wait_for(&format!("return location.pathname === '/runs/{run}'"));
}

#[test]
fn without_scripts_a_backup_is_begun_and_its_run_is_shown() {
    let (site, browser) = (Site::open(), Browser::start());
    browser.go(&site.url);
    for _ in 0..100 {
        browser.press(&[TAB]);
        if browser.run("return document.activeElement.textContent") == "Back up now" {
            break;
        }
    }
    browser.scripts(false);
    browser.press(&[ENTER]);
    let Order::Run { run: id, .. } = site.next_order() else { panic!("no run") };
    let mut going = run("shop", TaskKind::Backup, Timestamp::now(), RunState::InProgress, 0.0);
    (going.id, going.finished) = (id.clone(), None);
    site.shared.history.put_run(&going).unwrap();
    let progress = Progress { phase: "data".into(), bytes: 250, bytes_expected: 1000, ..Progress::default() };
    site.shared.live.set(&id, progress);
    for path in ["/".to_owned(), format!("/runs/{id}")] {
        browser.go(&format!("{}{path}", site.url));
        browser.scripts(true);
        assert_eq!(browser.run("return document.querySelector('progress').value"), 25);
        browser.scripts(false);
    }
}

#[test]
fn signing_in_is_done_by_keyboard_and_leads_to_the_page_that_was_wanted() {
    let users = Users::new();
    let (site, browser, axe) = (users.site(), Browser::start(), axe());
    browser.go(&format!("{}/calendar", site.url));
    browser.wait_for("return location.pathname === '/sign-in' && document.activeElement.id === 'user'");
    let mut wrong = Vec::new();
    look(&browser, &axe, "sign in", &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let keys: Vec<String> =
        "bob".chars().chain(TAB.chars()).chain("bob's password".chars()).map(String::from).collect();
    browser.press(&keys.iter().map(String::as_str).chain([ENTER]).collect::<Vec<_>>());
    browser.wait_for("return location.pathname === '/calendar'");
    assert_eq!(browser.run("return document.cookie"), "", "no script reads the session");
    assert_eq!(browser.run("return document.querySelector('.who').textContent"), "bob, viewer");
}

#[test]
fn a_run_s_progress_moves_without_loading_the_page_again() {
    let (site, browser) = (Site::open(), Browser::start());
    let mut going = run("shop", TaskKind::Backup, Timestamp::now(), RunState::InProgress, 0.0);
    going.finished = None;
    site.shared.history.put_run(&going).unwrap();
    let progress =
        |bytes| Progress { phase: "data".into(), bytes, bytes_expected: 1000, ..Progress::default() };
    site.shared.live.set(&going.id, progress(100));
    browser.go(&format!("{}/runs/{}", site.url, going.id));
    browser.run("window.same = true");
    browser.wait_for("return document.querySelector('progress').value === 10");
    site.shared.live.set(&going.id, progress(550));
    browser.wait_for("return document.querySelector('progress').value === 55");
    going.state = RunState::Completed;
    going.finished = Some(going.scheduled + SignedDuration::from_secs(9));
    site.shared.history.put_run(&going).unwrap();
    browser.wait_for("return document.querySelector('[role=status]').textContent.includes('completed')");
    assert_eq!(browser.run("return window.same"), true);
}
