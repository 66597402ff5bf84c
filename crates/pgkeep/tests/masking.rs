//! Row filters and masks: what is kept is what the rules say, on real servers, by psql and stock pg_restore.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::HashSet;

use pgkeep_testbed::{Database, Server};
use serde_json::Value;
use support::stock::PgRestore;
use support::{Backup, pgkeep, program, restore, succeed};

const SHOP: &str = r#"
create extension citext schema public;
create domain phone as varchar(20);
create table users (
    id int primary key, name text not null, email citext unique, phone phone, born date, seen timestamptz,
    token uuid, secret bytea, code int, note varchar(40),
    label text generated always as (name || '!') stored);
insert into users (id, name, email, phone, born, seen, token, secret, code, note)
select i, 'User ' || i, 'User' || i || '@Real.example', '+49 30 ' || i, '1990-01-01'::date + i,
       '2026-01-01 12:00+00'::timestamptz + i * interval '1 hour', md5(i::text)::uuid, convert_to('s' || i, 'UTF8'), i,
       'Room ' || i
from generate_series(1, 500) i;
insert into users (id, name) values (1000, 'Nobody');
create table logins (user_email citext references users (email), at timestamptz);
insert into logins select 'User' || i || '@Real.example', now() from generate_series(1, 300) i;
create table orders (id bigint, day date not null, customer int references users, total numeric, primary key (id, day))
    partition by range (day);
create table orders_old partition of orders for values from ('2020-01-01') to ('2026-01-01');
create table orders_new partition of orders for values from ('2026-01-01') to ('2030-01-01');
insert into orders select i, '2025-06-01'::date + i, 1 + i % 500, i from generate_series(1, 1000) i;
create table items (order_id bigint, day date, what text, foreign key (order_id, day) references orders (id, day));
insert into items select id, day, 'thing ' || id from orders;
select lo_from_bytea(0, 'a letter');
"#;

fn shop(major: u32) -> Database {
    let database = Database::create(&Server::major(major), "masking");
    database.psql(SHOP);
    database
}

/// Restored by stock pg_restore, which knows nothing of rules.
fn stock_restored(of: &Backup, major: u32) -> Database {
    let copy = Database::create(&Server::major(major), "copy");
    let file = of.path();
    let mut command = PgRestore { major, archive: &file }.command(&["--exit-on-error", "-j2"]);
    succeed(command.arg("-d").arg(copy.url()).arg(&file));
    copy
}

const MASKS: [&str; 22] = [
    "--mask",
    "public.users.name=fake name",
    "--mask",
    "public.users.email=hash",
    "--mask",
    "public.logins.user_email=hash",
    "--mask",
    "public.users.phone=fake phone",
    "--mask",
    "public.users.born=shift dates:30",
    "--mask",
    "public.users.seen=shift dates:30",
    "--mask",
    "public.users.token=hash",
    "--mask",
    "public.users.secret=null",
    "--mask",
    "public.users.code=hash",
    "--mask",
    "public.users.note=redact",
    "--mask",
    "public.items.what=constant:it's a thing",
];

#[test]
fn masks_of_14_keep_no_original_and_restore_proven() {
    masks_keep_no_original(14);
}

#[test]
fn masks_of_18_keep_no_original_and_restore_proven() {
    masks_keep_no_original(18);
}

fn masks_keep_no_original(major: u32) {
    let database = shop(major);
    let backup = Backup::of(&database, &MASKS);
    assert_eq!(backup.result["masked"], true);
    let copy = stock_restored(&backup, major);
    let left = "select count(*) from users where name ~ '^User' or email ~* 'real' or phone ~ '[+]49' \
                or secret is not null or note ~ 'Room' or label ~ '^User'";
    assert_eq!(database.psql(left), "500");
    assert_eq!(copy.psql(left), "0");
    assert_eq!(copy.psql("select count(*) from users where born in (select '1990-01-01'::date + i from generate_series(1, 30) i) and token = md5(id::text)::uuid"), "0");
    assert_eq!(copy.psql("select note from users where id = 7"), "xxxx x");
    assert_eq!(copy.psql("select distinct what from items"), "it's a thing");
    // Equal values have equal masks, so that the foreign key holds; different ones differ.
    assert_eq!(
        copy.psql("select count(*), count(distinct email), count(distinct token) from users"),
        "501|500|500"
    );
    assert_eq!(copy.psql("select count(*) from logins join users on email = user_email"), "300");
    // NULL stays NULL, dates keep their distances.
    assert_eq!(
        copy.psql("select email, phone, born, seen, token, code, note from users where id = 1000"),
        "||||||"
    );
    assert_eq!(copy.psql("select distinct born - '1990-01-01'::date - id = 0, extract(epoch from seen)::bigint - id * 3600 = extract(epoch from '2026-01-01 12:00+00'::timestamptz) from users where id < 1000"), "f|f");
    assert_eq!(copy.psql("select count(distinct born - id) from users where id < 1000"), "1");
    assert_eq!(copy.psql("select count(*) from pg_largeobject_metadata"), "0");
    let proven = Database::create(&Server::major(major), "proven");
    assert_eq!(restore(&backup.file(), &proven, &[])["proven"], true);
    succeed(program().args(["verify", &backup.file()]));
}

#[test]
fn rows_of_14_are_cut_by_the_parents_rule_and_in_segments() {
    rows_are_cut(14);
}

#[test]
fn rows_of_18_are_cut_by_the_parents_rule_and_in_segments() {
    rows_are_cut(18);
}

fn rows_are_cut(major: u32) {
    let database = shop(major);
    database.psql("insert into users select i, repeat(md5(i::text), 20) from generate_series(2000, 14000) i");
    let child = "public.items=(order_id, day) in (select id, day from public.orders where orders.day < '2025-07-01' or id % 3 = 0)";
    let backup = Backup::of(
        &database,
        &[
            "--where",
            "public.orders=orders.day < '2025-07-01' or id % 3 = 0",
            "--where",
            child,
            "--where",
            "public.users=id % 2 = 0 or id < 1001",
            "--segment-size",
            "1MiB",
        ],
    );
    assert!(backup.segments("users") > 4);
    assert_eq!(backup.result["masked"], false);
    let notes = backup.result["notes"].as_array().unwrap();
    assert!(notes.len() == 1 && notes[0].as_str().unwrap().contains("logins_user_email_fkey"), "{notes:?}");
    let copy = stock_restored(&backup, major);
    for (table, rule) in [
        ("orders_old", "day < '2025-07-01' or id % 3 = 0"),
        ("orders_new", "id % 3 = 0"),
        ("items", "day < '2025-07-01' or order_id % 3 = 0"),
        ("users", "id % 2 = 0 or id < 1001"),
    ] {
        let sum = |from: &str| {
            format!("select count(*), md5(string_agg(t::text, '' order by t::text)) from {from} t")
        };
        let kept = database.psql(&sum(&format!("(select * from {table} where {rule})")));
        assert_eq!(copy.psql(&sum(table)), kept, "{table} of {major}");
    }
    let proven = Database::create(&Server::major(major), "proven");
    assert_eq!(restore(&backup.file(), &proven, &[])["proven"], true);
}

/// The rule that a note proposes.
fn proposed(note: &Value) -> String {
    let (_, rule) = note.as_str().unwrap().split_once("--where '").unwrap();
    rule.strip_suffix('\'').unwrap().replace("'\\''", "'")
}

#[test]
fn a_cut_parent_is_told_with_rules_for_its_children_that_work() {
    let database = shop(17);
    let mut rules = vec!["public.users=note <> 'Room 7' and id % 2 = 1".to_owned()];
    // Each round cuts what refers to what the last one cut.
    for round in 0.. {
        let flags: Vec<&str> = rules.iter().flat_map(|r| ["--where", r.as_str()]).collect();
        let backup = Backup::of(&database, &flags);
        let notes = backup.manifest()["dump"]["notes"].as_array().cloned().unwrap_or_default();
        if notes.is_empty() {
            assert!(round > 1 && rules.len() == 4, "{rules:?}");
            let copy = stock_restored(&backup, 17);
            assert_eq!(copy.psql("select count(*) from users"), "249");
            break;
        }
        let copy = Database::create(&Server::major(17), "broken");
        let out = pgkeep(&["restore", &backup.file(), "--into", &copy.url()]);
        assert!(String::from_utf8_lossy(&out.stderr).contains("foreign key"), "{out:?}");
        rules.extend(notes.iter().map(proposed));
    }
}

#[test]
fn a_rule_that_makes_no_sense_is_refused_before_a_row_is_read() {
    let database = shop(18);
    database.psql(
        "create table keyed (id int generated always as identity, n int); create view v as select * from users; \
         create schema \"Odd\"; create table \"Odd\".\"Name\" (\"A=b\" text)",
    );
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "--mask",
            "public.user.email=hash",
            &["mask public.user.email", "no such table", "did you mean public.users?"],
        ),
        ("--mask", "public.users.emial=hash", &["public.users has no such column", "did you mean email?"]),
        ("--mask", "users.email=hash", &["write schema.table.column"]),
        ("--mask", "public.*.email=hash", &["no patterns"]),
        ("--mask", "odd.name.x=hash", &["did you mean \"Odd\".\"Name\"?"]),
        ("--mask", "public.users.label=hash", &["computes"]),
        ("--mask", "public.keyed.id=hash", &["GENERATED ALWAYS AS IDENTITY"]),
        ("--mask", "public.orders.day=shift dates", &["in which partition"]),
        ("--mask", "public.users.name=null", &["NOT NULL"]),
        ("--mask", "public.users.code=fake name", &["fake name", "the column is integer"]),
        ("--mask", "public.users.phone=fake email", &["33 characters", "holds 20"]),
        ("--mask", "public.users.born=hash", &["the column is date"]),
        ("--mask", "public.users.name=shift dates", &["the column is text"]),
        ("--mask", "public.users.born=shift dates:0", &["1 to 30000"]),
        ("--mask", "public.users.name=md5(nmae)", &["column \"nmae\" does not exist", "42703"]),
        ("--mask", "public.users.code=point(1, 2)", &["cannot cast type point to integer"]),
        ("--mask", "public.users.code=count(*)", &["aggregate functions are not allowed"]),
        ("--mask", "public.users.code=generate_series(1, 2)", &["set-returning"]),
        ("--mask", "public.users.code=1), (2", &["closed that was not opened"]),
        ("--mask", "public.users.code=1; drop table users", &["semicolon"]),
        ("--mask", "public.users.name=my_mask(name)", &["my_mask", "needs its schema"]),
        ("--mask", "public.v.name=hash", &["it is a view"]),
        ("--where", "public.users=id", &["where public.users", "must be type boolean, not type integer"]),
        ("--where", "public.users=id =", &["syntax error"]),
        ("--where", "public.users=", &["empty"]),
        ("--where", "public.users=count(*) > 1", &["aggregate"]),
        (
            "--where",
            "public.users=id = (select id from orders)",
            &["relation \"orders\"", "needs its schema"],
        ),
    ];
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().to_str().unwrap();
    let object = |rule: &str| rule.split('=').next().unwrap().to_owned();
    let mut left: Vec<_> = cases.to_vec();
    while !left.is_empty() {
        // All problems are told at once; a second rule for a column would take the first one's place.
        let mut taken = HashSet::new();
        let (now, later): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|(flag, rule, _)| taken.insert((*flag, object(rule))));
        let mut args = vec!["backup".to_owned(), database.url(), "--to".into(), to.into()];
        for (flag, rule, _) in &now {
            args.extend([flag.to_string(), rule.to_string()]);
        }
        let out = pgkeep(&args);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{said}");
        for (_, rule, words) in now {
            words.iter().for_each(|w| assert!(said.contains(w), "{rule}: {w}: {said}"));
        }
        left = later;
    }
    assert!(succeed(program().args(["list", "--store", to, "--json"])).is_empty());
    // A table that is left out has no rows to change, one without rows has none at all.
    let url = database.url();
    let mut left_out =
        vec!["backup", &url, "--to", to, "--mask", "public.users.name=hash", "--exclude-table-data", "users"];
    let out = pgkeep(&left_out);
    assert!(String::from_utf8_lossy(&out.stderr).contains("none of its rows are in this backup"), "{out:?}");
    left_out.splice(6.., ["--schema-only"]);
    succeed(program().args(&left_out));
    // Odd names work.
    succeed(program().args([
        "backup",
        &url,
        "--to",
        to,
        "--mask",
        "\"Odd\".\"Name\".\"A=b\"=\"A=b\" || '!'",
    ]));
}

#[test]
fn a_row_that_a_rule_fails_on_is_told_without_its_value() {
    let database = shop(16);
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().to_str().unwrap();
    let out = pgkeep(&["backup", &database.url(), "--to", to, "--mask", "public.users.code=name"]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(
        said.contains("table public.users: a rule cannot be worked out") && said.contains("22P02"),
        "{said}"
    );
    assert!(!said.contains("User "), "{said}");
    assert!(succeed(program().args(["list", "--store", to, "--json"])).is_empty());
}
