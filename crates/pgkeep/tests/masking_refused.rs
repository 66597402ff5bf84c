//! What rules are refused, and where backups with changed rows may not go.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::HashSet;

use pgkeep_testbed::{Database, Server};
use serde_json::Value;
use support::shop::shop;
use support::{Backup, output, pgkeep, program, succeed};

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
        ("--mask", "public.orders_new.day=shift dates", &["in which partition"]),
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

#[test]
fn a_backup_with_changed_rows_does_not_go_into_production() {
    let database = shop(16);
    database.psql(&format!("comment on database \"{}\" is 'The shop. pgkeep: production'", database.name()));
    let masked = Backup::of(&database, &["--mask", "public.users.note=hash"]);
    let full = Backup::of(&database, &[]);
    let server = Server::major(17);
    let refused = |backup: &Backup, args: &[&str], words: &[&str]| {
        let out = pgkeep(&[&["restore", &backup.file()], args].concat());
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{said}");
        words.iter().for_each(|w| assert!(said.contains(w), "{w}: {said}"));
    };
    refused(
        &masked,
        &["--into", &database.url()],
        &["its comment marks it", "masked public.users.note", "--masked-into-production"],
    );
    database.psql(&format!("comment on database \"{}\" is null", database.name()));
    refused(
        &masked,
        &["--into", &database.url(), "--clean"],
        &["the very database that the backup was made of"],
    );
    assert_eq!(database.psql("select count(*) from users"), "501");

    let copy = Database::create(&server, "production");
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("pgkeep.toml");
    let text = format!(
        "[databases.live]\nurl = 'host=localhost port={} user=x dbname={}'\nproduction = true\n",
        server.port(),
        copy.name()
    );
    std::fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    succeed(program().args(["config", "check", config]));
    refused(&masked, &["--into", &copy.url(), "--config", config], &["databases.live", "production = true"]);
    refused(&masked, &["--into", "live", "--config", config], &["databases.live"]);
    let cut = Backup::of(&database, &["--where", "public.users=true"]);
    refused(&cut, &["--into", &copy.url(), "--config", config], &["only some of the rows"]);
    succeed(program().args([
        "restore",
        &masked.file(),
        "--into",
        &copy.url(),
        "--config",
        config,
        "--masked-into-production",
    ]));
    succeed(program().args([
        "restore",
        &full.file(),
        "--into",
        &copy.url(),
        "--config",
        config,
        "--clean",
        "--if-exists",
    ]));

    // A copy made under the archived name does not take the mark along.
    let made = Database::adopt(&server, database.name());
    succeed(program().args(["restore", &masked.file(), "--into", &server.url("postgres"), "--create"]));
    assert_eq!(
        made.psql(
            "select shobj_description(oid, 'pg_database') from pg_database where datname = current_database()"
        ),
        ""
    );
}

#[test]
fn rules_of_the_configuration_are_told_before_any_night_run() {
    let database = shop(15);
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("pgkeep.toml");
    let store = dir.path().join("store");
    let run = |rules: &str, args: &[&str]| {
        let text =
            format!("store = '{}'\n[databases.shop]\nurl = '{}'\n{rules}", store.display(), database.url());
        std::fs::write(&config, text).unwrap();
        output(program().args(args).arg("--config").arg(&config))
    };
    let wrong = "mask = { 'public.users.emial' = 'hash', 'public.users.name' = 'null' }\nwhere = { 'public.users' = 'id' }";
    let out = run(wrong, &["check", "shop", "--json"]);
    assert_eq!(out.status.code(), Some(2), "{out:?}");
    let found: Value = serde_json::from_slice(&out.stdout).unwrap();
    let problems = found["databases"][0]["problems"].as_array().unwrap();
    assert!(problems.len() == 3 && problems.iter().all(|p| p["class"] == "rules"), "{found:#?}");
    let right =
        "mask = { 'public.users.note' = 'hash' }\n[databases.shop.where]\n'public.users' = 'id < 1000'";
    let out = run(right, &["check", "shop", "--json"]);
    let found: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert!(
        found["ok"] == true && found["databases"][0]["notes"].as_array().unwrap().len() == 2,
        "{found:#?}"
    );
    // A mask of the command line comes to those of the file.
    let out = run(right, &["backup", "shop", "--mask", "public.items.what=null"]);
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success() && said.contains("masked public.items.what, public.users.note"), "{out:?}");
    let listed = run(right, &["list", "shop"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains(" masked"), "{listed:?}");
    let shown = run(right, &["show", "shop@latest"]);
    assert!(
        String::from_utf8_lossy(&shown.stdout)
            .contains("masked:   no large objects; rows of public.users where id < 1000; masked"),
        "{shown:?}"
    );
}
