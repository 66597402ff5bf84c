//! A proof notices whatever is not as it was.
#![allow(clippy::unwrap_used, clippy::panic)]

mod restore_support;

use pgkeep_engine::prove::{Value, Verdict};
use pgkeep_engine::restore::RestoreReport;
use pgkeep_testbed::{Database, Server};
use restore_support::{Archive, options, prove_report, small_database};

fn restored(major: u32) -> (Database, RestoreReport) {
    let server = Server::major(major);
    let archive = Archive::dump(&server, &small_database(&server), &[]);
    let target = Database::create(&server, "to be proven");
    let report = archive.restore(&target.url(), &options()).unwrap();
    (target, report)
}

/// The one difference after this change, in words.
fn why(database: &Database, report: &RestoreReport, change: &str) -> String {
    database.psql(change);
    let verdict: Verdict = prove_report(database, report);
    assert!(!verdict.is_proven());
    let [difference] = verdict.differences.as_slice() else { panic!("{change}: {:#?}", verdict.differences) };
    format!("{}: {}", difference.object, difference.why)
}

#[test]
fn an_untouched_restore_is_proven() {
    let (database, report) = restored(18);
    let verdict = prove_report(&database, &report);
    assert!(verdict.is_proven(), "{:#?}", verdict.differences);
    assert_eq!((verdict.tables, verdict.rows, verdict.large_objects), (2, 20500, 1));
    assert!(verdict.server_version.starts_with("18"));
}

#[test]
fn a_changed_a_missing_and_an_added_row_are_noticed() {
    let (database, report) = restored(18);
    let changed = why(&database, &report, "update a set v = 'V7' where id = 7");
    assert_eq!(changed, "table public.a: as many rows as expected, but not the same");
    database.psql("update a set v = 'v7' where id = 7");
    assert!(prove_report(&database, &report).is_proven());
    assert_eq!(
        why(&database, &report, "delete from a where id > 19998"),
        "table public.a: 2 rows are missing"
    );
    database.psql("insert into a values (19999, 'v19999'), (20000, 'v20000')");
    assert_eq!(why(&database, &report, "insert into b values (0, 1)"), "table public.b: 1 rows too many");
}

#[test]
fn values_that_changed_places_between_rows_are_noticed() {
    let (database, report) = restored(14);
    let swap = "update a set v = case id when 1 then 'v2' else 'v1' end where id < 3";
    assert!(why(&database, &report, swap).starts_with("table public.a: as many rows"));
}

#[test]
fn a_sequence_that_stands_elsewhere_is_noticed() {
    let (database, report) = restored(18);
    let text = why(&database, &report, "select setval('a_id_seq', 7)");
    assert_eq!(text, "sequence public.a_id_seq: it stands at 7 instead of 20000");
    let text = why(&database, &report, "select setval('a_id_seq', 20000, false)");
    assert!(text.contains("not yet given out"), "{text}");
}

#[test]
fn a_missing_table_column_and_large_object_are_noticed() {
    let (database, report) = restored(18);
    assert_eq!(
        why(&database, &report, "select lo_put(700001, 0, 'AN')"),
        "large objects: as many large objects as expected, but not the same"
    );
    assert_eq!(
        why(&database, &report, "select lo_unlink(700001); "),
        "large objects: 1 large objects are missing"
    );
    database.psql("select lo_from_bytea(700001, 'an object')");
    assert_eq!(
        why(&database, &report, "alter table b rename a_id to other"),
        "table public.b: the table has no column \"a_id\""
    );
    database.psql("drop table b");
    let verdict = prove_report(&database, &report);
    assert_eq!(verdict.differences.len(), 1);
    assert_eq!(verdict.differences[0].found, Value::Missing);
}
