//! Shared by the restore tests: a database with odd things in it, stock archives of it, restoring and proving them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use pgkeep_engine::progress::Progress;
use pgkeep_engine::prove::{Verdict, prove};
use pgkeep_engine::restore::{RestoreOptions, RestoreReport, RestoreSource, restore};
use pgkeep_engine::{Cancel, ConnInfo, Result};
use pgkeep_testbed::{Database, Server, compare_databases};
use tempfile::TempDir;

/// A database with one of nearly everything.
pub fn odd_database(server: &Server) -> Database {
    let database = Database::create(server, "odd source");
    database.load_fixture("odd_objects");
    database
}

/// A small database: two tables, one referring to the other, an index, a sequence, a view.
pub fn small_database(server: &Server) -> Database {
    let database = Database::create(server, "small");
    database.psql(
        "create table a (id serial primary key, v text);
         insert into a (v) select 'v' || i from generate_series(1, 20000) i;
         create table b (id int primary key, a_id int references a);
         insert into b select i, i from generate_series(1, 500) i;
         create index a_v on a (v);
         create view all_of_a as select * from a;
         select lo_from_bytea(700001, 'an object');",
    );
    database
}

/// Fails unless both are equal. Enum values hash by their oid, so that the rows of `odd.by_enum` may lie in other
/// partitions: these are compared as one.
pub fn assert_equal(source: &Database, target: &Database, what: &str) {
    if let Err(differences) = compare_databases(source, target) {
        let real: Vec<&str> = differences.lines().filter(|l| !l.starts_with("table odd.by_enum_")).collect();
        assert!(real.is_empty(), "{what}: {}", real.join("\n"));
        let rows = "select md5(string_agg(t::text, ';' order by v)) from odd.by_enum t";
        assert_eq!(source.psql(rows), target.psql(rows), "{what}");
    }
}

/// A stock archive in a file.
pub struct Archive {
    pub path: PathBuf,
    _dir: TempDir,
}

impl Archive {
    fn new(fill: impl FnOnce(&PathBuf)) -> Archive {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("archive.dump");
        fill(&path);
        Archive { path, _dir: dir }
    }

    /// Runs `pg_dump -Fc` of this server's major with further arguments.
    pub fn dump(server: &Server, database: &Database, args: &[&str]) -> Archive {
        Self::new(|path| {
            let mut command = Self::pg_dump(server, database);
            let out = command.arg("-f").arg(path).args(args).output().unwrap();
            assert!(out.status.success(), "pg_dump: {}", String::from_utf8_lossy(&out.stderr));
        })
    }

    /// Runs `pg_dump -Fc` into a pipe, which leaves the offsets unset.
    pub fn dump_through_pipe(server: &Server, database: &Database) -> Archive {
        Self::new(|path| {
            let out = Self::pg_dump(server, database).output().unwrap();
            assert!(out.status.success(), "pg_dump: {}", String::from_utf8_lossy(&out.stderr));
            std::fs::write(path, out.stdout).unwrap();
        })
    }

    fn pg_dump(server: &Server, database: &Database) -> Command {
        let mut command = server.bin("pg_dump");
        command.env("PGPORT", database.server().port().to_string());
        command.args(["-Fc", "-d"]).arg(database.url());
        command
    }

    /// The same archive, cut off.
    pub fn truncate(&self, len: u64) {
        File::options().write(true).open(&self.path).unwrap().set_len(len).unwrap();
    }

    pub fn len(&self) -> u64 {
        std::fs::metadata(&self.path).unwrap().len()
    }

    pub fn restore(&self, url: &str, options: &RestoreOptions) -> Result<RestoreReport> {
        self.restore_until(url, options, &Cancel::new())
    }

    pub fn restore_until(
        &self,
        url: &str,
        options: &RestoreOptions,
        cancel: &Cancel,
    ) -> Result<RestoreReport> {
        let file = File::open(&self.path).unwrap();
        let source = RestoreSource::open(&file)?;
        restore(&source, &ConnInfo::parse(url)?, options, &Progress::new(), cancel)
    }
}

/// Two jobs, all else as it is by itself.
pub fn options() -> RestoreOptions {
    RestoreOptions { jobs: 2, ..RestoreOptions::default() }
}

/// Compares what was loaded with what is there.
pub fn prove_report(target: &Database, report: &RestoreReport) -> Verdict {
    prove(
        &ConnInfo::parse(&target.url()).unwrap(),
        "UTF8",
        &report.loaded,
        &report.sequences,
        report.large_objects.as_ref(),
        2,
        &Progress::new(),
        &Cancel::new(),
    )
    .unwrap()
}
