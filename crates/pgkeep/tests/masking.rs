//! Row filters and masks: what is kept is what the rules say, on real servers, by psql and stock pg_restore.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pgkeep_testbed::{Database, Server};
use serde_json::Value;
use support::shop::shop;
use support::stock::PgRestore;
use support::{Backup, output, pgkeep, program, restore, succeed};

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
    let file = backup.path();
    let list = succeed(PgRestore { major, archive: &file }.command(&["-l"]).arg(&file));
    assert!(!String::from_utf8_lossy(&list).contains("STATISTICS"));
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
fn time_stands_still_over_all_connections() {
    let database = Database::create(&Server::major(17), "time");
    database.psql("create table t as select i, null::timestamptz at, repeat(md5(i::text), 20) x from generate_series(1, 9000) i");
    let backup =
        Backup::of(&database, &["--mask", "public.t.at=now()", "--segment-size", "1MiB", "--jobs", "3"]);
    assert!(backup.segments("t") > 4);
    let copy = stock_restored(&backup, 17);
    let time = backup.result["snapshot_time"].as_str().unwrap();
    assert_eq!(copy.psql(&format!("select count(distinct at), min(at) = '{time}' from t")), "1|t");
}

#[test]
fn one_salt_masks_alike_in_every_backup_and_is_written_nowhere() {
    let database = shop(17);
    let secret = "correct horse battery";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("salt");
    std::fs::write(&file, format!("{secret}\n")).unwrap();
    let from_file = format!("file:{}", file.display());
    let sum = |extra: &[&str], seen: &mut Vec<u8>| {
        let to = tempfile::tempdir().unwrap();
        let mut command = program();
        command
            .args(["backup", &database.url(), "--to", to.path().to_str().unwrap(), "--json"])
            .env("SALT", secret);
        let out = output(command.args(["--mask", "public.users.note=hash"]).args(extra));
        assert!(out.status.success(), "{out:?}");
        let result: Value = serde_json::from_slice(&out.stdout).unwrap();
        let manifest =
            std::fs::read(result["manifest_url"].as_str().unwrap().strip_prefix("file://").unwrap()).unwrap();
        seen.extend(out.stdout.iter().chain(&out.stderr).chain(&manifest));
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["dump"]["options"]["selection"]["mask"]["public.users.note"], "hash");
        let tables = manifest["dump"]["tables"].as_array().unwrap();
        tables.iter().find(|t| t["table"] == "users").unwrap()["sum"].as_str().unwrap().to_owned()
    };
    let mut seen = Vec::new();
    let one = sum(&["--mask-salt", "env:SALT"], &mut seen);
    assert_eq!(sum(&["--mask-salt", &from_file], &mut seen), one);
    let random = sum(&[], &mut seen);
    assert!(random != one && random != sum(&[], &mut seen));
    assert!(!String::from_utf8_lossy(&seen).contains(secret));
    for (source, words) in [
        ("env:NO_SUCH", "NO_SUCH is not set"),
        ("file:/no/such", "/no/such"),
        (secret, "env:NAME or file:PATH"),
    ] {
        let out = pgkeep(&[
            "backup",
            &database.url(),
            "--to",
            "/nowhere",
            "--mask",
            "public.users.note=hash",
            "--mask-salt",
            source,
        ]);
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.code() == Some(2) && said.contains(words) && !said.contains(secret), "{said}");
    }
}

#[test]
fn rules_for_a_database_of_another_encoding_may_have_any_letters() {
    let server = Server::major(16);
    let latin1 = "TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'";
    let database = Database::create_with(&server, "latin1", latin1);
    database.psql("create table größen (größe text, straße text); insert into größen values ('groß', 'Ö-Weg 1'), ('klein', 'x')");
    let rules = ["--mask", "public.größen.straße=größe || ' ä'", "--where", "public.größen=größe = 'groß'"];
    let backup = Backup::of(&database, &rules);
    let copy = Database::create_with(&server, "latin1_copy", latin1);
    assert_eq!(restore(&backup.file(), &copy, &[])["proven"], true);
    assert_eq!(copy.psql("select * from größen"), "groß|groß ä");
}
