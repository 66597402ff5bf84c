//! Restoring into whatever there is: targets that hold something, other names and owners, other majors, roles that may
//! do little; and the plan that tells it beforehand.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::process::Output;

use pgkeep_testbed::{Database, Server, compare_databases};
use serde_json::Value;
use support::{Backup, pgkeep, program, restore, succeed};

fn sample(major: u32) -> (Database, Backup) {
    let source = Database::create(&Server::major(major), "shop");
    source.psql(
        "create type state as enum ('new', 'paid');
         create table orders (id serial primary key, s state, v text);
         insert into orders (s, v) select 'new', md5(i::text) from generate_series(1, 5000) i;
         create index orders_v on orders (v);
         create table few (i int); insert into few values (1);
         create view paid as select * from orders where s = 'paid'",
    );
    let backup = Backup::of(&source, &[]);
    (source, backup)
}

fn attempt(what: &str, url: &str, extra: &[&str]) -> Output {
    pgkeep(&[&["restore", what, "--into", url], extra].concat())
}

#[track_caller]
fn fails(out: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(code), "{said}");
    assert!(words.iter().all(|w| said.contains(w)), "{said}");
}

#[test]
fn a_target_that_holds_something_is_refused_and_left_alone() {
    let (source, backup) = sample(18);
    let target = Database::create(source.server(), "taken");
    target.psql("create table elsewhere (i int)");
    let before = target.psql("select count(*) from pg_class");
    let (file, url) = (backup.file(), target.url());
    fails(
        &attempt(&file, &url, &[]),
        1,
        &["it is not empty: it has 1 tables", "--plan", "--clean", "--force"],
    );
    assert_eq!(target.psql("select count(*) from pg_class"), before);
    restore(&file, &target, &["--force"]);
    assert_eq!(target.psql("select count(*) from orders"), "5000");
    fails(&attempt(&file, &url, &[]), 1, &["TYPE public.state", "already exists, and 5 others"]);
    restore(&file, &target, &["--clean", "--if-exists"]);
    target.psql("drop table elsewhere");
    compare_databases(&source, &target).unwrap();
}

#[test]
fn a_dropped_table_comes_back_beside_the_others_and_a_living_one_is_not_touched() {
    let (source, backup) = sample(18);
    let target = Database::create(source.server(), "live");
    restore(&backup.file(), &target, &[]);
    target.psql("drop view paid; drop table orders; update few set i = 2");
    let result = restore(&backup.file(), &target, &["-t", "orders"]);
    assert!(result["notes"].to_string().contains("TYPE public.state is there already"), "{result}");
    assert_eq!((result["proven"].as_bool(), result["rows"].as_u64()), (Some(true), Some(5000)));
    assert_eq!(target.psql("select i from few"), "2");
    fails(
        &attempt(&backup.file(), &target.url(), &["-t", "few"]),
        1,
        &["TABLE public.few", "already exists"],
    );
    fails(
        &attempt(&backup.file(), &target.url(), &["-t", "few", "-a"]),
        1,
        &["rows of TABLE DATA public.few"],
    );
    assert_eq!(target.psql("select i from few"), "2");
}

#[test]
fn a_sequence_that_is_there_and_used_by_others_keeps_its_value() {
    let source = Database::create(&Server::major(18), "shop");
    source
        .psql("create sequence n; create table t (i int default nextval('n')); insert into t default values");
    let backup = Backup::of(&source, &[]);
    let target = Database::create(source.server(), "live");
    restore(&backup.file(), &target, &[]);
    target.psql("drop table t; select setval('n', 1000)");
    let result = restore(&backup.file(), &target, &["-t", "t"]);
    assert_eq!(
        (target.psql("select nextval('n')").as_str(), result["proven"].as_bool()),
        ("1001", Some(true))
    );
}

#[test]
fn a_plan_tells_everything_and_changes_nothing() {
    let (source, backup) = sample(17);
    let target = Database::create(source.server(), "planned");
    let (file, url) = (backup.file(), target.url());
    let plan = |extra: &[&str]| -> Value {
        let out = attempt(&file, &url, &[&["--plan", "--json"], extra].concat());
        serde_json::from_slice(&out.stdout).unwrap()
    };
    let fresh = plan(&[]);
    assert_eq!(fresh["ok"], true);
    let loads = fresh["loads"].as_array().unwrap();
    assert_eq!((loads[0]["table"].as_str(), loads[0]["rows"].as_u64()), (Some("public.orders"), Some(5000)));
    assert_eq!(loads[1]["table"], "public.few", "biggest first");
    assert_eq!((&fresh["creates"]["TABLE"], &fresh["builds"]["INDEX"]), (&2.into(), &1.into()));
    let size: u64 = source.psql("select pg_database_size(current_database())").parse().unwrap();
    let disk = fresh["disk_bytes_estimated"].as_u64().unwrap();
    assert!(disk > size / 2 && disk < size * 2, "{disk} and {size}");
    assert!(fresh["seconds_rest_on"].as_str().unwrap().contains("the amount of data alone"), "{fresh}");
    assert_eq!(target.psql("select count(*) from pg_tables where schemaname = 'public'"), "0");

    restore(&file, &target, &[]);
    let taken = plan(&[]);
    assert_eq!((taken["ok"].as_bool(), taken["error"]["exit_code"].as_u64()), (Some(false), Some(1)));
    assert!(taken["conflicts"].to_string().contains("VIEW public.paid"), "{taken}");
    let clean = plan(&["--clean", "--if-exists"]);
    assert_eq!(clean["ok"], true);
    assert!(clean["drops"].to_string().contains("TABLE public.orders"), "{clean}");
    let words = attempt(&file, &url, &["--plan", "--clean"]);
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.contains("nothing was changed") && words.contains("public.orders"), "{words}");
    compare_databases(&source, &target).unwrap();
}

#[test]
fn a_new_database_has_the_name_and_owner_that_were_asked_for() {
    let (source, backup) = sample(18);
    source.psql(&format!(
        "comment on database \"{0}\" is 'DATABASE {0}'; alter database \"{0}\" set work_mem = '7MB'",
        source.name()
    ));
    let server = source.server().clone();
    let role = format!("owner_{}", std::process::id());
    server.psql("postgres", &format!("create role {role}"));
    let again = Backup::of(&source, &[]);
    drop(backup);
    {
        let target = Database::reserve(&server, "Other \"name\"");
        let args = ["--create-as", target.name(), "--owner", &role, "--json"];
        let out = attempt(&again.file(), &server.url("postgres"), &args);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let told: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!((told["database"].as_str(), told["proven"].as_bool()), (Some(target.name()), Some(true)));
        let owners =
            "select count(*) from pg_class where relnamespace = 'public'::regnamespace and relowner <> ";
        assert_eq!(target.psql(&format!("{owners} '{role}'::regrole")), "0");
        let about = "select pg_get_userbyid(datdba), shobj_description(oid, 'pg_database') from pg_database";
        let found = target.psql(&format!("{about} where datname = current_database()"));
        assert_eq!(found, format!("{role}|DATABASE {}", source.name()));
        assert_eq!(target.psql("show work_mem"), "7MB");
        let out = attempt(&again.file(), &server.url("postgres"), &args);
        fails(&out, 1, &["already exists"]);
    }
    server.psql("postgres", &format!("drop role {role}"));
}

#[test]
fn an_older_server_gets_what_it_knows_and_the_rest_is_listed() {
    let source = Database::create(&Server::major(18), "newer");
    source.psql(
        "create table t (id int primary key, v text compression pglz);
         insert into t select i, repeat('x', i % 50) from generate_series(1, 1000) i;
         create role maintainer_of_18; grant maintain, select on t to maintainer_of_18",
    );
    let backup = Backup::of(&source, &[]);
    source.psql("drop owned by maintainer_of_18; drop role maintainer_of_18");
    for major in [13, 16] {
        let server = Server::major(major);
        let target = Database::create(&server, "older");
        target.psql("create role maintainer_of_18");
        let result = restore(&backup.file(), &target, &[]);
        let rights = target.psql("select privilege_type from information_schema.role_table_grants where grantee = 'maintainer_of_18'");
        target.psql("drop owned by maintainer_of_18; drop role maintainer_of_18");
        assert_eq!(rights, "SELECT");
        assert_eq!(result["proven"], true);
        let notes = result["notes"].to_string();
        assert!(notes.contains("the privilege MAINTAIN"), "{notes}");
        assert_eq!(notes.contains("SET COMPRESSION"), major < 14, "{notes}");
        assert_eq!(
            target.psql("select count(*), sum(length(v)) from t"),
            source.psql("select count(*), sum(length(v)) from t")
        );
    }
}

#[test]
fn a_role_that_may_do_little_gets_the_rows_and_a_list_of_what_it_may_not_set() {
    let (source, backup) = sample(18);
    source.psql(
        "create function watch() returns event_trigger language plpgsql as 'begin end';
         create event trigger watching on ddl_command_end execute function watch();
         create publication everything for all tables; create publication few_only for table few",
    );
    let again = Backup::of(&source, &[]);
    drop(backup);
    let server = source.server().clone();
    let role = format!("little_{}", std::process::id());
    server.psql("postgres", &format!("create role {role} login password 'pw'"));
    let owned = format!("TEMPLATE template0 OWNER {role}");
    {
        let target = Database::create_with(&server, "managed", &owned);
        let url = target.url().replace("postgres:secret@", &format!("{role}:pw@"));
        let out = attempt(&again.file(), &url, &["--json"]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let told: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!((told["ok"].as_bool(), told["proven"].as_bool()), (Some(true), Some(true)));
        let notes = told["notes"].to_string();
        for words in ["watching", "everything", "may not give them to postgres"] {
            assert!(notes.contains(words), "{words}: {notes}");
        }
        assert_eq!(target.psql("select count(*) from orders"), "5000");
        assert_eq!(target.psql("select pubname from pg_publication"), "few_only");
    }
    server.psql("postgres", &format!("drop role {role}"));
}

#[test]
fn what_a_service_owns_is_left_out_by_its_preset() {
    let source = Database::create(&Server::major(16), "supabase");
    source.psql(
        "create schema auth; create table auth.users (id int primary key); create table mine (i int);
         insert into mine values (1); create view who as select * from auth.users;
         create publication supabase_realtime for table mine",
    );
    let backup = Backup::of(&source, &[]);
    let target = Database::create(source.server(), "elsewhere");
    let result = restore(&backup.file(), &target, &["--preset", "supabase"]);
    assert_eq!(target.psql("select count(*) from pg_namespace where nspname = 'auth'"), "0");
    assert_eq!(target.psql("select count(*) from pg_publication"), "0");
    assert_eq!(target.psql("select i from mine"), "1");
    let notes = result["notes"].to_string();
    assert!(notes.contains("supabase_realtime") && notes.contains("left out: VIEW public.who"), "{notes}");
    let listed = succeed(program().args(["restore", &backup.file(), "--list", "--preset", "supabase"]));
    assert!(!String::from_utf8_lossy(&listed).contains("auth"));
}
