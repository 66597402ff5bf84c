//! Databases to back up while something fails.

use std::process::{Child, Stdio};

use pgkeep_testbed::{Database, Server};

/// A database with a table `t` of so many rows of noise, about 70 bytes of COPY text each, which no codec packs
/// below a half.
pub fn noise(server: &Server, rows: u32) -> Database {
    let database = Database::create(server, "noise");
    database.psql(&format!(
        "create table t as select i, sha256(i::text::bytea) as h from generate_series(1, {rows}) as i;
         alter table t add primary key (i);"
    ));
    database
}

/// A database with a table `big` of one row, 22 MB packed and 45 MB as text: more than a worker holds in memory
/// (16 MiB), so that it streams, and more than one part of an upload (8 MiB).
pub fn one_big_row(server: &Server) -> Database {
    let database = Database::create(server, "one big row");
    database.psql(
        "create table big (id int, body bytea);
         alter table big alter column body set storage external;
         insert into big select 1, string_agg(sha256(i::text::bytea), '') from generate_series(1, 700000) as i;",
    );
    database
}

/// An equal copy, to compare with.
pub fn twin(of: &Database) -> Database {
    Database::create_with(of.server(), "twin", &format!("TEMPLATE \"{}\"", of.name()))
}

/// Sessions of pgkeep (and of its pg_dump) in a database.
pub fn sessions(database: &Database) -> String {
    database.server().psql(
        "postgres",
        &format!(
            "select coalesce(string_agg(application_name || ' ' || state || ' ' || left(query, 60), '; '), '')
             from pg_stat_activity where datname = '{}' and application_name = 'pgkeep'",
            database.name()
        ),
    )
}

/// Waits until a worker reads rows or large objects: its connection is then the last of the backup's.
pub fn wait_for_reading(database: &Database) {
    let sql = format!(
        "select count(*) from pg_stat_activity where datname = '{}' and application_name = 'pgkeep'
         and (query like 'LOCK TABLE ONLY % NOWAIT; COPY%' or query like 'SELECT %lo_get(%')",
        database.name()
    );
    super::wait_until("a worker reads", || database.server().psql("postgres", &sql) != "0");
}

/// No session of pgkeep lives on in this database (a moment is given to the server to see its client gone).
#[track_caller]
pub fn no_sessions(database: &Database) {
    super::wait_until("the server's sessions are gone", || sessions(database).is_empty());
}

/// A psql session beside the backup, ended when dropped.
pub struct Session(Child);

impl Session {
    /// Runs SQL in the background.
    pub fn start(database: &Database, sql: &str) -> Session {
        let mut command = database.server().bin("psql");
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d"]).arg(database.url()).arg("-c").arg(sql);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Session(command.spawn().expect("psql starts"))
    }

    /// Waits for its end: whether all went well.
    pub fn wait(mut self) -> bool {
        self.0.wait().unwrap().success()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// How many locks of this mode are held (or, if not `granted`, waited for) on a table.
pub fn locks(database: &Database, table: &str, mode: &str, granted: bool) -> u32 {
    let sql = format!(
        "select count(*) from pg_locks where relation = '{table}'::regclass and mode = '{mode}' and granted = {granted}"
    );
    database.psql(&sql).parse().unwrap()
}
