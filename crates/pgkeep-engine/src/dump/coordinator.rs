//! The connection that owns the snapshot: it exports it, holds a lock on every table, and lives until the last
//! worker is done.

use std::time::Duration;

use bstr::ByteSlice;

use super::DatabaseIdentity;
use super::catalog::TableName;
use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo};
use crate::error::{EngineError, ErrorKind, Result};
use crate::pooler::refuse_transaction_pooler;

/// Tables locked by one statement; keeps the statement's text small with ten thousands of tables.
const LOCK_BATCH: usize = 500;

pub(super) struct Coordinator {
    pub(super) client: Client,
    pub(super) snapshot: Snapshot,
}

/// What stays true for the whole dump.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    /// Name to import it by.
    pub(super) id: String,
    pub(super) lsn: Option<String>,
    pub(super) time: jiff::Timestamp,
}

/// Why the tables could not all be locked.
pub(super) enum LockFailure {
    /// DDL waits for or holds a lock on one of these tables.
    Busy(EngineError),
    Other(EngineError),
}

/// Who and where, asked outside a transaction: a refusal must not abort the snapshot.
pub(super) fn identify(client: &mut Client) -> Result<DatabaseIdentity> {
    let row = client
        .query_one(
            "SELECT d.oid, pg_catalog.pg_encoding_to_char(d.encoding), \
             CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT') THEN pg_catalog.pg_database_size(d.oid) END \
             FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()",
        )
        .map_err(|e| e.during("identifying the database"))?;
    let system_identifier = client
        .query_one("SELECT system_identifier FROM pg_catalog.pg_control_system()")
        .ok()
        .map(|r| r.text(0));
    let info = client.info();
    Ok(DatabaseIdentity {
        name: info.database.clone(),
        system_identifier,
        oid: row.parse(0),
        host: Some(info.host.clone()),
        port: Some(info.port),
        encoding: row.text(1),
        size: row.parse(2),
    })
}

impl Coordinator {
    /// Connects, begins the transaction and exports its snapshot.
    pub(super) fn begin(info: &ConnInfo, cancel: &Cancel) -> Result<(Coordinator, DatabaseIdentity)> {
        let mut client = Client::connect(info, cancel)?;
        refuse_transaction_pooler(&mut client, cancel)?;
        let identity = identify(&mut client)?;
        let snapshot = begin_snapshot(&mut client)?;
        Ok((Coordinator { client, snapshot }, identity))
    }

    /// Begins anew with a fresh snapshot.
    pub(super) fn renew(&mut self) -> Result<()> {
        self.client.execute("ROLLBACK")?;
        self.snapshot = begin_snapshot(&mut self.client)?;
        Ok(())
    }

    /// Takes ACCESS SHARE on every table, without waiting: behind a queued DDL the wait would be for ever, since
    /// the DDL waits for the schema source, and the source for us.
    pub(super) fn lock(&mut self, tables: &[TableName]) -> Result<(), LockFailure> {
        for batch in tables.chunks(LOCK_BATCH) {
            let mut sql = b"LOCK TABLE ".to_vec();
            for (i, table) in batch.iter().enumerate() {
                if i > 0 {
                    sql.extend_from_slice(b", ");
                }
                sql.extend_from_slice(b"ONLY ");
                sql.extend_from_slice(&table.quoted);
            }
            sql.extend_from_slice(b" IN ACCESS SHARE MODE NOWAIT");
            self.client.execute(&sql).map_err(|e| {
                let e = e.during("locking the tables to be dumped");
                // 42P01: dropped between the schema source's snapshot and its lock.
                match (e.kind, e.sqlstate.as_deref()) {
                    (ErrorKind::LockTimeout, _) | (_, Some("42P01")) => LockFailure::Busy(e),
                    _ => LockFailure::Other(e),
                }
            })?;
        }
        Ok(())
    }
}

fn begin_snapshot(client: &mut Client) -> Result<Snapshot> {
    client
        .execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .and_then(|()| client.query_one("SELECT pg_catalog.pg_export_snapshot(), pg_catalog.to_char(pg_catalog.now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"))
        .map_err(|e| e.during("exporting a snapshot"))
        .and_then(|row| {
            let time = row.text(1).parse().map_err(|_| {
                EngineError::new(ErrorKind::Server, "exporting a snapshot", format!("strange time \"{}\"", row.text(1)))
            })?;
            // In a savepoint: some services refuse WAL functions, and that must not cost the snapshot.
            client.execute("SAVEPOINT pgkeep_lsn")?;
            let lsn = client
                .query_one(
                    "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() \
                     ELSE pg_catalog.pg_current_wal_lsn() END",
                )
                .ok()
                .map(|r| r.text(0))
                .filter(|l| !l.is_empty());
            client.execute("ROLLBACK TO SAVEPOINT pgkeep_lsn; RELEASE SAVEPOINT pgkeep_lsn")?;
            Ok(Snapshot { id: row.text(0), lsn, time })
        })
}

/// Names the tables that others hold or want exclusively just now, and who they are, for the error that a lock
/// could not be had.
pub(super) fn blockers(info: &ConnInfo, cancel: &Cancel) -> Option<String> {
    let mut client = Client::connect(info, cancel).ok()?;
    let rows = client
        .query(
            "SELECT l.relation::pg_catalog.regclass, l.pid, l.mode, l.granted, a.usename, \
                    pg_catalog.left(pg_catalog.regexp_replace(a.query, '\\s+', ' ', 'g'), 60) \
             FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid) \
             WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.relation >= 16384 \
               AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indexrelid = l.relation) \
             ORDER BY l.granted DESC LIMIT 3",
        )
        .ok()?;
    let list: Vec<String> = rows
        .iter()
        .map(|r| {
            let verb = if r.bool(3) { "held" } else { "wanted" };
            // Only the statement's first word: the rest can hold values that do not belong in a log.
            let statement = r.bytes(5).and_then(|q| q.words().next()).unwrap_or_default().to_owned();
            format!(
                "{} is {verb} exclusively by process {} ({}, {statement} …)",
                r.text(0),
                r.text(1),
                r.text(4)
            )
        })
        .collect();
    (!list.is_empty()).then(|| list.join("; "))
}

/// Pause before the `n`th new start after a lock was refused.
pub(super) fn lock_pause(n: u32) -> Duration {
    Duration::from_millis(250 * u64::from(n) * u64::from(n))
}
