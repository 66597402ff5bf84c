//! Ten thousand tables.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pgkeep_testbed::{Database, private_server};
use support::memory::{LIMIT_KIB, peak_of};
use support::{program, restore};

const COUNT: &str = "select count(*), sum(pg_sequence_last_value(s.oid::regclass))
    from pg_class s where s.relkind = 'S'";

#[test]
fn ten_thousand_tables_are_backed_up_within_the_memory_limit_and_come_back() {
    let server = private_server(17, &[("max_locks_per_transaction", "512"), ("autovacuum", "off")]);
    let source = Database::create(&server, "many");
    // In several statements: one transaction would need a lock for every one of them. No column that could be
    // toasted: two files fewer for each table, and it is the files that this test waits for in the end.
    for hundred in 0..20 {
        source.psql(&format!(
            "do $$ begin for i in {0}..{1} loop
                 execute format('create table t%s (id serial, v int); insert into t%s (v) values (%s)', i, i, i);
             end loop; end $$",
            hundred * 500 + 1,
            hundred * 500 + 500
        ));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = program();
    command.args(["backup", &source.url(), "--json", "--jobs", "4", "--to"]).arg(dir.path());
    let (result, peak) = peak_of(&mut command);
    println!("10,000 tables: backup peaks at {} MiB, took {} s", peak / 1024, result["duration_seconds"]);
    assert_eq!(result["tables"], 10_000);
    assert_eq!(result["rows"], 10_000);
    assert!(peak < LIMIT_KIB, "{peak} KiB");

    let target = Database::create(&server, "target");
    let told = restore(result["url"].as_str().unwrap(), &target, &["--jobs", "4"]);
    println!(
        "10,000 tables: restored in {} s, proven after {} s",
        told["restore_seconds"], told["duration_seconds"]
    );
    assert_eq!(told["proven"], true, "{told}");
    assert_eq!(target.psql(COUNT), "10000|10000");
    assert_eq!(source.psql(COUNT), "10000|10000");
    assert_eq!(target.psql("select v, id from t9999"), "9999|1");
}
