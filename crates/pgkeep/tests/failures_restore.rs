//! Restores that cannot be done, or whose rows are not those that were dumped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::time::Duration;

use failures_support::archive::Sample;
use failures_support::data::{Session, no_sessions, noise};
use failures_support::place::Place;
use failures_support::program::{PLANTED_IN_URL, Ran, Running, ran};
use failures_support::{closed_port, wait_until};
use pgkeep_testbed::{Database, FaultProxy, Server, compare_databases};

fn restore(sample: &Sample, into: &str, more: &[&str]) -> Ran {
    ran(&[&["restore", &sample.id, "--into", into, "--store", sample.store(), "--jobs", "2"], more].concat())
}

fn sample() -> Sample {
    Sample::make(&Server::major(18), &[])
}

#[test]
fn a_target_that_cannot_be_reached_or_logged_in_to_is_named() {
    let sample = sample();
    let port = closed_port();
    let url = format!("postgres://postgres:{PLANTED_IN_URL}@127.0.0.1:{port}/shop");
    restore(&sample, &url, &[]).failed(4, &[&format!("connecting to 127.0.0.1:{port}"), "refused"]);
    let server = Server::major(18);
    let url = format!("postgres://postgres:{PLANTED_IN_URL}@127.0.0.1:{}/postgres", server.port());
    let refused = restore(&sample, &url, &["--json"]).failed(4, &["password authentication failed"]);
    assert_eq!(refused.json()["error"]["kind"], "authentication");
    restore(&sample, &server.url("no_such_database"), &[])
        .failed(4, &["\"no_such_database\" does not exist", "psql -l"]);
}

#[test]
fn a_backup_that_is_not_there_is_told_with_the_way_to_look() {
    let sample = sample();
    let target = Server::major(18).url("postgres");
    for words in ["nothing@latest", "20010101T000000Z-ffffff"] {
        let ran = ran(&["restore", words, "--into", &target, "--store", sample.store()]);
        ran.failed(1, &[&format!("no backup \"{words}\""), "pgkeep list --store"]);
    }
    let ran = ran(&["restore", "/no/such/file.dump", "--into", &target]);
    ran.failed(5, &["/no/such/file.dump", "not found"]);
}

#[test]
fn a_beginning_that_fits_two_backups_is_not_guessed() {
    let sample = sample();
    ran(&["backup", &sample.source.url(), "--to", sample.store()]).ok();
    let ran = ran(&["verify", &sample.id[..4], "--store", sample.store()]);
    ran.failed(1, &["fits several backups", &sample.id, "give the whole id"]);
}

#[test]
fn an_object_that_exists_already_is_named() {
    let sample = sample();
    let target = Database::create(sample.source.server(), "target");
    target.psql("create table t (other int)");
    let ran = restore(&sample, &target.url(), &["--json"])
        .failed(1, &["TABLE public.t", "already exists", "--clean"]);
    assert_eq!(ran.json()["error"]["exit_code"], 1);
    assert_eq!(target.psql("select count(*) from t"), "0", "nothing was loaded into it");
}

#[test]
fn keeping_going_lists_every_object_that_failed_and_fails_in_the_end() {
    let sample = sample();
    let target = Database::create(sample.source.server(), "target");
    target.psql("create table t (other int); create table mine (i int); create index t_v on mine (i)");
    let ran = restore(&sample, &target.url(), &["--keep-going"]);
    let words = ["failed: TABLE public.t", "INDEX public.t_v", "restored in part", "could not be restored"];
    ran.failed(1, &words);
    assert_eq!(target.psql("select count(*) from u"), "100", "the rest was restored");
    let target = Database::create(sample.source.server(), "target");
    target.psql("create table t (other int)");
    let ran = restore(&sample, &target.url(), &["--keep-going", "--json"]).failed(1, &[]);
    let first: serde_json::Value = serde_json::from_str(ran.stdout.lines().next().unwrap()).unwrap();
    assert_eq!((first["ok"].as_bool(), first["proven"].as_bool()), (Some(false), Some(false)), "{first}");
    let errors = first["errors"].as_array().unwrap();
    let told = |e: &serde_json::Value, object: &str, code: &str| {
        e["object"].as_str().unwrap().starts_with(object) && e["sqlstate"] == code
    };
    assert!(errors.iter().any(|e| told(e, "TABLE public.t ", "42P07")), "{first}");
    assert_eq!(ran.json()["error"]["kind"], "restore-errors");
}

#[test]
fn a_role_that_is_not_there_is_named_with_the_way_around() {
    let sample = sample();
    let server = sample.source.server().clone();
    let role = format!("gone_{}", std::process::id());
    sample.source.psql(&format!("create role {role}; alter table u owner to {role}"));
    ran(&["backup", &sample.source.url(), "--to", sample.store(), "--name", "owned"]).ok();
    sample.source.psql(&format!("reassign owned by {role} to postgres; drop role {role}"));
    let target = Database::create(&server, "target");
    let into = |more: &[&str]| {
        let url = target.url();
        ran(&[&["restore", "owned@latest", "--into", &url, "--store", sample.store()], more].concat())
    };
    into(&[]).failed(1, &["public.u", &format!("role \"{role}\" does not exist"), "--no-owner"]);
    into(&["--no-owner", "--clean", "--if-exists"]).ok().says(&["proven"]);
}

#[test]
fn a_connection_that_is_cut_while_rows_go_in_ends_the_restore() {
    let server = Server::major(18);
    let source = noise(&server, 150_000);
    let place = Place::folder();
    place.backup(&source.url(), &[]).ok();
    let id = place.holds_one_backup();
    let target = Database::create(&server, "target");
    let proxy = FaultProxy::to(("127.0.0.1", server.port()));
    proxy.throttle(2_000_000);
    let url = target.url_via(proxy.port());
    let running = Running::pgkeep(&["restore", &id, "--into", &url, "--store", &place.url(), "--jobs", "2"]);
    wait_until("rows go in", || proxy.bytes_to_server() > 1_000_000);
    proxy.refuse(true);
    proxy.cut_all_now();
    let ran = running.wait();
    let ran = ran.failed(4, &["public.t", "trying again", "connecting to"]);
    assert!(!ran.stdout.contains("proven"), "{ran:#?}");
    no_sessions(&target);
    // The same target can be used again.
    proxy.heal();
    let arguments = ["restore", &id, "--into", &url, "--store", &place.url(), "--clean", "--if-exists"];
    ran_ok(&arguments);
    compare_databases(&source, &target).unwrap();
}

#[test]
fn a_connection_that_is_cut_while_rows_go_in_is_made_again_and_no_row_comes_twice() {
    let server = Server::major(18);
    let source = noise(&server, 150_000);
    let place = Place::folder();
    place.backup(&source.url(), &["--segment-size", "1MiB"]).ok();
    let id = place.holds_one_backup();
    let target = Database::create(&server, "target");
    let proxy = FaultProxy::to(("127.0.0.1", server.port()));
    proxy.throttle(2_000_000);
    let url = target.url_via(proxy.port());
    let running = Running::pgkeep(&["restore", &id, "--into", &url, "--store", &place.url(), "--jobs", "2"]);
    wait_until("rows go in", || proxy.bytes_to_server() > 2_000_000);
    proxy.cut_all_now();
    proxy.throttle(0);
    running.wait().ok().says(&["trying again", "proven"]);
    compare_databases(&source, &target).unwrap();
}

fn ran_ok(arguments: &[&str]) {
    ran(arguments).ok().says(&["proven"]);
}

#[test]
fn a_stop_while_rows_go_in_is_heard() {
    let server = Server::major(18);
    let source = noise(&server, 150_000);
    let place = Place::folder();
    place.backup(&source.url(), &[]).ok();
    let id = place.holds_one_backup();
    let target = Database::create(&server, "target");
    let proxy = FaultProxy::to(("127.0.0.1", server.port()));
    // Slowly, and then not at all: also one that waits for room in its socket hears it.
    for stall in [false, true] {
        proxy.throttle(1_000_000);
        let url = target.url_via(proxy.port());
        let arguments = ["restore", &id, "--into", &url, "--store", &place.url(), "--clean", "--if-exists"];
        let before = proxy.bytes_to_server();
        let running = Running::pgkeep(&arguments);
        wait_until("rows go in", || proxy.bytes_to_server() > before + 500_000);
        if stall {
            proxy.stall();
            std::thread::sleep(Duration::from_secs(2));
        }
        running.signal("TERM");
        let ran = running.wait().failed(130, &["stopped"]);
        assert!(ran.took < Duration::from_secs(30), "{ran:#?}");
        proxy.heal();
        no_sessions(&target);
    }
}

#[test]
fn a_proof_that_fails_is_no_success() {
    let sample = sample();
    let target = Database::create(sample.source.server(), "target");
    // As if a row had been lost or changed on the way.
    sample.edit_manifest(|m| {
        let tables = m["dump"]["tables"].as_array_mut().unwrap();
        let t = tables.iter_mut().find(|t| t["table"] == "u").unwrap();
        t["sum"] = "00000000000000000000000000000001".into();
    });
    let ran = restore(&sample, &target.url(), &[]).failed(3, &["NOT PROVEN", "public.u", "do not use it"]);
    assert!(!ran.stdout.contains("  proven"), "{ran:#?}");
    let arguments = ["--clean", "--if-exists", "--json"];
    let ran = restore(&sample, &target.url(), &arguments).failed(3, &[]);
    let first: serde_json::Value = serde_json::from_str(ran.stdout.lines().next().unwrap()).unwrap();
    assert_eq!((first["ok"].as_bool(), first["proven"].as_bool()), (Some(false), Some(false)), "{first}");
    assert_eq!(ran.json()["error"]["kind"], "differs");
    restore(&sample, &target.url(), &["--clean", "--if-exists", "--no-prove"])
        .ok()
        .says(&["left out (--no-prove)"]);
}

#[test]
fn a_row_too_few_a_sequence_elsewhere_and_a_large_object_too_few_are_all_found() {
    let sample = sample();
    let target = Database::create(sample.source.server(), "target");
    sample.edit_manifest(|m| {
        let dump = &mut m["dump"];
        let rows = dump["tables"][0]["rows"].as_u64().unwrap();
        dump["tables"][0]["rows"] = (rows + 1).into();
        let value = dump["sequences"][0]["last_value"].as_i64().unwrap();
        dump["sequences"][0]["last_value"] = (value + 1).into();
        dump["large_objects"]["rows"] = 2.into();
    });
    restore(&sample, &target.url(), &[])
        .failed(3, &["NOT PROVEN: 3 differences", "t_id_seq", "large object"]);
}

#[test]
fn rows_that_a_trigger_of_the_target_changes_are_found() {
    let sample = sample();
    let target = Database::create(sample.source.server(), "target");
    // An event trigger puts a trigger on each new table, which fires for every role.
    target.psql(
        "create function spoil() returns trigger language plpgsql as $$ begin new.x := 'spoiled'; return new; end $$;
         create function arm() returns event_trigger language plpgsql as $$ begin
             if to_regclass('public.u') is not null and not exists (select from pg_trigger where tgname = 'spoil') then
                 create trigger spoil before insert on public.u for each row execute function public.spoil();
                 alter table public.u enable always trigger spoil;
             end if; end $$;
         create event trigger arm on ddl_command_end when tag in ('CREATE TABLE') execute function arm()",
    );
    restore(&sample, &target.url(), &[]).failed(3, &["NOT PROVEN: 1 difference", "public.u"]);
}

#[test]
fn a_table_that_somebody_locks_delays_the_restore_and_a_stop_is_heard() {
    let sample = sample();
    let target = Database::create(sample.source.server(), "target");
    restore(&sample, &target.url(), &[]).ok();
    let _holder = Session::start(&target, "begin; lock table u in access share mode; select pg_sleep(120)");
    wait_until("it is locked", || failures_support::data::locks(&target, "u", "AccessShareLock", true) == 1);
    let url = target.url();
    let running = Running::pgkeep(&[
        "restore",
        &sample.id,
        "--into",
        &url,
        "--store",
        sample.store(),
        "--clean",
        "--if-exists",
    ]);
    wait_until("the restore waits", || {
        failures_support::data::locks(&target, "u", "AccessExclusiveLock", false) == 1
    });
    running.signal("TERM");
    running.wait().failed(130, &["stopped"]);
    no_sessions(&target);
}
