//! Filters: a backup with a filter holds what stock pg_dump's holds with the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};

use pgkeep_testbed::{Database, Server, compare_databases};
use support::stock::PgRestore;
use support::{Backup, output, pgkeep, program, restore, succeed};

const SAMPLE: &str = r#"
create schema app;
create schema "Odd Schema";
create table app.users (id int primary key, name text);
insert into app.users select i, 'user ' || i from generate_series(1, 300) i;
create table app.log (id serial primary key, line text);
insert into app.log (line) select 'line ' || i from generate_series(1, 200) i;
create table app.days (day date, n int) partition by range (day);
create table app.days_2025 partition of app.days for values from ('2025-01-01') to ('2026-01-01');
create table app.days_2026 partition of app.days for values from ('2026-01-01') to ('2027-01-01');
insert into app.days select '2025-12-01'::date + i, i from generate_series(1, 60) i;
create unlogged table app.scratch as select 1 as x;
create table "Odd Schema"."Odd Table" as select 'x' as y;
comment on table app.users is 'people';
grant select on app.users to public;
create view app.names as select name from app.users;
create extension citext schema public;
create table public.loose (word citext);
insert into public.loose values ('A');
select lo_from_bytea(0, 'large');
create publication pub for table app.users;
"#;

fn sample(major: u32) -> Database {
    let database = Database::create(&Server::major(major), "filters");
    database.psql(SAMPLE);
    database
}

/// Stock pg_dump's archive with these arguments.
fn stock_dump(of: &Database, tools: &Server, args: &[&str], dir: &Path) -> PathBuf {
    let file = dir.join("stock.dump");
    let mut command = tools.bin("pg_dump");
    succeed(command.args(["-Fc", "-d"]).arg(of.url()).arg("-f").arg(&file).args(args));
    file
}

/// Both archives restored by stock pg_restore must give equal databases, over a schema that is there already or none.
#[track_caller]
fn restores_as_stock(archive: &Path, stock: &Path, major: u32, before: Option<&Path>) {
    let server = Server::major(major);
    let (ours, theirs) = (Database::create(&server, "ours"), Database::create(&server, "theirs"));
    for (database, file) in [(&ours, archive), (&theirs, stock)] {
        // What a filtered archive refers to and does not hold fails in both alike.
        for file in before.into_iter().chain([file]) {
            let mut command = PgRestore { major, archive: file }.command(&[]);
            command.arg("-d").arg(database.url()).arg(file).output().unwrap();
        }
    }
    compare_databases(&ours, &theirs).unwrap();
}

#[test]
fn each_filter_gives_what_stock_pg_dump_14_gives() {
    each_filter_gives_what_stock_gives(14);
}

#[test]
fn each_filter_gives_what_stock_pg_dump_17_gives() {
    each_filter_gives_what_stock_gives(17);
}

fn each_filter_gives_what_stock_gives(major: u32) {
    let cases: [&[&str]; 12] = [
        &["-n", "app"],
        &["-n", "app", "-b"],
        &["-N", "app", "-N", "\"Odd Schema\""],
        &["-t", "app.u*", "-t", "\"Odd Schema\".*", "--strict-names"],
        &["-T", "app.days*", "-B"],
        &["--exclude-table-data", "app.log", "--no-comments", "-x"],
        &["-e", "citext"],
        &["-s"],
        &["--section", "pre-data"],
        &["--section=pre-data", "--section=data"],
        &["--no-unlogged-table-data", "--no-publications", "--no-subscriptions"],
        &["-t", "app.days_2025", "--no-privileges"],
    ];
    let source = sample(major);
    for args in cases {
        let backup = Backup::of(&source, args);
        let stock = stock_dump(&source, source.server(), args, backup.store());
        restores_as_stock(&backup.path(), &stock, major, None);
        assert!(!backup.result["partial"].is_null(), "{args:?}: {}", backup.result);
    }
}

#[test]
fn data_without_schema_is_what_stock_pg_dump_gives() {
    let source = sample(16);
    let schema = Backup::of(&source, &["--schema-only"]);
    assert_eq!(schema.result["tables"], 0);
    for args in [&["--data-only"][..], &["--section=data"], &["-a", "-t", "app.log", "-t", "app.log_id_seq"]]
    {
        let backup = Backup::of(&source, args);
        let stock = stock_dump(&source, source.server(), args, backup.store());
        let entries = PgRestore { major: 16, archive: &backup.path() }.list();
        assert!(!entries.iter().any(|l| l.contains(" TABLE app ")), "{entries:?}");
        restores_as_stock(&backup.path(), &stock, 16, Some(&schema.path()));
    }
}

#[test]
fn data_alone_satisfies_the_foreign_keys_that_are_there() {
    let source = Database::create(&Server::major(17), "keys");
    source.psql(
        "create table a_child (id int primary key, parent int, pad text);
         create table z_parent (id int primary key, next int, pad text);
         insert into z_parent select i, 1 + (i * 7) % 20000, repeat(md5(i::text), 8) from generate_series(1, 20000) i;
         insert into a_child select i, 20001 - i, 'x' from generate_series(1, 20000) i;
         alter table z_parent add foreign key (next) references z_parent;
         alter table a_child add foreign key (parent) references z_parent;
         create table \"middle\" as select i from generate_series(1, 20000) i",
    );
    let schema = Backup::of(&source, &["--schema-only"]);
    let data = Backup::of(&source, &["--data-only", "--segment-size", "64KiB", "--jobs", "4"]);
    let (ours, theirs) =
        (Database::create(source.server(), "ours"), Database::create(source.server(), "theirs"));
    restore(&schema.file(), &ours, &[]);
    assert_eq!(restore(&data.file(), &ours, &["--jobs", "4"])["proven"], true);
    compare_databases(&source, &ours).unwrap();
    for backup in [&schema, &data] {
        PgRestore { major: 17, archive: &backup.path() }.restore(&theirs, &["--exit-on-error"]);
    }
    compare_databases(&source, &theirs).unwrap();
}

#[test]
fn the_three_sections_restored_by_pgkeep_make_the_whole() {
    let source = sample(18);
    let target = Database::create(source.server(), "sections");
    for section in ["pre-data", "data", "post-data"] {
        let backup = Backup::of(&source, &["--section", section]);
        let restored = restore(&backup.file(), &target, &[]);
        assert_eq!(restored["proven"], true, "{restored}");
    }
    compare_databases(&source, &target).unwrap();
}

#[test]
fn an_archive_without_owners_names_none() {
    let source = sample(15);
    source.psql("grant create on schema app to bed_owner; alter table app.users owner to bed_owner");
    let owners = |backup: &Backup| {
        let mut command = PgRestore { major: 15, archive: &backup.path() }.command(&["-f", "-"]);
        let script = String::from_utf8(succeed(command.arg(backup.path()))).unwrap();
        script.matches(" OWNER TO ").count()
    };
    assert!(owners(&Backup::of(&source, &[])) > 0);
    let bare = Backup::of(&source, &["--no-owner"]);
    assert_eq!(owners(&bare), 0);
    let target = Database::create(source.server(), "no_owner");
    restore(&bare.file(), &target, &[]);
    let owner = target.psql("select relowner::regrole from pg_class where oid = 'app.users'::regclass");
    assert_eq!(owner, "postgres");
}

#[test]
fn a_filter_file_means_the_same_to_every_pg_dump() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("filters");
    std::fs::write(
        &file,
        "# for developers\ninclude schema app\n\ninclude table \"Odd Schema\".\"Odd Table\"   # quoted\n\
         exclude table_data app.l*\nexclude table app.days_2025\n",
    )
    .unwrap();
    let filter = format!("--filter={}", file.display());
    for major in [14, 17] {
        let source = sample(major);
        let backup = Backup::of(&source, &[&filter]);
        // Only 17 has the option itself; it dumps the older server too, and a server of its own version takes both.
        let stock = stock_dump(&source, &Server::major(17), &[&filter], dir.path());
        restores_as_stock(&backup.path(), &stock, 17, None);
        let selection = &backup.manifest()["dump"]["options"]["selection"];
        assert_eq!(selection["exclude_table_data"][0], "app.l*", "{selection}");
    }
    std::fs::write(&file, "include table a\nexclude schemas b\n").unwrap();
    let out = pgkeep(&["backup", "postgres://u@127.0.0.1:1/x", &filter]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(said.contains("line 2") && said.contains("exclude schemas"), "{said}");
}

#[test]
fn an_option_of_a_newer_pg_dump_takes_one_that_has_it() {
    let source = sample(14);
    let backup = Backup::of(&source, &["--table-and-children", "app.days"]);
    let manifest = backup.manifest();
    assert!(manifest["dump"]["schema_source"].as_str().unwrap() > "pg_dump 16", "{manifest}");
    let target = Database::create(&Server::major(16), "children");
    // `--table` leaves the schema out.
    target.psql("create schema app");
    assert_eq!(restore(&backup.file(), &target, &[])["proven"], true);
    assert_eq!(target.psql("select count(*) from app.days"), "60");
    // Without any such pg_dump the error names what is missing.
    let dir = tempfile::tempdir().unwrap();
    let mut command = program();
    command.env("PGKEEP_PG_BIN", Server::major(14).bin_dir()).env("PATH", "/nonexistent");
    command.args([
        "backup",
        &source.url(),
        "--exclude-extension",
        "citext",
        "--to",
        dir.path().to_str().unwrap(),
    ]);
    let out = output(&mut command);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    // The machine may have a newer one in a usual place.
    let usual = Path::new("/usr/lib/postgresql/17").exists() || Path::new("/usr/lib/postgresql/18").exists();
    assert!(usual || out.status.code() == Some(6), "{said}");
    assert!(usual || said.contains("--exclude-extension: it needs pg_dump 17"), "{said}");
}

#[test]
fn filters_that_leave_nothing_are_refused_and_leave_no_backup() {
    let source = sample(17);
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().to_str().unwrap();
    let cases: [(&[&str], &[&str]); 6] = [
        (&["-t", "app.nope"], &["no matching tables"]),
        (&["-n", "nope"], &["no matching schemas"]),
        (&["-e", "nope"], &["no matching extensions"]),
        (&["--strict-names", "-t", "app.*", "-t", "app.nope"], &["no matching tables", "\"app.nope\""]),
        (&["-N", "app", "-N", "\"Odd Schema\"", "-n", "app"], &["nothing of the database is left", "app"]),
        (&["-t", "a.b.c.d"], &["improper", "psql"]),
    ];
    for (args, words) in cases {
        let out = pgkeep(&[&["backup", &source.url(), "--to", to][..], args].concat());
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{args:?}: {said}");
        assert!(words.iter().all(|w| said.contains(w)), "{args:?}: {said}");
    }
    let listed = succeed(program().args(["list", "--store", to, "--json"]));
    assert!(listed.is_empty());
    // An empty database is a whole one, whatever the filter.
    let empty = Database::create(source.server(), "empty");
    Backup::of(&empty, &["--exclude-schema", "x"]);
}

#[test]
fn a_partial_backup_says_so_wherever_it_is_shown() {
    let source = sample(18);
    let backup = Backup::of(&source, &["-n", "app", "--exclude-table-data", "app.log"]);
    let store = backup.store().to_str().unwrap();
    let words = "schemas app; without rows of app.log";
    let id = backup.result["id"].as_str().unwrap();
    let text = |args: &[&str]| String::from_utf8(succeed(program().args(args))).unwrap();
    assert!(text(&["list", "--store", store]).contains("partial"));
    assert!(text(&["list", "--store", store, "--json"]).contains(words));
    let shown = text(&["show", id, "--store", store]);
    assert!(shown.contains(&format!("partial:  {words}")), "{shown}");
    text(&["verify", id, "--store", store]);
    let target = Database::create(source.server(), "partial");
    let restored = text(&["restore", id, "--store", store, "--into", &target.url()]);
    assert!(restored.contains(&format!("partial   {words}")), "{restored}");
}

#[test]
fn filters_stand_in_the_configuration_too() {
    let source = sample(17);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pgkeep.toml");
    let config = format!(
        "store = '{}'\n[databases.shop]\nurl = '{}'\nschema = ['app']\nexclude_table_data = ['app.log']\n\
         no_comments = true\n",
        dir.path().join("store").display(),
        source.url()
    );
    std::fs::write(&file, &config).unwrap();
    let backup = |extra: &[&str]| {
        let out =
            succeed(program().arg("--config").arg(&file).args(["backup", "shop", "--json"]).args(extra));
        serde_json::from_slice::<serde_json::Value>(&out).unwrap()["partial"].as_str().unwrap().to_owned()
    };
    assert_eq!(backup(&[]), "schemas app; without rows of app.log; no comments");
    assert_eq!(backup(&["-n", "public"]), "schemas public; without rows of app.log; no comments");
    std::fs::write(&file, config.replace("no_comments", "no_coments")).unwrap();
    let out = output(program().arg("--config").arg(&file).args(["backup", "shop"]));
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(said.contains("no_coments"), "{said}");
}
