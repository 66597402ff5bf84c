//! A backup of a database that is being written to is one moment of it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::process::{Child, Stdio};

use pgkeep_testbed::{Database, Server};
use support::{Backup, restore};

/// Two big tables and a counter. Every transaction moves an amount from one table's row to the other's, and replaces
/// rows; at every moment the sums over both tables are 0 and the number of rows is what the counter says.
const TABLES: &str = r"
create table giving (id int primary key, amount bigint not null, filler text) with (fillfactor = 60);
create table taking (id int primary key, amount bigint not null, filler text) with (fillfactor = 60);
insert into giving select i, 0, repeat(md5(i::text), 6) from generate_series(1, 60000) i;
insert into taking select i, 0, repeat(md5((-i)::text), 6) from generate_series(1, 60000) i;
create table coming (id bigserial primary key, filler text);
create table counter (rows bigint);
insert into counter values (0);
";

/// For pgbench. The counter is locked first, or its count would be one of an older moment. Rows move to the end of the tables, which is where a careless ctid range would miss or double them.
const TRANSACTION: &str = r"
\set a random(1, 60000)
\set b random(1, 60000)
\set n random(1, 1000)
begin;
select rows from counter for update;
update giving set amount = amount - :n, filler = filler || 'x' where id = :a;
update taking set amount = amount + :n where id = :b;
delete from coming where id = (select min(id) from coming) and random() < 0.3;
insert into coming (filler) select repeat('y', 100) from generate_series(1, 3);
update counter set rows = (select count(*) from coming);
end;
";

const INVARIANT: &str = "select (select sum(amount) from giving) + (select sum(amount) from taking),
    (select rows from counter) - (select count(*) from coming),
    (select count(*) from giving), (select count(distinct id) from taking)";

/// pgbench writing until it is dropped.
struct Writers {
    pgbench: Child,
    _script: tempfile::NamedTempFile,
}

impl Writers {
    fn start(database: &Database) -> Writers {
        let script = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(script.path(), TRANSACTION).unwrap();
        let mut command = database.server().bin("pgbench");
        command.args(["-n", "-c", "3", "-j", "1", "-T", "240", "-f"]).arg(script.path()).arg(database.name());
        let pgbench = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Writers { pgbench, _script: script }
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.pgbench.kill().ok();
        self.pgbench.wait().ok();
    }
}

fn written(database: &Database) -> i64 {
    database.psql("select sum(abs(amount)) from giving").parse().unwrap()
}

#[test]
fn a_database_that_is_written_to_is_backed_up_at_one_moment() {
    for major in [14, 18] {
        let server = Server::major(major);
        let source = Database::create(&server, "busy");
        source.psql(TABLES);
        let writers = Writers::start(&source);
        while written(&source) == 0 {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let before = written(&source);
        // gzip at its slowest, so that much is written meanwhile.
        let backup =
            Backup::of(&source, &["--segment-size", "256KiB", "--jobs", "4", "--compress", "gzip:9"]);
        let after = written(&source);
        drop(writers);
        assert!(after > before, "nothing was written during the backup");
        assert!(backup.segments("giving") >= 10);

        let target = Database::create(&server, "target");
        let told = restore(&backup.file(), &target, &[]);
        assert_eq!(told["proven"], true, "{told}");
        assert_eq!(target.psql(INVARIANT), "0|0|60000|60000");
        let then = written(&target);
        assert!(then >= before && then <= after, "a moment during the backup: {before} {then} {after}");
    }
}
