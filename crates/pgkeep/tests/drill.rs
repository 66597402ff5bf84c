//! Drills from the command line: verdicts, records, signatures, and what is left after a run that was ended.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use failures_support::archive::Sample;
use failures_support::data::noise;
use failures_support::place::files;
use failures_support::program::{Ran, Running, pgkeep, processes, ran, run};
use failures_support::wait_until;
use pgkeep_testbed::{Database, Server, private_server};
use tempfile::TempDir;

/// A folder for throwaway servers, which may run as another user.
fn work_dir() -> TempDir {
    let dir = tempfile::Builder::new().prefix("drill-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

fn words<'a>(backup: &'a str, store: &'a str, work_dir: &'a TempDir, more: &[&'a str]) -> Vec<&'a str> {
    let work_dir = work_dir.path().to_str().unwrap();
    [&["drill", backup, "--store", store, "--work-dir", work_dir, "--jobs", "2"], more].concat()
}

fn drill(sample: &Sample, more: &[&str]) -> Ran {
    let dir = work_dir();
    let done = ran(&words("sample", sample.store(), &dir, more));
    nothing_is_left(&dir);
    done
}

#[track_caller]
fn nothing_is_left(dir: &TempDir) {
    assert_eq!(files(dir.path()), Vec::<String>::new());
    let place = dir.path().to_str().unwrap();
    let left: Vec<_> = processes().into_iter().filter(|p| p.arguments.contains(place)).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The drill's files beside the backup that end so.
fn beside(sample: &Sample, end: &str) -> Vec<PathBuf> {
    let folder = sample.dir.path().join("sample");
    files(&folder)
        .iter()
        .filter(|f| f.contains(".drill.") && f.ends_with(end))
        .map(|f| folder.join(f))
        .collect()
}

fn openssl(arguments: &[&str]) -> bool {
    Command::new("openssl").args(arguments).output().unwrap().status.success()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_proven_backup_has_a_record_that_openssl_accepts_and_a_changed_one_is_refused() {
    let sample = Sample::make(&Server::major(18), &["--globals"]);
    let keys = tempfile::tempdir().unwrap();
    let (private, public) = (keys.path().join("drill.pem"), keys.path().join("drill.pub"));
    assert!(openssl(&["genpkey", "-algorithm", "ed25519", "-out", text(&private)]));
    assert!(openssl(&["pkey", "-in", text(&private), "-pubout", "-out", text(&public)]));
    let check = "select count(*) = 3000 from t";
    drill(&sample, &["--drill-key", text(&private), "--check", check]).ok().says(&[
        "PROVEN",
        "3,100 rows of 2 tables",
        "assertion true",
        "(signed)",
        "throwaway 18.",
    ]);

    let record = &beside(&sample, ".proven.json")[0];
    let signature = &beside(&sample, ".proven.sig")[0];
    let verified =
        ["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey", text(&public), "-sigfile", text(signature)];
    assert!(openssl(&[&verified[..], &["-in", text(record)]].concat()), "openssl accepts the signature");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(record).unwrap()).unwrap();
    assert_eq!((&json["verdict"], &json["backup"]["id"]), (&"proven".into(), &sample.id.as_str().into()));
    assert_eq!(json["drill"]["failures"], serde_json::json!([]));
    let pem = std::fs::read_to_string(&public).unwrap();
    assert!(pem.contains(json["signed_by"].as_str().unwrap()), "the record names the key");
    let report = std::fs::read_to_string(&beside(&sample, ".proven.html")[0]).unwrap();
    assert!(report.contains(&sample.id) && report.contains("public.t") && report.contains(check), "{report}");

    let verify = ["drill", "--verify-record", text(record), "--public-key", text(&public)];
    ran(&verify).ok().says(&[&sample.id, "proven"]);
    ran(&["show", &sample.id, "--store", sample.store()]).ok().says(&["drill     proven "]);
    let changed = std::fs::read_to_string(record).unwrap().replacen("\"rows\": 3000", "\"rows\": 3001", 1);
    std::fs::write(record, changed).unwrap();
    ran(&verify).failed(3, &["the record was changed"]);
    std::fs::remove_file(signature).unwrap();
    ran(&verify).failed(3, &["there is no signature"]);
}

#[test]
fn a_backup_whose_rows_are_others_than_its_manifest_says_fails_and_is_recorded_so() {
    let sample = Sample::make(&Server::major(17), &[]);
    sample.edit_manifest(|m| {
        let tables = m["dump"]["tables"].as_array_mut().unwrap();
        let t = tables.iter_mut().find(|t| t["table"] == "t").unwrap();
        t["rows"] = 3001.into();
    });
    let done = drill(&sample, &["--json"]).failed(3, &["table public.t", "1 rows are missing"]);
    let json = done.json();
    assert_eq!((&json["ok"], &json["verdict"]), (&false.into(), &"failed".into()));
    assert!(json["record_url"].as_str().unwrap().ends_with(".failed.json"), "{json}");
    assert_eq!(beside(&sample, ".failed.json").len(), 1);
    assert_eq!(beside(&sample, ".sig"), Vec::<PathBuf>::new());
}

#[test]
fn a_damaged_archive_and_one_that_is_gone_fail_without_a_server() {
    let sample = Sample::make(&Server::major(18), &[]);
    sample.set_archive(&sample.archive[..sample.archive.len() - 1]);
    drill(&sample, &[]).failed(3, &["the archive: ", "bytes and its manifest says", "FAILED"]);
    std::fs::remove_file(sample.archive_path()).unwrap();
    drill(&sample, &[]).failed(3, &["the archive: ", "not "]);
}

#[test]
fn a_missing_extension_makes_a_drill_incomplete_and_is_no_damage() {
    let server = Server::major(18);
    let source = Database::create(&server, "extended");
    source.psql(
        "create extension hstore; create table h (id int primary key, v hstore); insert into h values (1, 'a=>1');
         create index h_v on h using gin (v); create view of_h as select v -> 'a' as a from h;
         create table plain (i int); insert into plain values (1), (2)",
    );
    let store = tempfile::tempdir().unwrap();
    let to = store.path().to_str().unwrap();
    ran(&["backup", &source.url(), "--to", to, "--name", "extended"]).ok();
    let (programs, dir) = (without_hstore(server.bin_dir()), work_dir());
    let mut command = pgkeep(&words("extended@latest", to, &dir, &["--json"]));
    command.env("PATH", "/usr/bin:/bin").env("PGKEEP_PG_BIN", programs.path().join("bin"));
    let json =
        run(command).failed(11, &["neither proven nor failed", "extension hstore is missing here"]).json();
    nothing_is_left(&dir);
    assert_eq!(json["verdict"], "incomplete");
    assert_eq!(json["drill"]["failures"], serde_json::json!([]), "{json}");
    let unproven = json["drill"]["unproven"].to_string();
    for object in ["EXTENSION", "TABLE public.h ", "INDEX public.h_v", "VIEW public.of_h"] {
        assert!(unproven.contains(object), "{object}: {unproven}");
    }
    let table = |name: &str| {
        let tables = json["drill"]["tables"].as_array().unwrap();
        tables.iter().find(|t| t["table"] == name).unwrap()["verdict"].clone()
    };
    assert_eq!((table("plain"), table("h")), ("proven".into(), "incomplete".into()));
    assert!(json["record_url"].as_str().unwrap().ends_with(".incomplete.json"));
}

/// A copy of a server's programs that lacks an extension. The programs look for the rest beside themselves.
fn without_hstore(bin: &Path) -> TempDir {
    let copy = tempfile::Builder::new().prefix("drill-pg-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(copy.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let root = bin.parent().unwrap();
    let script = "cp -r \"$1\"/bin \"$1\"/share \"$2\" && ln -s \"$1\"/lib \"$2\"/lib && \
                  find \"$2\"/share -name 'hstore*' -delete && ! test -e \"$2\"/share/extension/hstore.control";
    let mut copied = Command::new("sh");
    copied.args(["-ec", script, "sh"]).arg(root).arg(copy.path());
    assert!(copied.status().unwrap().success());
    copy
}

/// Starts a drill that hangs in an assertion once everything is restored.
fn hanging(sample: &Sample, dir: &TempDir) -> Running {
    let hang = "select pg_sleep(600) is not null";
    let running = Running::pgkeep(&words("sample", sample.store(), dir, &["--check", hang]));
    let in_check =
        || processes().iter().any(|p| p.arguments.starts_with("postgres: postgres restored [local] SELECT"));
    wait_until("the assertion runs", in_check);
    running
}

#[test]
fn a_drill_that_is_stopped_leaves_nothing_and_one_that_is_killed_leaves_nothing_after_the_next() {
    let sample = Sample::make(&Server::major(18), &[]);
    let dir = work_dir();
    let running = hanging(&sample, &dir);
    running.signal("TERM");
    running.wait().failed(130, &["stopped"]);
    nothing_is_left(&dir);

    let running = hanging(&sample, &dir);
    running.signal("KILL");
    running.wait();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "a killed run cannot clean up");
    assert_eq!(beside(&sample, ".json"), Vec::<PathBuf>::new(), "no drill without an end has a record");
    ran(&words("sample", sample.store(), &dir, &[]))
        .ok()
        .says(&["PROVEN", "that a killed run had left was removed"]);
    nothing_is_left(&dir);
}

#[test]
fn a_scratch_server_serves_as_well_and_keeps_nothing() {
    let sample = Sample::make(&Server::major(16), &[]);
    let scratch = Server::major(18);
    // Newer than what was dumped: the same definitions in other words are no difference.
    let url = scratch.url("postgres");
    ran(&["drill", &sample.id, "--store", sample.store(), "--into", &url])
        .ok()
        .says(&["PROVEN", "127.0.0.1:"]);
    let left = scratch.psql(
        "postgres",
        "select count(*) from pg_database where datname like 'pgkeep\\_drill\\_%reference'",
    );
    assert_eq!(left, "0");
    ran(&["drill", &sample.id, "--store", sample.store(), "--into", &Server::major(15).url("postgres")])
        .failed(2, &["older than the backup's 16"]);
}

#[test]
fn a_plan_goes_by_the_last_drill_and_sees_the_disk_of_a_server_on_this_machine() {
    let server = Server::major(18);
    let source = noise(&server, 40_000);
    let (store, dir) = (tempfile::tempdir().unwrap(), work_dir());
    let to = store.path().to_str().unwrap();
    ran(&["backup", &source.url(), "--to", to, "--name", "noise"]).ok();
    let target = Database::create(&server, "planned");
    let url = target.url();
    let plan = ["restore", "noise@latest", "--store", to, "--into", &url, "--plan"];
    ran(&plan).ok().says(&["the amount of data alone", "that are free there"]);
    ran(&words("noise", to, &dir, &[])).ok();
    ran(&plan).ok().says(&["by a drill on ", "of rows in ", "on throwaway 18."]);
    let json = ran(&[&plan[..], &["--json"]].concat()).ok().json();
    let record =
        files(&store.path().join("noise")).into_iter().find(|f| f.ends_with(".proven.json")).unwrap();
    let record = std::fs::read(store.path().join("noise").join(record)).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let measured = record["drill"]["restore_ms"].as_u64().unwrap() as f64 / 1000.0;
    let estimated = json["seconds_estimated"].as_f64().unwrap();
    assert!((estimated - measured).abs() < 0.001, "{estimated} and {measured}: all of the same backup");
    assert!(json["disk_bytes_free"].as_u64().unwrap() > 0, "{json}");
}

#[test]
fn databases_of_a_killed_drill_are_dropped_by_the_next_on_the_same_server() {
    let sample = Sample::make(&Server::major(18), &[]);
    let scratch = private_server(18, &[]);
    let url = scratch.url("postgres");
    let words = ["drill", &sample.id, "--store", sample.store(), "--into", &url];
    let running = Running::pgkeep(&[&words[..], &["--check", "select pg_sleep(600) is not null"]].concat());
    let sleepers = "from pg_stat_activity where query like '%pg_sleep(600)%' and pid <> pg_backend_pid()";
    let psql = |sql: &str| scratch.psql("postgres", sql);
    wait_until("the assertion runs", || psql(&format!("select count(*) {sleepers}")) == "1");
    // One that is under way is not taken for a leftover.
    ran(&words).ok().says(&["PROVEN"]);
    let databases = "select count(*) from pg_database where datname ~ '^pgkeep_drill_'";
    assert_eq!(psql(databases), "1");
    running.signal("KILL");
    running.wait();
    assert_eq!(psql(&format!("select pg_terminate_backend(pid, 10000) {sleepers}")), "t");
    wait_until("its sessions are gone", || {
        psql("select count(*) from pg_stat_activity where application_name ~ '^pgkeep_drill_'") == "0"
    });
    assert_eq!(psql(databases), "1", "a killed drill cannot clean up");
    ran(&words).ok().says(&["PROVEN", "a database that a killed drill had left was dropped"]);
    assert_eq!(psql(databases), "0");
}

#[test]
fn a_user_of_a_scratch_server_who_may_not_create_roles_is_told_what_to_do() {
    let (source_server, scratch) = (Server::major(18), private_server(18, &[]));
    let source = Database::create(&source_server, "owned");
    let owner = format!("drill_owner_{}", std::process::id());
    source.psql(&format!(
        "create role {owner}; create table t (i int); alter table t owner to {owner};
         alter default privileges for role {owner} grant select on tables to public"
    ));
    let store = tempfile::tempdir().unwrap();
    let to = store.path().to_str().unwrap();
    ran(&["backup", &source.url(), "--to", to, "--name", "owned"]).ok();
    source.psql(&format!("drop owned by {owner}; drop role {owner}"));
    scratch.psql("postgres", "create role driller login createdb password 'pw'");
    let url = scratch.url("postgres").replace("postgres:secret@", "driller:pw@");
    let words = ["drill", "owned", "--store", to, "--into", &url];
    ran(&words).failed(1, &[&owner, "permission denied", "create these before"]);
    assert_eq!(scratch.psql("postgres", "select count(*) from pg_database where datname ~ '^pgkeep'"), "0");
    // It need not be a member of the role: the table stays its own, which is told.
    scratch.psql("postgres", &format!("create role {owner}"));
    ran(&words).ok().says(&["PROVEN", "may not give them to", "or this user may not: DEFAULT ACL"]);
}

#[test]
fn without_a_server_here_the_error_says_what_to_install() {
    let sample = Sample::make(&Server::major(18), &[]);
    let mut command = pgkeep(&["drill", &sample.id, "--store", sample.store()]);
    let empty = tempfile::tempdir().unwrap();
    command.env("PATH", "").env("PGKEEP_PG_BIN", empty.path());
    run(command).failed(6, &["postgres 18 or newer", "postgresql-18", "--into URL"]);
    assert_eq!(beside(&sample, ".json"), Vec::<PathBuf>::new());
}

#[test]
fn each_database_is_drilled_by_its_own_entry_of_the_configuration() {
    let sample = Sample::make(&Server::major(18), &[]);
    let dir = work_dir();
    let file = dir.path().join("pgkeep.toml");
    let text = format!(
        "store = \"{}\"\n[defaults]\nwork_dir = \"{}\"\n[databases.sample]\nurl = \"postgres://x/y\"\n\
         drill_check = [\"select count(*) > 0 from t\", \"select count(*) > 1000 from u\"]\n",
        sample.store(),
        dir.path().display()
    );
    std::fs::write(&file, text).unwrap();
    let mut command = pgkeep(&["drill", "sample"]);
    command.env("PGKEEP_CONFIG", &file);
    run(command).failed(
        3,
        &["assertion true: select count(*) > 0 from t", "NOT TRUE: select count(*) > 1000 from u"],
    );
}

#[test]
fn a_look_at_a_backup_needs_no_server_and_stays_only_if_asked_to() {
    let sample = Sample::make(&Server::major(18), &[]);
    let dir = work_dir();
    let place = dir.path().to_str().unwrap();
    let words =
        ["restore", &sample.id, "--store", sample.store(), "--into", "throwaway", "--work-dir", place];
    ran(&words).ok().says(&["proven", "the throwaway server is gone again; --keep"]);
    nothing_is_left(&dir);
    ran(&[&words[..], &["--clean"]].concat()).failed(2, &["--clean: a throwaway server is new and empty"]);

    let kept = ran(&[&words[..], &["--keep"]].concat()).ok();
    let command = |begin: &str| kept.stdout.lines().find_map(|l| l.strip_prefix(begin)).unwrap().to_owned();
    let psql = format!("{} -XAtc 'select count(*) from t'", command("note: look at it: "));
    let looked = Command::new("sh").args(["-c", &psql]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&looked.stdout), "3000\n", "{looked:?}");
    // The next run takes it for no leftover.
    ran(&words).ok();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let remove = Command::new("sh").args(["-c", &command("note: stop and remove it: ")]).output().unwrap();
    assert!(remove.status.success(), "{remove:?}");
    nothing_is_left(&dir);
}
