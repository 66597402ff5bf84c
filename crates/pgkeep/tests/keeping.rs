//! Keeping: what retention deletes, what it never does, and what a crash leaves.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use pgkeep_testbed::{Database, Server, compare_databases};
use serde_json::Value;
use support::{backup, output, program, restore, succeed};

const MANIFEST: &[u8] = include_bytes!("../../pgkeep-keep/tests/fixtures/manifest-v1.json");

/// A store with backups that were taken at several times.
struct History {
    dir: tempfile::TempDir,
}

impl History {
    fn new() -> History {
        History { dir: tempfile::tempdir().unwrap() }
    }

    fn store(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }

    fn file(&self, key: &str) -> PathBuf {
        self.dir.path().join(key)
    }

    /// A backup that was taken `days` ago, under a name; gives its id. Its archive is never opened.
    fn plant(&self, name: &str, days: i64, change: impl FnOnce(&mut Value)) -> String {
        let at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * days);
        let id = format!("{}-{:06x}", at.strftime("%Y%m%dT%H%M%SZ"), days);
        let mut manifest: Value = serde_json::from_slice(MANIFEST).unwrap();
        for field in ["started", "finished"] {
            manifest[field] = at.to_string().into();
        }
        manifest["dump"]["snapshot_time"] = at.to_string().into();
        manifest["id"] = id.clone().into();
        manifest["name"] = name.into();
        manifest["object"]["key"] = format!("{name}/{id}.dump").into();
        change(&mut manifest);
        let archive = self.file(manifest["object"]["key"].as_str().unwrap());
        std::fs::create_dir_all(archive.parent().unwrap()).unwrap();
        std::fs::create_dir_all(self.file(name)).unwrap();
        std::fs::write(archive, "an archive").unwrap();
        std::fs::write(self.file(&format!("{name}/{id}.manifest.json")), manifest.to_string()).unwrap();
        id
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = program();
        command.args(args).args(["--store", self.store()]);
        command
    }

    #[track_caller]
    fn prune(&self, args: &[&str]) -> Value {
        let mut command = self.command(&["prune", "--json"]);
        serde_json::from_slice(&succeed(command.args(args))).unwrap()
    }

    #[track_caller]
    fn listed(&self) -> Vec<Value> {
        let out = succeed(&mut self.command(&["list", "--json"]));
        String::from_utf8(out).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    fn ids(&self, name: &str) -> Vec<String> {
        let of_name = self.listed().into_iter().filter(|l| l["name"] == name);
        of_name.map(|l| l["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Every file, by `find`.
    fn files(&self) -> Vec<String> {
        files(self.dir.path())
    }

    /// Makes a file look as old as it is said to be.
    fn age(&self, key: &str, days: u32) {
        succeed(Command::new("touch").args(["-d", &format!("{days} days ago")]).arg(self.file(key)));
    }
}

fn files(folder: &Path) -> Vec<String> {
    let out = succeed(Command::new("find").args([".", "-type", "f", "-printf", "%P\\n"]).current_dir(folder));
    let mut files: Vec<String> = String::from_utf8(out).unwrap().lines().map(str::to_owned).collect();
    files.sort();
    files
}

#[test]
fn prune_keeps_what_the_rules_say_and_removes_all_else_of_a_backup() {
    let history = History::new();
    let ids: Vec<String> = (0..10).rev().map(|days| history.plant("shop", days, |_| {})).collect();
    let drill = format!("shop/{}.drill.20260101T000000Z", ids[0]);
    std::fs::write(history.file(&format!("{drill}.failed.json")), "{}").unwrap();
    std::fs::write(history.file(&format!("{drill}.failed.html")), "").unwrap();

    let planned = history.prune(&["--keep-last", "3", "--dry-run"]);
    assert_eq!((&planned["deleted"], &planned["kept"]), (&7.into(), &3.into()), "{planned}");
    assert_eq!(history.ids("shop"), ids, "a dry run does nothing");

    let done = history.prune(&["--keep-last", "3"]);
    assert_eq!((&done["deleted"], &done["kept"]), (&7.into(), &3.into()), "{done}");
    let backups = done["names"][0]["backups"].as_array().unwrap();
    assert!(backups.iter().all(|b| !b["reasons"].as_array().unwrap().is_empty()), "{done}");
    let expected: Vec<String> = ids[7..]
        .iter()
        .flat_map(|id| ["dump", "manifest.json"].map(|end| format!("shop/{id}.{end}")))
        .collect();
    assert_eq!(history.files(), expected, "nothing of the deleted ones is left, and nothing else");
    let again = history.prune(&["--keep-last", "3"]);
    assert_eq!(again["deleted"], 0, "{again}");
}

#[test]
fn real_backups_that_prune_kept_are_restored_and_proven() {
    let source = Database::create(&Server::major(18), "kept");
    source.psql("create table t as select generate_series(1, 100) as i");
    let history = History::new();
    let mut ids = Vec::new();
    for key in ["flat", "pgkeep", "daily"] {
        let told = backup(&source, history.store(), &["--name", "shop", "--key", key]);
        ids.push(told["id"].as_str().unwrap().to_owned());
    }
    ids.sort();
    history.prune(&["--keep-last", "2"]);
    assert_eq!(history.ids("shop"), ids[1..]);
    assert_eq!(history.files().len(), 4, "{:?}", history.files());
    for id in &ids[1..] {
        let target = Database::create(source.server(), "target");
        let told = restore(id, &target, &["--store", history.store()]);
        assert_eq!((&told["proven"], &told["proven_against"]), (&true.into(), &"manifest".into()));
    }
}

#[test]
fn without_a_policy_nothing_is_deleted_and_it_is_said() {
    let history = History::new();
    let ids: Vec<String> = (0..3).rev().map(|days| history.plant("shop", days, |_| {})).collect();
    let said = String::from_utf8(succeed(&mut history.command(&["prune"]))).unwrap();
    assert!(said.contains("no policy for 1 name: nothing of it is deleted"), "{said}");
    assert_eq!(history.ids("shop"), ids);
}

#[test]
fn each_database_has_its_own_policy_by_the_configuration() {
    let history = History::new();
    for days in 0..5 {
        history.plant("shop", days, |_| {});
        history.plant("shop2", days, |_| {});
        history.plant("sho", days, |_| {});
    }
    let config = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "[defaults]\nkeep_last = 4\n[databases.shop]\nurl = 'postgres://x'\nkeep_last = 2\n\
         [databases.shop2]\nurl = 'postgres://x'\n[stores.here]\nurl = '{}'\n",
        history.store()
    );
    std::fs::write(config.path(), text).unwrap();
    let config = config.path().to_str().unwrap();
    succeed(program().args(["prune", "--store", "here", "--config", config]));
    let counts = ["shop", "shop2", "sho"].map(|name| history.ids(name).len());
    assert_eq!(counts, [2, 4, 4], "names that begin alike do not mix");
    succeed(program().args(["prune", "shop2", "--store", "here", "--config", config, "--keep-last", "1"]));
    let counts = ["shop", "shop2", "sho"].map(|name| history.ids(name).len());
    assert_eq!(counts, [2, 1, 4], "the command line counts first, and only the name that it names");
}

#[test]
fn another_cluster_under_the_same_name_loses_nothing() {
    let history = History::new();
    let other = |m: &mut Value| m["dump"]["database"]["system_identifier"] = "1234567890".into();
    let old: Vec<String> = [9, 8].map(|days| history.plant("shop", days, other)).into();
    let new: Vec<String> = (0..4).rev().map(|days| history.plant("shop", days, |_| {})).collect();
    history.prune(&["--keep-last", "1"]);
    assert_eq!(history.ids("shop"), [old[1].as_str(), &new[3]], "the newest of each cluster");
}

#[test]
fn a_held_backup_stays_until_it_is_released() {
    let history = History::new();
    let ids: Vec<String> = (0..3).rev().map(|days| history.plant("shop", days, |_| {})).collect();
    succeed(&mut history.command(&["hold", &ids[0], "--reason", "audit 2026"]));
    let shown = String::from_utf8(succeed(&mut history.command(&["show", &ids[0]]))).unwrap();
    assert!(shown.contains("audit 2026"), "{shown}");
    let listed = String::from_utf8(succeed(&mut history.command(&["list"]))).unwrap();
    assert_eq!(listed.matches("held").count(), 1, "{listed}");
    assert!(listed.lines().all(|l| l.chars().count() <= 80), "{listed}");

    history.prune(&["--keep-last", "1"]);
    assert_eq!(history.ids("shop"), [ids[0].as_str(), &ids[2]]);
    succeed(&mut history.command(&["hold", &ids[0], "--release"]));
    assert_eq!(output(&mut history.command(&["hold", &ids[0], "--release"])).status.code(), Some(1));
    history.prune(&["--keep-last", "1"]);
    assert_eq!(history.ids("shop"), [ids[2].as_str()]);
    assert_eq!(history.files().len(), 2, "{:?}", history.files());
}

#[test]
fn the_newest_proven_backup_stays_and_list_says_when_it_was_proven() {
    let history = History::new();
    let ids: Vec<String> = (0..4).rev().map(|days| history.plant("shop", days, |_| {})).collect();
    let drill = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(72);
    let drill = format!("shop/{}.drill.{}.proven.json", ids[0], drill.strftime("%Y%m%dT%H%M%SZ"));
    std::fs::write(history.file(&drill), "{}").unwrap();
    history.prune(&["--keep-last", "1"]);
    assert_eq!(history.ids("shop"), [ids[0].as_str(), &ids[3]]);
    let listed = String::from_utf8(succeed(&mut history.command(&["list"]))).unwrap();
    assert!(listed.contains("3 d ago"), "{listed}");
}

#[test]
fn while_backups_fail_to_come_nothing_goes_and_the_exit_code_says_so() {
    let history = History::new();
    let ids: Vec<String> = (5..9).rev().map(|days| history.plant("shop", days, |_| {})).collect();
    let out = output(&mut history.command(&["prune", "--keep-last", "1", "--expect-every", "1d"]));
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(9), "{said}");
    assert!(said.contains("backups fail to come") && said.contains("5 d old"), "{said}");
    assert_eq!(history.ids("shop"), ids);
}

#[test]
fn an_unreadable_manifest_blocks_deletion_under_its_name_alone() {
    let history = History::new();
    for days in 0..3 {
        history.plant("shop", days, |_| {});
        history.plant("other", days, |_| {});
    }
    std::fs::write(history.file("shop/broken.manifest.json"), "{").unwrap();
    let out = output(&mut history.command(&["prune", "--keep-last", "1"]));
    assert_eq!(out.status.code(), Some(3), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(String::from_utf8_lossy(&out.stderr).contains("broken.manifest.json"));
    let manifests =
        |name: &str| files(&history.file(name)).iter().filter(|f| f.ends_with(".manifest.json")).count();
    assert_eq!((manifests("shop"), manifests("other")), (4, 1));
}

#[test]
fn what_dead_runs_left_goes_after_the_grace_and_what_others_keep_never_does() {
    let history = History::new();
    let kept = history.plant("shop", 0, |_| {});
    let orphan = "shop/20260101T000000Z-00000a.dump";
    let young = "shop/20260101T000000Z-00000b.dump";
    let held = "shop/20260101T000000Z-00000c.dump";
    let in_folder = "shop/20260101T000000Z-00000d/toc.dat";
    let foreign =
        ["shop/20260101.dump", "shop/notes.txt", "old/pg.sql.gz", "x/20260101T000000Z-00000ax.dump"];
    for key in [orphan, young, held, in_folder].into_iter().chain(foreign) {
        std::fs::create_dir_all(history.file(key).parent().unwrap()).unwrap();
        std::fs::write(history.file(key), "x").unwrap();
        history.age(key, if key == young { 0 } else { 40 });
    }
    std::fs::write(history.file(&held.replace(".dump", ".hold.json")), "{}").unwrap();
    history.age(&held.replace(".dump", ".hold.json"), 40);
    let told = history.prune(&["--grace", "7d"]);
    assert_eq!(told["leftovers"].as_array().unwrap().len(), 2, "{told}");
    let left = history.files();
    assert!(!left.contains(&orphan.to_owned()) && !left.contains(&in_folder.to_owned()), "{left:?}");
    for key in [young, held].into_iter().chain(foreign) {
        assert!(left.contains(&key.to_owned()), "{key}: {left:?}");
    }
    assert_eq!(history.ids("shop"), [kept]);
}

#[test]
fn a_deletion_that_a_crash_cut_off_is_finished_whatever_its_keys_look_like() {
    let history = History::new();
    let flat = |m: &mut Value| m["object"]["key"] = "backups/backup_20260101_000000.dump".into();
    let id = history.plant("shop", 9, flat);
    let kept = history.plant("shop", 0, |_| {});
    // As a prune leaves it that was killed right after the manifest went.
    let journal = serde_json::json!({ "name": "shop", "id": id, "keys": ["backups/backup_20260101_000000.dump", format!("shop/{kept}.dump")] });
    std::fs::create_dir_all(history.file(".pgkeep/deleting/shop")).unwrap();
    std::fs::write(history.file(&format!(".pgkeep/deleting/shop/{id}.json")), journal.to_string()).unwrap();
    std::fs::remove_file(history.file(&format!("shop/{id}.manifest.json"))).unwrap();
    let told = history.prune(&[]);
    assert_eq!(told["leftovers"][0]["kind"], "deletion", "{told}");
    let expected = ["dump", "manifest.json"].map(|end| format!("shop/{kept}.{end}"));
    assert_eq!(
        history.files(),
        expected,
        "and what a manifest names is left alone, whatever the journal says"
    );
}

#[test]
fn files_that_were_copied_without_their_archive_do_not_take_it_along() {
    let history = History::new();
    let flat = |m: &mut Value| m["object"]["key"] = "archives/one.dump".into();
    history.plant("shop", 9, flat);
    history.plant("copy", 9, flat);
    history.plant("shop", 0, |_| {});
    history.prune(&["--keep-last", "1"]);
    assert!(history.files().contains(&"archives/one.dump".to_owned()), "the copy's manifest names it still");
    assert_eq!(history.ids("copy").len(), 1);
}

#[test]
fn foreign_archives_are_listed_and_restored_by_their_keys() {
    let history = History::new();
    let source = Database::create(&Server::major(18), "foreign");
    source.psql("create table t as select generate_series(1, 500) as i");
    for (key, args) in [("old/pg.dump", &["-Fc"][..]), ("old/pg.sql", &["-Fp"]), ("old/folder", &["-Fd"])] {
        std::fs::create_dir_all(history.file("old")).unwrap();
        let mut pg_dump = source.server().bin("pg_dump");
        succeed(pg_dump.args(args).arg("-f").arg(history.file(key)).arg("-d").arg(source.url()));
    }
    std::fs::write(history.file("readme.txt"), "no archive").unwrap();
    let own = history.plant("shop", 1, |_| {});
    let listed = history.listed();
    let keys: Vec<&str> = listed.iter().filter_map(|l| l["key"].as_str()).collect();
    assert_eq!(keys, ["old/folder/toc.dat", "old/pg.dump", "old/pg.sql"]);
    assert!(listed.iter().any(|l| l["id"] == own.as_str()));
    for key in ["old/pg.dump", "old/pg.sql", "old/folder"] {
        let target = Database::create(source.server(), "target");
        let told = restore(key, &target, &["--store", history.store()]);
        assert_eq!(told["proven_against"], "archive", "{told}");
        compare_databases(&source, &target).unwrap();
    }
}

#[test]
fn days_begin_where_the_time_zone_says() {
    // Half past ten in the evening in UTC is the next day in Berlin.
    let times = ["2026-06-01T20:00:00Z", "2026-06-01T22:30:00Z", "2026-06-02T10:00:00Z"];
    for (zone, stays) in [("UTC", 1), ("Europe/Berlin", 0)] {
        let history = History::new();
        let ids = [0, 1, 2].map(|i: usize| {
            let of_time = |manifest: &mut Value| manifest["dump"]["snapshot_time"] = times[i].into();
            history.plant("shop", 30 - i as i64, of_time)
        });
        history.prune(&["--keep-daily", "2", "--time-zone", zone]);
        assert_eq!(history.ids("shop"), [ids[stays].clone(), ids[2].clone()], "{zone}");
    }
}

#[test]
fn what_is_said_of_a_store_counts_before_what_is_said_of_a_database() {
    let (near, far) = (History::new(), History::new());
    for history in [&near, &far] {
        (0..5).for_each(|days| drop(history.plant("shop", days * 20, |_| {})));
    }
    let config = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "[stores.near]\nurl = '{}'\n[stores.far]\nurl = '{}'\nkeep_last = 1\nkeep_within = 30\n\
         [databases.shop]\nurl = 'postgres://localhost/shop'\nkeep_last = 3\n",
        near.store(),
        far.store()
    );
    std::fs::write(config.path(), text).unwrap();
    let mut prune = program();
    prune.args(["prune", "--store", "near", "--store", "far"]).env("PGKEEP_CONFIG", config.path());
    succeed(&mut prune);
    // The last three; and what is at most thirty days older than the newest.
    assert_eq!((near.ids("shop").len(), far.ids("shop").len()), (3, 2));
}
