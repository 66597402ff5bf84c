//! Restoring an SQL script, on one session, statement by statement as `psql` would run it.

use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bstr::ByteSlice;
use pgkeep_archive::{Algorithm, ReadAt, ScriptEvent, ScriptReader, file_decoder};

use super::copy_statement::{self, CopyStatement};
use super::hints::with_hint;
use super::places::Place;
use super::read_ahead::ReadAhead;
use super::report::{RestoreProblem, RestoreReport, RestoreTimings};
use super::settings::make_durable;
use crate::cancel::Cancel;
use crate::conn::{Canceller, Client, ConnInfo};
use crate::error::{EngineError, ErrorKind, Result};
use crate::fingerprint::{Fingerprint, RowHasher};
use crate::progress::{Phase, Progress};
use crate::report::{SequenceReport, TableReport, name_text};

/// A script in a store.
pub struct ScriptSource<'a> {
    pub(crate) archive: &'a (dyn ReadAt + Sync),
    pub(crate) compression: Algorithm,
}

impl<'a> ScriptSource<'a> {
    /// Looks whether this is a script: by its name (`.sql`, and `.gz`, `.zst` or `.lz4` behind it), or by its first
    /// bytes, which are those of a comment, a setting, or a `psql` command. `None` for anything else.
    ///
    /// # Errors
    /// `Archive` where it cannot be read.
    pub fn open(archive: &'a (dyn ReadAt + Sync), name: &str) -> Result<Option<ScriptSource<'a>>> {
        let mut magic = [0; 8];
        let n = archive.read_at(0, &mut magic).map_err(unreadable)?;
        let magic = &magic[..n];
        let compression = Algorithm::of_file(magic);
        let named = [".sql", ".sql.gz", ".sql.zst", ".sql.lz4"].iter().any(|end| name.ends_with(end));
        let begins = [b"--".as_slice(), b"SET ", b"\\restric"].iter().any(|start| magic.starts_with(start));
        let is_archive = magic.starts_with(b"PGDMP");
        Ok((!is_archive && (named || begins)).then_some(ScriptSource { archive, compression }))
    }
}

/// What came of a script.
#[derive(Debug)]
pub struct RestoredScript {
    /// As for an archive; its entries are the statements.
    pub report: RestoreReport,
    /// The client encoding that the script sets.
    pub encoding: String,
}

/// Runs a script against a database. Rows are streamed; everything is done on one session, in the script's order.
///
/// Of `psql`'s commands `\restrict`, `\unrestrict` and `\connect` are honoured; others are refused.
///
/// # Errors
/// The first failure, with its line; with `keep_going` only what ends the run: a lost connection, a script that is
/// damaged or cut, a wish to stop.
pub fn restore_script(
    source: &ScriptSource<'_>,
    target: &ConnInfo,
    keep_going: bool,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<RestoredScript> {
    let began = Instant::now();
    progress.enter(Phase::Starting);
    let len = source.archive.len().map_err(unreadable)?;
    let canceller = Mutex::new(None);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                if cancel.is_raised() {
                    // A session that waits for the server does not look at the flag.
                    let known: Option<Canceller> =
                        canceller.lock().unwrap_or_else(PoisonError::into_inner).take();
                    if let Some(known) = known {
                        let _ = known.cancel();
                    }
                }
                thread::sleep(Duration::from_millis(50));
            }
        });
        let result = (|| {
            let client = connect(target, cancel, &canceller)?;
            let packed = ReadAhead::begin(scope, source.archive, Place { from: 0, to: len }, progress);
            let plain = file_decoder(source.compression, packed)?;
            let script = ScriptReader::new(BufReader::with_capacity(256 << 10, plain));
            let run = Run {
                script,
                client,
                cancel,
                canceller: &canceller,
                progress,
                keep_going,
                found: Found::default(),
            };
            run.all(began)
        })();
        over.store(true, Ordering::Relaxed);
        match result {
            Err(_) if cancel.is_raised() => Err(EngineError::cancelled()),
            other => other,
        }
    })
}

fn connect(target: &ConnInfo, cancel: &Cancel, canceller: &Mutex<Option<Canceller>>) -> Result<Client> {
    let mut client = Client::connect(target, cancel)?;
    // One commit for each statement need not wait for the disk each; the last one waits for all.
    client.execute("SET synchronous_commit = off")?;
    *canceller.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.canceller());
    Ok(client)
}

#[derive(Default)]
struct Found {
    statements: u64,
    tables: HashMap<(String, String), usize>,
    loaded: Vec<TableReport>,
    sequences: Vec<SequenceReport>,
    encoding: Option<String>,
    errors: Vec<RestoreProblem>,
    notes: Vec<String>,
    restricted: Option<Vec<u8>>,
}

struct Run<'a, R> {
    script: ScriptReader<BufReader<R>>,
    client: Client,
    cancel: &'a Cancel,
    canceller: &'a Mutex<Option<Canceller>>,
    progress: &'a Progress,
    keep_going: bool,
    found: Found,
}

impl<R: Read> Run<'_, R> {
    fn all(mut self, began: Instant) -> Result<RestoredScript> {
        let connected = Instant::now();
        self.progress.enter(Phase::Data);
        while let Some(event) = self.script.next().map_err(|e| unreadable_at(self.script.line(), e))? {
            self.cancel.check()?;
            let (text, done) = match &event {
                ScriptEvent::Command(line) => (line, self.command(line)),
                ScriptEvent::Statement(sql) => (sql, self.statement(sql)),
                ScriptEvent::Copy(sql) => (sql, self.copy(sql)),
            };
            match done {
                Ok(()) => self.found.statements += 1,
                Err(e) => self.failed(text, e)?,
            }
        }
        self.progress.enter(Phase::Finishing);
        make_durable(&mut self.client)?;
        let loaded = self.provable()?;
        let found = self.found;
        let report = RestoreReport {
            database: self.client.info().clone(),
            entries: found.statements,
            tables: found.tables.len() as u64,
            loaded,
            sequences: found.sequences,
            large_objects: None,
            analyzed: 0,
            errors: found.errors,
            notes: found.notes,
            timings: RestoreTimings {
                prepare: connected - began,
                data: connected.elapsed(),
                ..RestoreTimings::default()
            },
        };
        Ok(RestoredScript { report, encoding: found.encoding.unwrap_or_else(|| "UTF8".into()) })
    }

    fn failed(&mut self, text: &[u8], error: EngineError) -> Result<()> {
        let place = format!("line {}, {}", self.script.line(), shown(text));
        let comment = text.starts_with(b"COMMENT ON EXTENSION ") && error.kind == ErrorKind::Permission;
        if comment {
            self.found.notes.push(format!("{place}: {}", error.why));
            return Ok(());
        }
        let error = with_hint(error);
        let fatal = !matches!(error.kind, ErrorKind::Server | ErrorKind::Permission | ErrorKind::LockTimeout);
        if fatal || !self.keep_going {
            return Err(error.during(place));
        }
        self.found.errors.push(RestoreProblem::new(place, None, error));
        Ok(())
    }

    fn statement(&mut self, sql: &[u8]) -> Result<()> {
        self.client.execute(sql)?;
        if let Some(encoding) = sql.strip_prefix(b"SET client_encoding = '") {
            self.found.encoding =
                encoding.split(|b| *b == b'\'').next().map(|e| e.to_str_lossy().into_owned());
        }
        self.found.sequences.extend(sequence_set(sql));
        Ok(())
    }

    fn copy(&mut self, sql: &[u8]) -> Result<()> {
        let Run { script, client, progress, cancel, found, .. } = self;
        let mut hasher = RowHasher::new();
        let mut told = 0;
        let mut to_server = client.copy_in(sql)?;
        let sent = script.rows(|rows| {
            cancel.check().map_err(Stop)?;
            hasher.update(rows);
            to_server.write(rows).map_err(Stop)?;
            Progress::add(&progress.bytes, rows.len() as u64);
            Progress::add(&progress.rows, hasher.rows() - told);
            told = hasher.rows();
            Ok::<(), Stop>(())
        });
        match sent {
            Ok(()) => to_server.finish()?,
            Err(Stop(e)) => {
                if !e.is_connection_lost() {
                    drop(to_server);
                }
                return Err(e);
            }
        }
        let Some(copy) = CopyStatement::parse(sql) else { return Ok(()) };
        let (schema, table) = (name_text(copy.schema.as_deref().unwrap_or_default()), name_text(&copy.table));
        let at = *found.tables.entry((schema.clone(), table.clone())).or_insert_with(|| {
            found.loaded.push(TableReport {
                schema,
                table,
                columns: copy.columns.iter().map(|c| name_text(c)).collect(),
                filter: None,
                segments: 0,
                fingerprint: Fingerprint::default(),
            });
            found.loaded.len() - 1
        });
        found.loaded[at].segments += 1;
        found.loaded[at].fingerprint += hasher.finish();
        Ok(())
    }

    fn command(&mut self, line: &[u8]) -> Result<()> {
        let refused = |why: &str, hint: &str| {
            Err(EngineError::new(ErrorKind::Archive, "a command of psql", why.to_owned()).hint(hint))
        };
        let mut words = line.splitn(2, |b| *b == b' ');
        let (name, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().trim_ascii());
        match (name, &self.found.restricted) {
            (b"\\unrestrict", Some(key)) if *key == rest => self.found.restricted = None,
            (_, Some(_)) => {
                return refused(
                    "the script is in restricted mode, which allows no commands",
                    "do not trust this script: something in the dumped database may have put the command there",
                );
            }
            (b"\\restrict", None) if !rest.is_empty() => self.found.restricted = Some(rest.to_vec()),
            (b"\\connect" | b"\\c", None) => {
                let Some(database) = connect_argument(rest) else {
                    return refused("it names no database alone", "run this script by psql");
                };
                let target = self.client.info().with_database(&database);
                self.found.notes.push(format!("the script goes on in database {database}"));
                self.client = connect(&target, self.cancel, self.canceller)?;
            }
            _ => {
                return refused(
                    "only \\restrict, \\unrestrict and \\connect are known",
                    "run this script by psql",
                );
            }
        }
        Ok(())
    }

    /// Tables whose rows can be read back under their own name: not those that are roots of partitions.
    fn provable(&mut self) -> Result<Vec<TableReport>> {
        let mut plain = std::collections::HashSet::new();
        self.client.query_each(
            "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'",
            |row| {
                let name = |i| name_text(row.bytes(i).unwrap_or_default());
                plain.insert((name(0), name(1)));
                Ok(())
            },
        )?;
        let all = std::mem::take(&mut self.found.loaded);
        let (loaded, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|t| plain.contains(&(t.schema.clone(), t.table.clone())));
        for t in others {
            self.found
                .notes
                .push(format!("{}.{} is no plain table; its rows are not compared", t.schema, t.table));
        }
        Ok(loaded)
    }
}

/// Carries our errors through the reader's.
struct Stop(EngineError);

impl From<std::io::Error> for Stop {
    fn from(e: std::io::Error) -> Self {
        Stop(unreadable(e))
    }
}

/// The first words of a statement, up to anything that could be a secret.
fn shown(sql: &[u8]) -> String {
    let head = sql.split(|b| matches!(b, b'\'' | b'$' | b'(' | b'\n')).next().unwrap_or_default();
    let words: Vec<&str> = head.fields().take(6).map(|w| w.to_str().unwrap_or("?")).collect();
    words.join(" ").trim_end_matches(';').to_owned()
}

/// `SELECT pg_catalog.setval('public.s', 42, true);`.
fn sequence_set(sql: &[u8]) -> Option<SequenceReport> {
    let arguments = sql.strip_prefix(b"SELECT pg_catalog.setval('")?.strip_suffix(b");")?;
    let mut parts = arguments.rsplitn(3, |b| *b == b',');
    let (called, value) = (parts.next()?.trim_ascii(), parts.next()?.trim_ascii());
    let quoted = parts.next()?.strip_suffix(b"'")?.replace("''", "'");
    let mut rest = [quoted.as_slice(), b" "].concat();
    let mut names = rest.as_slice();
    let schema = copy_statement::name(&mut names)?;
    names = names.strip_prefix(b".")?;
    let sequence = copy_statement::name(&mut names)?;
    rest.clear();
    Some(SequenceReport {
        schema: name_text(&schema),
        sequence: name_text(&sequence),
        last_value: value.to_str().ok()?.parse().ok()?,
        is_called: called == b"true",
    })
}

/// The database in `\connect name`, or in `\connect -reuse-previous=on "dbname='odd name'"`
/// (`appendPsqlMetaConnect`, src/fe_utils/string_utils.c).
fn connect_argument(rest: &[u8]) -> Option<String> {
    let rest = rest.strip_prefix(b"-reuse-previous=on").unwrap_or(rest).trim_ascii();
    let plain = match rest.strip_prefix(b"\"").and_then(|r| r.strip_suffix(b"\"")) {
        Some(inside) => inside.replace("\"\"", "\""),
        None if rest.iter().any(u8::is_ascii_whitespace) => return None,
        None => rest.to_vec(),
    };
    let name = match plain.strip_prefix(b"dbname='").and_then(|p| p.strip_suffix(b"'")) {
        Some(name) => name.replace("\\'", "'").replace("\\\\", "\\"),
        None if plain.contains(&b'=') => return None,
        None => plain,
    };
    String::from_utf8(name).ok().filter(|n| !n.is_empty() && n != "-")
}

fn unreadable(e: std::io::Error) -> EngineError {
    EngineError::new(ErrorKind::Archive, "reading the script", e.to_string())
        .hint("the script is cut short or damaged: fetch it again, or take another backup")
}

fn unreadable_at(line: u64, e: std::io::Error) -> EngineError {
    unreadable(e).during(format!("line {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_a_statement_is_shown() {
        let sql = b"CREATE USER MAPPING FOR a SERVER b OPTIONS (\n    password 'secret'\n);";
        assert_eq!(shown(sql), "CREATE USER MAPPING FOR a SERVER");
        assert_eq!(shown(b"ALTER ROLE a PASSWORD 'secret';"), "ALTER ROLE a PASSWORD");
    }

    #[test]
    fn a_sequence_is_found_whatever_its_name() {
        let s = sequence_set(b"SELECT pg_catalog.setval('odd.\"it''s, (1)\"', 42, false);").unwrap();
        assert_eq!((s.schema.as_str(), s.sequence.as_str()), ("odd", "it's, (1)"));
        assert_eq!((s.last_value, s.is_called), (42, false));
        assert!(sequence_set(b"SELECT 1;").is_none());
    }

    #[test]
    fn the_database_of_connect_is_found() {
        let argument = |text: &str| connect_argument(text.as_bytes());
        assert_eq!(argument("shop").as_deref(), Some("shop"));
        assert_eq!(argument("-reuse-previous=on \"dbname='a ''b\\'\"\"'\"").as_deref(), Some("a ''b'\""));
        assert_eq!(argument("\"dbname=x host=evil\""), None);
        assert_eq!(argument("db user host"), None);
    }
}
