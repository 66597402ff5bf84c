//! Settings that hold for the whole archive, and sessions that have them.

use bstr::ByteSlice;
use pgkeep_archive::{Entry, Toc};

use super::entry::{bytes, desc, qualified};
use super::options::RestoreOptions;
use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo, quote_ident};
use crate::error::{EngineError, ErrorKind, Result};

/// Memory for index builds in all sessions together is twice the server's `shared_buffers`, which are usually a quarter
/// of its memory, within these bounds.
const MAINTENANCE_TOTAL_KB: [u64; 2] = [512 << 10, 4 << 20];
/// Each session gets at least this, and above the other an index build gains nothing worth the memory.
const MAINTENANCE_KB: [u64; 2] = [64 << 10, 1 << 20];

/// What the archive's ENCODING, STDSTRINGS and SEARCHPATH entries say.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// Client encoding in which all text of the archive is.
    pub(super) encoding: String,
    standard_strings: bool,
    /// SQL that sets the search path; absent in archives older than 10.3, which count on each entry's own schema.
    search_path: Option<Vec<u8>>,
    jobs: usize,
    no_tablespaces: bool,
    disable_triggers: bool,
    lock_timeout_ms: u128,
}

impl Settings {
    pub(super) fn new(toc: &Toc, options: &RestoreOptions) -> Result<Settings> {
        let mut settings = Settings {
            encoding: "SQL_ASCII".into(),
            standard_strings: true,
            search_path: None,
            jobs: options.jobs.max(1),
            no_tablespaces: options.no_tablespaces,
            disable_triggers: options.disable_triggers,
            lock_timeout_ms: options.lock_timeout.map_or(0, |t| t.as_millis().max(1)),
        };
        for entry in &toc.entries {
            let sql = bytes(&entry.definition);
            match desc(entry) {
                b"ENCODING" => {
                    let name = sql.split(|b| *b == b'\'').nth(1).and_then(|n| n.to_str().ok());
                    let plain =
                        |n: &&str| n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
                    settings.encoding = name.filter(plain).ok_or_else(|| strange("ENCODING", sql))?.into();
                }
                b"STDSTRINGS" => {
                    settings.standard_strings = match sql.split(|b| *b == b'\'').nth(1) {
                        Some(b"on") => true,
                        Some(b"off") => false,
                        _ => return Err(strange("STDSTRINGS", sql)),
                    }
                }
                b"SEARCHPATH" => settings.search_path = Some(sql.to_vec()),
                _ => {}
            }
        }
        Ok(settings)
    }

    /// What pg_restore sets (`_doSetFixedOutputState`, src/bin/pg_dump/pg_backup_archiver.c), and:
    ///
    /// - `synchronous_commit = off`, so that thousands of small commits need not wait for the disk each. What makes
    ///   it safe is [`Session::make_durable`] at the end: a restore that the server lost before is one that never
    ///   said it was done.
    /// - `maintenance_work_mem` and `max_parallel_maintenance_workers` raised within the server's means, never lowered.
    fn sql(&self, server_major: u32) -> Vec<u8> {
        let mut sql = format!(
            "SET client_encoding = '{}'; SET standard_conforming_strings = {}; SET statement_timeout = 0; \
             SET lock_timeout = {}; SET idle_in_transaction_session_timeout = 0; SET check_function_bodies = false; \
             SET xmloption = content; SET client_min_messages = warning; SET row_security = off; \
             SET escape_string_warning = off; SET synchronous_commit = off; ",
            self.encoding,
            if self.standard_strings { "on" } else { "off" },
            self.lock_timeout_ms,
        );
        if self.disable_triggers {
            sql += "SET session_replication_role = replica; ";
        }
        if server_major >= 14 {
            sql += "SET idle_session_timeout = 0; ";
        }
        if server_major >= 17 {
            sql += "SET transaction_timeout = 0; ";
        }
        let ([least, most], [each_least, each_most]) = (MAINTENANCE_TOTAL_KB, MAINTENANCE_KB);
        sql += &format!(
            "SELECT pg_catalog.set_config(name, want, false) FROM ( \
               SELECT s.name, s.setting, CASE s.name \
                 WHEN 'maintenance_work_mem' THEN \
                   least(greatest(least(greatest(2 * b.kb, {least}), {most}) / {jobs}, {each_least}), {each_most}) \
                 ELSE least(greatest(w.setting::pg_catalog.int8 / {jobs}, 2), 8) END::pg_catalog.text AS want \
               FROM pg_catalog.pg_settings s \
               CROSS JOIN (SELECT setting::pg_catalog.int8 * pg_catalog.current_setting('block_size')::pg_catalog.int8 \
                             / 1024 AS kb FROM pg_catalog.pg_settings WHERE name = 'shared_buffers') b \
               CROSS JOIN (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'max_parallel_workers') w \
               WHERE s.name IN ('maintenance_work_mem', 'max_parallel_maintenance_workers')) n \
             WHERE setting::pg_catalog.int8 < want::pg_catalog.int8;",
            jobs = self.jobs,
        );
        let mut sql = sql.into_bytes();
        if let Some(path) = &self.search_path {
            sql.extend_from_slice(path);
        }
        sql
    }
}

/// A session in the state that archive entries count on.
pub(super) struct Session {
    pub(super) client: Client,
    settings: Settings,
    tablespace: Option<Vec<u8>>,
    table_am: Option<Vec<u8>>,
    schema: Option<Vec<u8>>,
}

impl Session {
    pub(super) fn open(info: &ConnInfo, settings: &Settings, cancel: &Cancel) -> Result<Session> {
        let mut client = Client::connect(info, cancel)?;
        let sql = settings.sql(client.server_major());
        client.execute(sql).map_err(|e| e.during("preparing the session"))?;
        Ok(Session { client, settings: settings.clone(), tablespace: None, table_am: None, schema: None })
    }

    /// Whether a backslash in a string literal is just that.
    pub(super) fn standard_strings(&self) -> bool {
        self.settings.standard_strings
    }

    /// The schema alone.
    pub(super) fn select_schema(&mut self, entry: &Entry) -> Result<()> {
        let schema = bytes(&entry.namespace);
        if self.settings.search_path.is_none() && !schema.is_empty() && self.schema.as_deref() != Some(schema)
        {
            let mut sql = [b"SET search_path = ".as_slice(), &quote_ident(schema)].concat();
            if schema != b"pg_catalog" {
                sql.extend_from_slice(b", pg_catalog");
            }
            self.client.execute(sql)?;
            self.schema = Some(schema.to_vec());
        }
        Ok(())
    }

    /// Forgets what was selected: it may have been dropped.
    pub(super) fn forget(&mut self) {
        self.schema = None;
    }

    /// Sets what the entry's definition leaves to the session: tablespace, access method, and in old archives the
    /// schema (`_selectTablespace`, `_selectTableAccessMethod`, `_selectOutputSchema`).
    pub(super) fn select(&mut self, entry: &Entry) -> Result<()> {
        self.select_schema(entry)?;
        if let Some(want) = entry.tablespace.as_ref().filter(|_| !self.settings.no_tablespaces)
            && self.tablespace.as_deref() != Some(want.as_slice())
        {
            let name = if want.is_empty() { b"''".to_vec() } else { quote_ident(want) };
            self.client.execute([b"SET default_tablespace = ".as_slice(), &name].concat())?;
            self.tablespace = Some(want.to_vec());
        }
        if let Some(want) = entry.table_am.as_ref().filter(|_| !is_partitioned(entry))
            && self.table_am.as_deref() != Some(want.as_slice())
        {
            self.client
                .execute([b"SET default_table_access_method = ".as_slice(), &quote_ident(want)].concat())?;
            self.table_am = Some(want.to_vec());
        }
        Ok(())
    }

    /// See [`make_durable`].
    pub(super) fn make_durable(&mut self) -> Result<()> {
        make_durable(&mut self.client)
    }
}

/// Makes everything that this and other sessions committed durable: a commit that waits for the log to be
/// flushed, as the server's own `synchronous_commit` has it, flushes all that was logged before it. A message
/// is logged because a transaction that logs nothing flushes nothing (`RecordTransactionCommit`,
/// src/backend/access/transam/xact.c).
pub(super) fn make_durable(client: &mut Client) -> Result<()> {
    client
        .execute(
            "RESET synchronous_commit; \
             SELECT pg_catalog.pg_logical_emit_message(true, 'pgkeep', 'restored')",
        )
        .map_err(|e| e.during("making the restored database durable"))
}

/// A partitioned table has no storage: its access method is set by ALTER TABLE (`_printTableAccessMethodNoStorage`).
fn is_partitioned(entry: &Entry) -> bool {
    entry.relkind == Some(i32::from(b'p'))
}

/// The statement that gives a partitioned table its access method.
pub(super) fn partitioned_table_am(entry: &Entry) -> Option<Vec<u8>> {
    let am = entry.table_am.as_ref().filter(|am| is_partitioned(entry) && !am.is_empty())?;
    Some([b"ALTER TABLE ".as_slice(), &qualified(entry), b" SET ACCESS METHOD ", &quote_ident(am)].concat())
}

fn strange(kind: &str, sql: &[u8]) -> EngineError {
    EngineError::new(
        ErrorKind::Archive,
        "reading the archive",
        format!("its {kind} entry makes no sense: {}", sql.to_str_lossy()),
    )
}
