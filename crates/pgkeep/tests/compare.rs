//! `pgkeep compare`: every difference is found, and none where there is none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use failures_support::archive::Sample;
use failures_support::program::ran;
use pgkeep_testbed::{Database, Server};
use serde_json::{Value, json};

const SCHEMA: &str =
    "create table t (id int primary key, v text default 'x', g int generated always as (id * 2) stored);
     insert into t select i, 'v' || i from generate_series(1, 5000) i;
     create table k (a text, b int, v numeric, primary key (b, a));
     insert into k select chr(64 + i % 90) || 'ä' || i, i, i / 7.0 from generate_series(1, 500) i;
     create table nokey (v float8); insert into nokey select i / 3.0 from generate_series(1, 100) i;
     create sequence s; create index t_v on t (v); create view of_t as select id from t";

fn compared(first: &str, second: &str) -> (i32, Value) {
    let done = ran(&["compare", first, second, "--jobs", "2", "--json"]);
    (done.code(), done.json())
}

#[test]
fn equal_databases_are_the_same_whatever_their_collations_and_encodings() {
    let server = Server::major(18);
    let first = Database::create(&server, "first");
    let options = "TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'";
    let second = Database::create_with(&server, "second", options);
    for database in [&first, &second] {
        database.psql(SCHEMA);
    }
    ran(&["compare", &first.url(), &second.url()]).ok().says(&["the same", "3 tables", "5,600 rows"]);
}

#[test]
fn rows_are_the_same_on_every_major_though_definitions_are_worded_otherwise() {
    let (first, second) =
        (Database::create(&Server::major(14), "first"), Database::create(&Server::major(18), "second"));
    for database in [&first, &second] {
        database.psql(SCHEMA);
    }
    // As 15 and later have it from the start.
    first.psql("alter schema public owner to pg_database_owner; revoke create on schema public from public");
    let (code, json) = compared(&first.url(), &second.url());
    assert_eq!((code, &json["differences"], &json["definitions"]), (0, &json!([]), &json!([])), "{json}");
    assert!(json["notes"][0].as_str().unwrap().contains("1 views are worded otherwise"), "{json}");
    // A view that is another one is told.
    second.psql("create or replace view of_t as select id from t where id > 0");
    let (code, json) = compared(&first.url(), &second.url());
    assert_eq!((code, &json["definitions"][0]["object"]), (3, &json!("VIEW public.of_t")), "{json}");
    assert_eq!(json["definitions"].as_array().unwrap().len(), 1, "{json}");
    assert!(json["notes"][0].as_str().unwrap().contains("may be the same in other words"), "{json}");
}

#[test]
fn every_difference_is_named_by_object_and_by_key() {
    let server = Server::major(18);
    let (first, second) = (Database::create(&server, "first"), Database::create(&server, "second"));
    for database in [&first, &second] {
        database.psql(SCHEMA);
    }
    second.psql(
        "delete from t where id = 7; insert into t values (9001, 'new'); update t set v = 'other' where id in (3, 12);
         update k set v = v + 1 where b = 42; delete from nokey where v > 33;
         select nextval('s'); alter table t alter v set default 'y'; drop index t_v; create table extra (i int)",
    );
    let (code, json) = compared(&first.url(), &second.url());
    assert_eq!((code, &json["ok"]), (3, &json!(false)), "{json}");
    let table =
        |name: &str| json["differences"].as_array().unwrap().iter().find(|d| d["table"] == name).unwrap();
    let t = table("public.t");
    assert_eq!((&t["first"]["rows"], &t["second"]["rows"]), (&json!(5000), &json!(5000)));
    let counts = |rows: &Value| ["only_first", "only_second", "different"].map(|n| rows[n].as_u64().unwrap());
    assert_eq!(counts(&t["rows"]), [1, 1, 2]);
    let key = |key: &str, side: &str| json!({ "key": key, "side": side });
    // In the order of the keys' text.
    let keys = [
        key("(12)", "different"),
        key("(3)", "different"),
        key("(7)", "only_first"),
        key("(9001)", "only_second"),
    ];
    assert_eq!(t["rows"]["first_keys"], json!(keys));
    assert_eq!(table("public.k")["rows"]["first_keys"], json!([key("(42,jä42)", "different")]));
    assert_eq!(table("public.nokey")["rows"], Value::Null);
    assert_eq!(table("public.extra")["side"], "only_second");
    let definitions = json["definitions"].to_string();
    assert!(definitions.contains("INDEX public.t_v") && definitions.contains("DEFAULT 'y'"), "{definitions}");
    assert!(json["others"].to_string().contains("sequence public.s"), "{json}");
    ran(&["compare", &first.url(), &second.url()])
        .failed(3, &["rows of public.t", "(9001) only in the second"]);
}

#[test]
fn a_database_is_compared_with_a_backup_without_restoring_it() {
    let sample = Sample::make(&Server::major(17), &[]);
    let archive = sample.archive_path();
    let archive = archive.to_str().unwrap();
    ran(&["compare", &sample.source.url(), archive]).ok().says(&["the same"]);
    sample
        .source
        .psql("update u set x = 'y' where i = 1; alter table u alter i set default 5; drop index t_v");
    let (code, json) = compared(&sample.source.url(), archive);
    assert_eq!(code, 3, "{json}");
    assert_eq!(json["differences"][0]["table"], "public.u");
    let definitions = json["definitions"].as_array().unwrap();
    let sides: Vec<_> =
        definitions.iter().map(|d| (d["object"].as_str().unwrap(), d["side"].as_str().unwrap())).collect();
    assert_eq!(sides, [("TABLE public.u", "different"), ("INDEX public.t_v", "only_second")]);
}

#[test]
fn words_in_the_wrong_order_are_told_so() {
    ran(&["compare", "shop@latest", "postgres://x/y"]).failed(2, &["the database comes first"]);
}
