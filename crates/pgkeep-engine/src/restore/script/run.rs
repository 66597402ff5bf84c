//! Restoring an SQL script, on one session, statement by statement as `psql` would run it.

use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bstr::ByteSlice;
use pgkeep_archive::{ScriptEvent, ScriptReader, Title, Toc, file_decoder};

use super::super::copy_statement::CopyStatement;
use super::super::hints::with_hint;
use super::super::places::Place;
use super::super::read_ahead::ReadAhead;
use super::super::report::{RestoreProblem, RestoreReport, RestoreTimings};
use super::super::settings::make_durable;
use super::super::tolerate::tolerated;
use super::source::{ScriptSource, unreadable};
use super::words::{connect_argument, is_unknown_setting, sequence_set, shown};
use crate::cancel::Cancel;
use crate::conn::{Canceller, Client, ConnInfo};
use crate::error::{EngineError, ErrorKind, Result};
use crate::fingerprint::{Fingerprint, RowHasher};
use crate::progress::{Phase, Progress};
use crate::report::{SequenceReport, TableReport, name_text};

/// How a script is run.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScriptOptions<'a> {
    /// Note what fails and go on.
    pub keep_going: bool,
    /// Leave out tablespaces: everything goes to the database's default.
    pub no_tablespaces: bool,
    /// Restore what these contents of the script name, into the target whatever database the script makes; what
    /// fails is told by their entries.
    pub contents: Option<&'a Toc>,
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
    options: ScriptOptions<'_>,
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
                options,
                title: None,
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
    options: ScriptOptions<'a>,
    /// The entry under way, as pg_dump's comments name it.
    title: Option<Title>,
    found: Found,
}

impl<R: Read> Run<'_, R> {
    fn all(mut self, began: Instant) -> Result<RestoredScript> {
        let connected = Instant::now();
        self.progress.enter(Phase::Data);
        while let Some(event) = self.script.next().map_err(|e| unreadable_at(self.script.line(), e))? {
            self.cancel.check()?;
            self.title = self.script.take_title().or(self.title.take());
            if self.leaves_out(&event) {
                continue;
            }
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

    /// Whether the options leave this out: with contents what drops objects, and the database that the script makes.
    fn leaves_out(&mut self, event: &ScriptEvent) -> bool {
        let by_title = self.options.contents.is_some();
        let of_database = by_title && self.title.as_ref().is_some_and(Title::is_about_database);
        let drops = |sql: &[u8]| {
            by_title && self.title.is_none() && (sql.starts_with(b"DROP ") || sql.starts_with(b"ALTER "))
        };
        match event {
            ScriptEvent::Command(line) if of_database && line.starts_with(b"\\connect ") => {
                // Settings follow, which are for all that comes.
                self.title = None;
                true
            }
            ScriptEvent::Statement(sql) => {
                of_database
                    || drops(sql)
                    || self.options.no_tablespaces && sql.starts_with(b"SET default_tablespace = ")
            }
            _ => false,
        }
    }

    fn failed(&mut self, text: &[u8], error: EngineError) -> Result<()> {
        let place = format!("line {}, {}", self.script.line(), shown(text));
        let kind = self.title.as_ref().map_or(b"".as_slice(), |t| &t.desc);
        let denied = error.kind == ErrorKind::Permission;
        let gives = text.starts_with(b"ALTER ") && text.contains_str(" OWNER TO ");
        if tolerated(kind, &error) || is_unknown_setting(text, &error) || denied && gives {
            self.found.notes.push(format!("{place}: {}", error.why));
            return Ok(());
        }
        let entry = self.options.contents.zip(self.title.as_ref()).and_then(|(toc, title)| {
            toc.entries.iter().find(|entry| title.names(entry)).map(|entry| entry.id)
        });
        let error = with_hint(error);
        let fatal = !matches!(error.kind, ErrorKind::Server | ErrorKind::Permission | ErrorKind::LockTimeout);
        if fatal || !self.options.keep_going {
            return Err(error.during(place));
        }
        self.found.errors.push(RestoreProblem::new(place, entry, error));
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
            self.found.notes.push(format!(
                "{}.{} is no plain table; without a manifest its rows are not compared",
                t.schema, t.table
            ));
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

fn unreadable_at(line: u64, e: std::io::Error) -> EngineError {
    unreadable(e).during(format!("line {line}"))
}
