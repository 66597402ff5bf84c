//! Drills of every kind of backup: each is proven, and damage in it is found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;
mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use failures_support::program::{Ran, pgkeep, ran, run};
use pgkeep_testbed::{Database, Server};
use support::{Backup, succeed};
use tempfile::TempDir;

/// Tables with all that depends on them, a large object, a function.
fn shop() -> Database {
    let source = Database::create(&Server::major(18), "kinds");
    source.psql(
        "create type state as enum ('new', 'paid');
         create table customers (id serial primary key, name text not null);
         create table orders (id bigserial primary key, customer int references customers, s state default 'new');
         create index orders_s on orders (s); create view paid as select id from orders where s = 'paid';
         insert into customers (name) select 'name ' || i from generate_series(1, 500) i;
         insert into orders (customer, s) select 1 + i % 500, 'paid' from generate_series(1, 3000) i;
         select lo_from_bytea(0, 'a large object');
         create function one_more(int) returns int language sql as 'select $1 + 1';
         create table checked (i int check (one_more(i) > 0)); insert into checked values (1);
         comment on table orders is 'it''s; a comment'",
    );
    source
}

/// Drills what this names, on a throwaway server.
fn drill(what: &str, more: &[&str]) -> Ran {
    let dir = tempfile::Builder::new().prefix("drill-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let work_dir = dir.path().to_str().unwrap();
    ran(&[&["drill", what, "--work-dir", work_dir, "--jobs", "2"], more].concat())
}

/// All rows of the shop, in all its tables.
const WHOLE: [&str; 4] = [
    "PROVEN",
    "3,501 rows of 3 tables, 2 sequences, 1 large object",
    "7 constraints, 3 indexes",
    "throwaway 18.",
];

#[test]
fn a_backup_is_proven_in_whatever_form_it_is_kept() {
    let source = shop();
    for form in
        [&["--format", "directory"][..], &["--format", "plain"], &["--format", "plain", "--compress", "gzip"]]
    {
        let backup = Backup::of(&source, form);
        drill(&backup.file(), &[]).ok().says(&WHOLE);
    }
}

#[test]
fn an_encrypted_backup_is_proven_with_its_key_and_cannot_be_read_without() {
    let (source, keys) = (shop(), tempfile::tempdir().unwrap());
    let key = keys.path().join("key.txt");
    succeed(Command::new("age-keygen").arg("-o").arg(&key));
    let public = String::from_utf8(succeed(Command::new("age-keygen").arg("-y").arg(&key))).unwrap();
    for format in ["custom", "directory", "plain"] {
        let backup = Backup::of(&source, &["--encrypt-to", public.trim(), "--format", format, "--globals"]);
        drill(&backup.file(), &["--identity", key.to_str().unwrap()]).ok().says(&WHOLE);
        assert_ne!(drill(&backup.file(), &[]).code(), 0, "{format}");
    }
}

#[test]
fn a_masked_backup_and_a_part_of_a_database_are_proven_as_what_they_are() {
    let source = shop();
    for format in ["custom", "plain"] {
        let masked = ["--mask", "public.customers.name=hash", "--where", "public.orders=id <= 1000"];
        let backup = Backup::of(&source, &[&masked[..], &["--format", format]].concat());
        drill(&backup.file(), &[]).ok().says(&["PROVEN", "1,501 rows of 3 tables"]);
        let part = Backup::of(&source, &["--table", "public.customers", "--format", format]);
        drill(&part.file(), &[]).ok().says(&["PROVEN", "partial", "500 rows of 1 table"]);
        let schema = Backup::of(&source, &["--schema-only", "--format", format]);
        drill(&schema.file(), &[]).ok().says(&["PROVEN", "partial", "0 rows of 0 tables"]);
    }
}

/// `pg_dump` of the shop with these options.
fn stock(source: &Database, dir: &TempDir, file: &str, options: &[&str]) -> String {
    let path = dir.path().join(file);
    succeed(source.server().bin("pg_dump").args(options).arg("-f").arg(&path).arg(source.url()));
    path.to_str().unwrap().to_owned()
}

#[test]
fn archives_and_scripts_of_stock_pg_dump_are_proven_as_they_are() {
    let (source, dir) = (shop(), tempfile::tempdir().unwrap());
    for (file, options) in [("c.dump", &["-Fc"][..]), ("d.dir", &["-Fd"])] {
        drill(&stock(&source, &dir, file, options), &[]).ok().says(&[
            "PROVEN",
            "3,501 rows",
            "1 large object",
        ]);
    }
    for (file, options) in [("p.sql", &[][..]), ("create.sql", &["-C"]), ("clean.sql", &["-C", "--clean"])] {
        let script = stock(&source, &dir, file, options);
        drill(&script, &[]).ok().says(&["PROVEN", "3,501 rows of 3 tables", "not compared: large objects"]);
    }
    // What rows there should be is not known.
    let inserts = stock(&source, &dir, "inserts.sql", &["--inserts"]);
    drill(&inserts, &[]).failed(11, &["INCOMPLETE", "rows of public.orders: they are INSERT statements"]);
}

#[test]
fn an_adopted_script_is_proven_and_keeps_a_record() {
    let (source, dir) = (shop(), tempfile::tempdir().unwrap());
    stock(&source, &dir, "nightly.sql", &[]);
    let store = dir.path().to_str().unwrap();
    ran(&["adopt", "nightly.sql", "--name", "shop", "--store", store]).ok();
    drill("shop", &["--store", store]).ok().says(&WHOLE);
}

#[test]
fn what_was_changed_in_a_script_is_found_by_its_drill() {
    let source = shop();
    let backup = Backup::of(&source, &["--format", "plain", "--compress", "none"]);
    let script = std::fs::read_to_string(backup.path()).unwrap();
    let changed = |from: &str, to: &str| {
        assert!(script.contains(from), "{from}");
        assert_eq!(from.len(), to.len(), "a changed length is found without a server");
        std::fs::write(backup.path(), script.replacen(from, to, 1)).unwrap();
        drill(&backup.file(), &[])
    };
    changed("\n17\tname 17\n", "\n17\tnome 17\n").failed(3, &["FAILED", "table public.customers"]);
    changed("ADD CONSTRAINT orders_pkey PRIMARY", "ADD CONSTRAINT orders_pkey PRIMURY")
        .failed(3, &["FAILED", "line ", "ALTER TABLE ONLY public.orders: syntax error"]);
    changed("setval('public.orders_id_seq', 3000", "setval('public.orders_id_seq', 3001")
        .failed(3, &["FAILED", "sequence public.orders_id_seq"]);
    changed("dump complete", "dump complote").failed(3, &["FAILED", "the archive: "]);
}

#[test]
fn a_scratch_server_takes_a_script_whatever_database_it_makes() {
    let (source, dir) = (shop(), tempfile::tempdir().unwrap());
    let script = stock(&source, &dir, "create.sql", &["-C"]);
    let scratch = source.server().url("postgres");
    ran(&["drill", &script, "--into", &scratch, "--jobs", "2"]).ok().says(&["PROVEN", "3,501 rows"]);
    let left = "select count(*) from pg_database where datname = current_database()";
    assert_eq!(source.psql(left), "1");
}

#[test]
fn a_look_at_a_script_needs_no_server() {
    let (source, dir) = (shop(), tempfile::tempdir().unwrap());
    let look = |script: &Path| {
        let work = tempfile::Builder::new().prefix("look-").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(work.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let (script, work) = (script.to_str().unwrap(), work.path().to_str().unwrap());
        ran(&["restore", script, "--into", "throwaway", "--work-dir", work])
    };
    look(&Backup::of(&source, &["--format", "plain"]).path()).ok().says(&["proven", "3,501 rows"]);
    let made = stock(&source, &dir, "create.sql", &["-C"]);
    look(Path::new(&made)).ok().says(&["proven", "3,501 rows", source.name()]);
}

#[test]
fn a_backup_is_drilled_by_the_options_of_its_database_whatever_it_is_called_by() {
    let source = Database::create(&Server::major(18), "options");
    source.psql("create table t as select generate_series(1, 10) i");
    let dir = tempfile::Builder::new().prefix("drill-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (config, store) = (dir.path().join("pgkeep.toml"), dir.path().join("store"));
    let text = format!(
        "store = '{}'\n[drill]\ncheck = ['select true']\n[databases.shop]\nurl = '{}'\nname = 'kept'\n\
         [databases.shop.drill]\ncheck = ['select count(*) = 11 from t']\n",
        store.display(),
        source.url()
    );
    std::fs::write(&config, text).unwrap();
    let with_config = |words: &[&str]| {
        let mut command = pgkeep(words);
        command.env("PGKEEP_CONFIG", &config);
        run(command)
    };
    let id = with_config(&["backup", "shop", "--json"]).ok().json()["id"].as_str().unwrap().to_owned();
    let work_dir = dir.path().to_str().unwrap();
    for words in [id.as_str(), "kept"] {
        let drilled = with_config(&["drill", words, "--work-dir", work_dir]);
        assert_ne!(drilled.code(), 0);
        drilled.says(&["assertion NOT TRUE: select count(*) = 11 from t"]);
    }
}
