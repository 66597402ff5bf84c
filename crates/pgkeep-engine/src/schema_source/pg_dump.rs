//! The schema from stock pg_dump: into a pipe it writes header and TOC before any data, so the whole TOC can be
//! had at the cost of a schema dump (`CloseArchive`/`_CloseArchive`, src/bin/pg_dump/pg_backup_custom.c).

use std::io::{BufReader, Read};
use std::process::Child;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pgkeep_archive::Toc;

use super::{ClientTool, SchemaRequest, SchemaSource, client_command};
use crate::cancel::Cancel;
use crate::conn::STANDBY;
use crate::error::{EngineError, ErrorKind, Result};
use crate::select;

/// pg_dump as a [`SchemaSource`].
pub struct PgDump {
    tool: ClientTool,
}

impl PgDump {
    /// Uses this pg_dump.
    pub fn new(tool: ClientTool) -> Self {
        PgDump { tool }
    }
}

impl SchemaSource for PgDump {
    fn version(&self) -> String {
        format!("pg_dump {}", self.tool.version)
    }

    fn read(
        &self,
        request: &SchemaRequest<'_>,
        while_held: &mut dyn FnMut(&Toc) -> Result<()>,
    ) -> Result<Toc> {
        let (mut command, _connection) = client_command(&self.tool, request.info)?;
        command.args(["-Fc", "-Z0", "--no-password"]).arg(format!("--snapshot={}", request.snapshot));
        command.args(select::arguments(request.selection));
        if let Some(t) = request.lock_timeout {
            command.arg(format!("--lock-wait-timeout={}", t.as_millis()));
        }
        let child = command.spawn().map_err(|e| {
            EngineError::new(
                ErrorKind::ClientTool,
                format!("starting {}", self.tool.path.display()),
                e.to_string(),
            )
        })?;
        let mut running = Running::new(child, request.cancel.clone());
        let stdout = running.child.stdout.take();
        let mut stdout =
            BufReader::with_capacity(64 << 10, stdout.ok_or_else(|| tool_error("pg_dump has no output"))?);
        let parsed = Toc::read(&mut stdout);
        request.cancel.check()?;
        match parsed {
            Ok((toc, _)) => {
                while_held(&toc)?;
                Ok(toc)
            }
            // An early end of the output means that pg_dump gave up; its stderr knows why.
            Err(parse) => {
                let _ = std::io::copy(&mut stdout.by_ref().take(1 << 20), &mut std::io::sink());
                Err(running.failure(&parse.to_string()))
            }
        }
    }
}

/// A pg_dump process that is ended when dropped.
struct Running {
    child: Child,
    stderr: Option<JoinHandle<String>>,
    watch: Option<(crossbeam_channel::Sender<()>, JoinHandle<()>)>,
}

impl Running {
    fn new(mut child: Child, cancel: Cancel) -> Running {
        let stderr = child.stderr.take().map(|pipe| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                let _ = pipe.take(64 << 10).read_to_end(&mut text);
                String::from_utf8_lossy(&text).into_owned()
            })
        });
        // Reading its output blocks for as long as pg_dump waits for a lock, so somebody else must watch for
        // the request to stop.
        let (done, stop) = crossbeam_channel::bounded(0);
        let pid = child.id();
        let watch = std::thread::spawn(move || {
            loop {
                match stop.recv_timeout(Duration::from_millis(200)) {
                    Err(crossbeam_channel::RecvTimeoutError::Timeout) if cancel.is_raised() => {
                        return terminate(pid);
                    }
                    Err(crossbeam_channel::RecvTimeoutError::Timeout) => {}
                    _ => return,
                }
            }
        });
        Running { child, stderr, watch: Some((done, watch)) }
    }

    fn end(&mut self) -> String {
        if let Some((done, watch)) = self.watch.take() {
            drop(done);
            let _ = watch.join();
        }
        terminate(self.child.id());
        let deadline = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.stderr.take().and_then(|t| t.join().ok()).unwrap_or_default()
    }

    fn failure(&mut self, parse: &str) -> EngineError {
        let stderr = self.end();
        explain(stderr.trim(), parse)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.stderr.is_some() {
            self.end();
        }
    }
}

/// SIGTERM, upon which pg_dump also cancels what it runs on the server (src/fe_utils/cancel.c).
fn terminate(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

fn tool_error(why: &str) -> EngineError {
    EngineError::new(ErrorKind::ClientTool, "reading the schema with pg_dump", why)
}

/// libpq's words for a connection that is not to be had or is gone (fe-connect.c, fe-misc.c, fe-secure-openssl.c).
const LOST: [&str; 8] = [
    "connection to server",
    "terminating connection",
    "server closed the connection",
    "could not receive data from server",
    "could not send data to server",
    "no connection to the server",
    "ssl connection has been closed",
    "ssl error",
];

/// pg_dump's words for a pattern that matches nothing or makes no sense (`expand_schema_name_patterns` and its kin,
/// src/bin/pg_dump/pg_dump.c).
const PATTERN: [&str; 4] =
    ["no matching", "improper qualified name", "improper relation name", "cross-database references"];

/// Turns pg_dump's words into an error of a class.
fn explain(stderr: &str, parse: &str) -> EngineError {
    if stderr.is_empty() {
        return tool_error(&format!("it ended without a word, and what it wrote is no archive: {parse}"));
    }
    let lower = stderr.to_lowercase();
    // A query is quoted over many lines; only the next word of pg_dump itself ends it. Before 15 it is no detail.
    let mut quoting = false;
    let mut said = Vec::new();
    let mut query = String::new();
    for line in stderr.lines() {
        let own = line.strip_prefix("pg_dump: ").map(|l| l.trim_start_matches("error: "));
        let quote = own.and_then(|l| l.trim_start_matches("detail: ").split_once("uery was: "));
        match (own, quote) {
            (_, Some((_, start))) => {
                quoting = true;
                query = start.to_owned();
            }
            (Some(line), None) => {
                quoting = line.starts_with("hint:");
                if !quoting {
                    said.push(line);
                }
            }
            (None, None) if quoting || line.trim().is_empty() => {}
            (None, None) => said.push(line.trim()),
        }
    }
    let message = said.join("; ");
    let mut e = tool_error(&message);
    if PATTERN.iter().any(|words| lower.contains(words)) {
        e.kind = ErrorKind::Config;
        e.what = "filters".into();
        e = e.hint(
            "patterns are those of psql's \\d: * and ?, a dot between schema and table, double quotes around upper case",
        );
    } else if lower.contains("permission denied for") {
        e.kind = ErrorKind::Permission;
        e = e.hint("grant SELECT on it to the backup role (from 14 on: GRANT pg_read_all_data TO role)");
    } else if query.starts_with("LOCK TABLE") && lower.contains("timeout") {
        // --lock-wait-timeout is a statement timeout (getTables, src/bin/pg_dump/pg_dump.c).
        e.kind = ErrorKind::LockTimeout;
        let mut tables: String =
            query.trim_end_matches(';').chars().skip("LOCK TABLE ".len()).take(200).collect();
        tables.truncate(tables.find(" IN ACCESS SHARE MODE").unwrap_or(tables.len()));
        e.why = format!("lock timeout: waited in vain to read {tables}");
    } else if lower.contains("server version mismatch") {
        e = e
            .hint("install a pg_dump that is not older than the server, or name its folder in PGKEEP_PG_BIN");
    } else if lower.contains("out of shared memory") {
        e = e.hint("raise max_locks_per_transaction on the server: a backup locks every table once");
    } else if lower.contains("conflict with recovery") {
        e.kind = ErrorKind::ConnectionLost;
        e = e.hint(STANDBY);
    } else if LOST.iter().any(|words| lower.contains(words)) {
        e.kind = ErrorKind::ConnectionLost;
        e = e.hint("pg_dump's connection was refused or lost: the server's log tells whether it was the server's doing");
    }
    e
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_table_is_a_permission_error_that_names_it() {
        let e = explain(
            "pg_dump: error: query failed: ERROR:  permission denied for table secret\n\
             pg_dump: detail: Query was: LOCK TABLE public.secret IN ACCESS SHARE MODE",
            "",
        );
        assert_eq!(e.kind, ErrorKind::Permission);
        assert!(e.to_string().contains("permission denied for table secret"), "{e}");
    }

    #[test]
    fn a_lock_that_was_not_to_be_had_names_its_table_in_the_words_of_every_version() {
        for (error, query) in [("error: ", "error: query was: "), ("error: ", "detail: Query was: ")] {
            let e = explain(
                &format!(
                    "pg_dump: {error}query failed: ERROR:  canceling statement due to statement timeout\n\
                     pg_dump: {query}LOCK TABLE public.\"Odd Table\" IN ACCESS SHARE MODE\n"
                ),
                "",
            );
            assert_eq!(e.kind, ErrorKind::LockTimeout);
            assert_eq!(e.why, "lock timeout: waited in vain to read public.\"Odd Table\"");
        }
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_the_users_to_mend() {
        let e = explain("pg_dump: error: no matching tables were found for pattern \"x*\"\n", "");
        assert_eq!(e.kind, ErrorKind::Config);
        assert!(
            e.to_string().starts_with("filters: no matching tables were found for pattern \"x*\""),
            "{e}"
        );
    }

    #[test]
    fn a_quoted_query_is_left_out_however_long() {
        let e = explain(
            "pg_dump: error: query failed: SSL error: unexpected eof while reading\n\
             pg_dump: detail: Query was: SELECT c.oid\nFROM pg_class c\nORDER BY c.oid\n",
            "",
        );
        assert_eq!(e.kind, ErrorKind::ConnectionLost);
        assert!(e.why.ends_with("unexpected eof while reading"), "{e}");
    }
}
