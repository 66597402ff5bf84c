//! What a restore leaves for the planner, and the means that it takes of a server.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pgkeep_testbed::{Database, Server, private_server};
use support::{Backup, restore};

fn source(server: &Server) -> Database {
    let source = Database::create(server, "source");
    source.psql(
        "create table t (id int primary key, v text); insert into t select i, 'v' || i % 10 from generate_series(1, 20000) i;
         create table p (k int, v text) partition by range (k);
         create table p1 partition of p for values from (0) to (1000);
         create table p2 partition of p for values from (1000) to (2000);
         insert into p select i, 'x' from generate_series(0, 1999) i;
         create materialized view m as select v, count(*) from t group by v",
    );
    source
}

#[test]
fn the_planner_knows_what_was_restored() {
    let known = "select count(distinct tablename) from pg_stats where schemaname = 'public'";
    for major in [14, 18] {
        let server = Server::major(major);
        let backup = Backup::of(&source(&server), &[]);
        let target = Database::create(&server, "target");
        let result = restore(&backup.file(), &target, &[]);
        assert_eq!((target.psql(known), result["analyzed"].as_u64()), ("5".into(), Some(5)), "{major}");
        let without = Database::create(&server, "target");
        let result = restore(&backup.file(), &without, &["--no-analyze"]);
        assert_eq!(result["analyzed"], 0);
    }
}

#[test]
fn index_builds_take_what_the_server_has_and_never_less_than_it_grants() {
    let server = private_server(16, &[("shared_buffers", "16MB"), ("max_parallel_workers", "16")]);
    let backup = Backup::of(&source(&server), &[]);
    let target = Database::create(&server, "target");
    // An event trigger sees the settings of the session that builds an index.
    target.psql(
        "create table seen (mem text, workers text); create function look() returns event_trigger language plpgsql as
           $$ begin insert into public.seen values
              (current_setting('maintenance_work_mem'), current_setting('max_parallel_maintenance_workers')); end $$;
         create event trigger look on ddl_command_end when tag in ('ALTER TABLE') execute function look()",
    );
    let seen = |jobs: &str, setting: &str| {
        target.psql(&format!("alter database \"{}\" set maintenance_work_mem = '{setting}'", target.name()));
        target.psql("truncate seen; drop table if exists t, p; drop materialized view if exists m");
        restore(&backup.file(), &target, &["--force", "--jobs", jobs, "--table", "t"]);
        target.psql("select distinct mem, workers from seen")
    };
    assert_eq!(seen("2", "64MB"), "256MB|8");
    assert_eq!(seen("8", "64MB"), "64MB|2");
    assert_eq!(seen("8", "3GB"), "3GB|2");
}
