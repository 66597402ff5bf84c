//! A look at what a table was, beside the living one.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pgkeep_testbed::{Database, Server};
use support::{Backup, pgkeep, restore};

const SCHEMA: &str = "
create schema app;
create type app.state as enum ('new', 'paid');
create function app.one() returns int language sql return 1;
create function app.spoil() returns trigger language plpgsql as $$ begin update app.orders set v = 'spoiled'; return null; end $$;
create table app.customers (id int primary key);
create table app.orders (
    id serial primary key, customer int references app.customers, s app.state default 'new'::app.state,
    v text default 'see app.orders', one int default app.one(), constraint sensible check (v <> 'app.orders'));
create index orders_v on app.orders (v);
create index on app.orders ((app.one() + id)) ;
create unique index \"Odd Index\" on app.orders (id) where s = 'new'::app.state;
comment on column app.orders.v is 'app.orders';
create view app.paid as select o.id, orders_then.v from app.orders o join app.orders orders_then using (id) where o.s = 'paid'::app.state;
create table app.log (at int primary key, v text) partition by range (at);
create table app.log_1 partition of app.log for values from (0) to (100);
create trigger spoil after insert on app.orders execute function app.spoil();
alter table app.orders disable trigger spoil;
insert into app.customers values (1);
insert into app.orders (customer, s) select 1, case when i % 2 = 0 then 'new' else 'paid' end::app.state from generate_series(1, 1000) i;
insert into app.log select i, 'v' from generate_series(0, 99) i;
";

/// A backup of yesterday, and the database of today.
fn days() -> (Database, Backup) {
    let live = Database::create(&Server::major(18), "live");
    live.psql(SCHEMA);
    let backup = Backup::of(&live, &[]);
    live.psql("alter table app.orders enable trigger all; delete from app.orders where id > 10; alter table app.orders add x int");
    (live, backup)
}

/// Everything that a restore beside it must not change.
fn state_of(live: &Database) -> String {
    let dump =
        live.server().bin("pg_dump").args(["-n", "app", "--inserts", "-d"]).arg(live.url()).output().unwrap();
    let text = String::from_utf8(dump.stdout).unwrap();
    text.lines().filter(|l| !l.contains("restrict ")).map(|l| format!("{l}\n")).collect()
}

#[test]
fn a_table_goes_into_another_schema_with_all_that_it_needs() {
    let (live, backup) = days();
    let before = state_of(&live);
    let result = restore(&backup.file(), &live, &["-t", "app.orders", "--into-schema", "Look \"here\""]);
    assert_eq!((result["proven"].as_bool(), result["rows"].as_u64()), (Some(true), Some(1000)));
    assert_eq!(state_of(&live), before, "the living is as it was");
    let look = "\"Look \"\"here\"\"\"";
    assert_eq!(live.psql(&format!("select count(*), min(s::text) from {look}.orders")), "1000|new");
    let types = live.psql(&format!("select pg_typeof(s), one from {look}.orders limit 1"));
    assert_eq!(types, "\"Look \"\"here\"\"\".state|1");
    assert_eq!(
        live.psql(&format!("insert into {look}.orders default values returning id, v")),
        "1001|see app.orders"
    );
    let indexes =
        live.psql(&format!("select count(*) from pg_index where indrelid = '{look}.orders'::regclass"));
    assert_eq!(indexes, "4");
    // Nothing of the copy depends on the living, so that either can go.
    live.psql("drop schema app cascade");
    assert_eq!(live.psql(&format!("select count(*) from {look}.orders")), "1001");
    assert!(
        result["notes"].to_string().contains("left out of the copy: TRIGGER app.orders spoil"),
        "{result}"
    );
}

#[test]
fn a_whole_schema_goes_into_another_one() {
    let (live, backup) = days();
    let before = state_of(&live);
    let result = restore(&backup.file(), &live, &["-n", "app", "--into-schema", "look"]);
    assert_eq!((result["proven"].as_bool(), result["rows"].as_u64()), (Some(true), Some(1101)));
    assert_eq!(state_of(&live), before);
    assert_eq!(live.psql("select count(*) from look.paid; select count(*) from look.log"), "500\n100");
    let keys =
        "select conrelid::regclass || ' ' || confrelid::regclass from pg_constraint where contype = 'f'
                and conrelid = 'look.orders'::regclass";
    assert_eq!(live.psql(keys), "look.orders look.customers");
    let out =
        pgkeep(&["restore", &backup.file(), "--into", &live.url(), "-n", "app", "--into-schema", "look"]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code() == Some(1) && said.contains("already exists"), "{said}");
}

#[test]
fn a_table_goes_beside_its_living_self_under_another_name() {
    let (live, backup) = days();
    let before = state_of(&live);
    let result = restore(&backup.file(), &live, &["--rename-table", "app.orders=Orders then"]);
    assert_eq!((result["proven"].as_bool(), result["rows"].as_u64()), (Some(true), Some(1000)));
    assert_eq!(live.psql("select count(*) from app.\"Orders then\""), "1000");
    assert_eq!(live.psql("select pg_typeof(s) from app.\"Orders then\" limit 1"), "app.state");
    let names =
        "select string_agg(relname, ', ' order by relname) from pg_class where relname like 'Orders then%'
                 and relkind in ('r', 'i', 'S')";
    assert_eq!(
        live.psql(names),
        "Orders then, Orders then_Odd Index, Orders then_expr_idx, Orders then_id_seq, Orders then_pkey, Orders then_v"
    );
    live.psql("drop table app.\"Orders then\"");
    assert_eq!(state_of(&live), before, "the living is as it was");
}

#[test]
fn two_of_one_name_and_none_of_a_name_are_refused() {
    let (live, backup) = days();
    live.psql("create schema b; create table b.orders (i int)");
    let both = Backup::of(&live, &[]);
    let attempt = |file: &str, args: &[&str], words: &str| {
        let out = pgkeep(&[&["restore", file, "--into", &live.url()], args].concat());
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.code() == Some(2) && said.contains(words), "{said}");
    };
    attempt(&both.file(), &["-t", "orders", "--into-schema", "look"], "would have that name");
    attempt(&both.file(), &["-t", "orders", "--rename-table", "orders=x"], "2 of the chosen tables");
    attempt(&backup.file(), &["--rename-table", "ordrs=x"], "no table");
    attempt(&backup.file(), &["--rename-table", "orders"], "an old and a new name");
    assert_eq!(live.psql("select count(*) from pg_namespace where nspname = 'look'"), "0");
}
