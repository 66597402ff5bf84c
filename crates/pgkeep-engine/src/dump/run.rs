//! The dump itself, step by step.

use std::collections::HashSet;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bstr::ByteSlice;
use crossbeam_channel::RecvTimeoutError;
use pgkeep_archive::{Algorithm, BlockKind, Compression, Compressor, Toc};

use super::coordinator::Coordinator;
use super::schema::read_schema;
use super::script::ScriptTexts;
use super::selected::{pick_pg_dump, read_rules, refuse_nothing};
use super::work::lay_out;
use super::worker::{self, Done, Message, Shared};
use super::{DumpOptions, DumpReport, DumpTarget, Format, begin_output, offset_mode};
use crate::cancel::Cancel;
use crate::conn::ConnInfo;
use crate::error::{EngineError, ErrorKind, Result};
use crate::fingerprint::Fingerprint;
use crate::progress::{Phase, Progress};
use crate::report::{OptionsRecord, SequenceReport, TableReport, name_text};
use crate::schema_source::{PgDump, SchemaSource, find_tools};
use crate::select::{self, Selection};
use crate::session::{self, encoding_of};

/// How often the coordinator's connection is asked whether it lives while the workers read: without it hours of
/// reading would be for nothing.
const ALIVE: Duration = Duration::from_secs(10);

/// Dumps one database into one archive.
///
/// # Errors
/// What failed, on which object. On an error the target was not finished, so no archive came to be; `cancel`
/// being raised is an error of kind `Cancelled`.
pub fn dump(
    info: &ConnInfo,
    options: &DumpOptions,
    target: DumpTarget<'_>,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<DumpReport> {
    progress.enter(Phase::Starting);
    let tools = std::thread::spawn(|| find_tools("pg_dump"));
    let (mut coordinator, database) = Coordinator::begin(info, cancel)?;
    // Of several servers the one that has the snapshot, for everybody.
    let info = &coordinator.client.info().clone();
    let server_major = coordinator.client.server_major();
    let source = PgDump::new(pick_pg_dump(&tools.join().unwrap_or_default(), server_major, options)?);
    let (mut toc, names) = read_schema(&mut coordinator, &source, info, options, progress, cancel)?;
    for note in select::prune(&mut toc, &options.selection) {
        progress.note(note);
    }
    refuse_nothing(&toc, options, &mut coordinator)?;
    let encoding = encoding_of(&toc)?;
    session::prepare(&mut coordinator.client, &encoding)?;
    let rules = read_rules(&toc, options, &mut coordinator, progress)?;
    let reading = rules.settings(options.mask_salt.as_ref())?;
    let sequences = sequences_of(&toc);
    let toc_entries = toc.entries.len() as u64;
    let default = match options.format {
        Format::Custom | Format::Directory => default_compression(server_major),
        Format::Plain => Algorithm::Zstd.into(),
    };
    let compression = match options.compression.unwrap_or(default) {
        c if c.algorithm == Algorithm::None => c,
        c => Compression { level: Some(c.level()), ..c },
    };

    let mode = offset_mode(&target, options.format)?;
    let work = lay_out(toc, &names, &rules, &mut coordinator, options, compression, mode)?;
    let (texts, head_len, archive_version) = match options.format {
        Format::Custom | Format::Directory => {
            (None, work.layout.head_len(), work.layout.toc().header.version.to_string())
        }
        Format::Plain => (Some(ScriptTexts::new(&work.layout, compression)?), 0, String::new()),
    };
    let expected: u64 = work.pieces.iter().map(|p| p.bytes).sum();
    progress.bytes_expected.store(expected, std::sync::atomic::Ordering::Relaxed);
    progress.tables.store(work.tables.len() as u64, std::sync::atomic::Ordering::Relaxed);
    progress.enter(Phase::Data);

    let jobs = options.jobs.clamp(1, work.pieces.len().max(1));
    // The workers' own flag: one failure stops them all.
    let stop = cancel.child();
    let expected = archive_size(expected, compression);
    let memory = options.piece_memory;
    let output = begin_output(target, work.layout, texts, compression, expected, memory, stop.clone())?;
    let shared = Shared {
        info: info.clone(),
        encoding: encoding.clone(),
        snapshot: coordinator.snapshot.id.clone(),
        reading,
        compression,
        pieces: work.pieces,
        next: AtomicUsize::new(0),
        output: &*output,
        progress,
        cancel: stop,
    };
    let mut tables = work.tables;
    let blobs =
        read_all(&shared, jobs, &mut coordinator, &mut tables).map_err(|e| cause(e, &mut coordinator))?;
    drop(shared);

    // The snapshot was whole to the last row only if its owner lived as long.
    coordinator.client.execute("COMMIT").map_err(|e| e.during("ending the snapshot"))?;
    progress.enter(Phase::Finishing);
    let archive_len = output.finish()?;
    Ok(DumpReport {
        database,
        server_version: coordinator.client.server_version().to_owned(),
        format: options.format,
        schema_source: source.version(),
        snapshot_lsn: coordinator.snapshot.lsn,
        snapshot_time: coordinator.snapshot.time,
        compression: compression.to_string(),
        archive_version,
        encoding,
        head_len,
        archive_len,
        toc_entries,
        tables,
        sequences,
        large_objects: blobs,
        jobs,
        options: OptionsRecord {
            segments: options.segments,
            segment_size: work.segment_size,
            lock_timeout_ms: options.lock_timeout.map(|t| t.as_millis() as u64),
            selection: (options.selection != Selection::default()).then(|| options.selection.clone()),
        },
        notes: progress.notes_from(0),
    })
}

/// A worker that finds no snapshot to import has seen only the effect of the coordinator's loss.
fn cause(e: EngineError, coordinator: &mut Coordinator) -> EngineError {
    // undefined_object; invalid_parameter_value before 18 (ImportSnapshot, src/backend/utils/time/snapmgr.c).
    if e.kind != ErrorKind::Server || !matches!(e.sqlstate.as_deref(), Some("42704" | "22023")) {
        return e;
    }
    match coordinator.client.execute("SELECT 1") {
        Err(lost) if lost.is_connection_lost() => {
            let again =
                "rows can be read under one snapshot only while its connection lives: run the backup again";
            let hint = lost.hint.clone().unwrap_or_else(|| again.into());
            lost.during("the connection that holds the snapshot").hint(hint)
        }
        _ => e,
    }
}

/// Runs the workers to the end; the calling thread reads on the coordinator's connection what they must leave.
fn read_all(
    shared: &Shared<'_>,
    jobs: usize,
    coordinator: &mut Coordinator,
    tables: &mut [TableReport],
) -> Result<Option<Fingerprint>> {
    let (send, receive) = crossbeam_channel::unbounded();
    let mut blobs: Option<Fingerprint> = None;
    let mut left: Vec<u32> = tables.iter().map(|t| t.segments).collect();
    let mut take = |done: Done| match done.table {
        Some(t) => {
            tables[t].fingerprint += done.fingerprint;
            left[t] -= 1;
            if left[t] == 0 {
                Progress::add(&shared.progress.tables_done, 1);
            }
        }
        None => *blobs.get_or_insert_default() += done.fingerprint,
    };
    let mut error: Option<EngineError> = None;
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            let send = send.clone();
            scope.spawn(move || {
                let last = worker::work(shared, &send);
                let _ = send.send(last);
            });
        }
        let mut running = jobs;
        let mut not_started = 0;
        let mut compressor = None;
        while running > 0 {
            let message = match receive.recv_timeout(ALIVE) {
                Ok(message) => message,
                // Also keeps the connection from looking idle to whatever is between.
                Err(RecvTimeoutError::Timeout) => match coordinator.client.execute("SELECT") {
                    Ok(()) => continue,
                    Err(e) => Message::CoordinatorLost(e),
                },
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let failed = match message {
                Message::CoordinatorLost(e) => {
                    Err(e.during("the connection that holds the snapshot and the locks"))
                }
                Message::Done(done) => {
                    take(done);
                    Ok(())
                }
                Message::Deferred(index) => {
                    read_deferred(shared, index, coordinator, &mut compressor).map(&mut take)
                }
                Message::NotStarted(e) => {
                    running -= 1;
                    not_started += 1;
                    // The server is full (too_many_connections): go on with the connections there are.
                    if e.sqlstate.as_deref() == Some("53300") && not_started < jobs {
                        shared.progress.note(format!("one connection fewer: {}", e.why));
                        Ok(())
                    } else {
                        Err(e)
                    }
                }
                Message::Ended(ended) => {
                    running -= 1;
                    ended
                }
            };
            if let Err(e) = failed {
                // The first real failure is the cause; what follows is its echo.
                if error.as_ref().is_none_or(|first| first.kind == ErrorKind::Cancelled) {
                    error = Some(e);
                }
                shared.output.fail();
                shared.cancel.raise();
            }
        }
    });
    match error {
        Some(e) => Err(e),
        None => Ok(blobs),
    }
}

fn read_deferred(
    shared: &Shared<'_>,
    index: usize,
    coordinator: &mut Coordinator,
    compressor: &mut Option<Compressor>,
) -> Result<Done> {
    let piece = shared.pieces.iter().find(|p| p.index == index).ok_or_else(EngineError::cancelled)?;
    shared
        .progress
        .note(format!("{}: a schema change waits for it; read by the coordinator", piece.display()));
    let compressor = match compressor {
        Some(c) => c,
        none => none.insert(shared.compressor()?),
    };
    let id = shared.output.first_id(index);
    let kind = if piece.table.is_some() { BlockKind::Data } else { BlockKind::Blobs };
    let mut writer = shared.output.begin(compressor, index, id, kind, piece.bytes);
    coordinator.client.execute("SET enable_seqscan = off; SET jit = off")?;
    if !shared.reading.is_empty() {
        coordinator.client.execute(&shared.reading)?;
    }
    let fingerprint =
        worker::read(&mut coordinator.client, piece, &mut *writer, shared, &mut Vec::new(), false)
            .map_err(|e| e.during(piece.display()))?;
    writer.finish()?;
    Ok(Done { table: piece.table, fingerprint })
}

/// zstd where the server's own pg_restore reads it, else gzip, which all do.
pub(crate) fn default_compression(server_major: u32) -> Compression {
    let algorithm = if server_major >= 16 { Algorithm::Zstd } else { Algorithm::Gzip };
    Compression { algorithm, level: None }
}

/// A guess at the archive's size that is rarely exceeded and never by half: a store plans for twice of it, and what it
/// plans costs memory. Compressed text is hardly ever larger than the table on disk (bytea in hex compresses to its
/// half at least); plain text can be three times as large.
fn archive_size(table_bytes: u64, compression: Compression) -> u64 {
    match compression.algorithm {
        Algorithm::None => table_bytes / 2 * 3,
        _ => table_bytes / 20 * 11,
    }
}

/// Sequence states out of the SEQUENCE SET entries: `SELECT pg_catalog.setval('public.s', 5, true);`.
fn sequences_of(toc: &Toc) -> Vec<SequenceReport> {
    let mut seen = HashSet::new();
    toc.entries
        .iter()
        .filter(|e| e.desc_is("SEQUENCE SET"))
        .filter_map(|e| {
            let definition = e.definition.as_ref()?.to_str_lossy().into_owned();
            let (_, arguments) = definition.trim_end().trim_end_matches(");").rsplit_once("', ")?;
            let (value, called) = arguments.split_once(", ")?;
            let schema = name_text(e.namespace.as_ref()?);
            let sequence = name_text(e.tag.as_ref()?);
            seen.insert((schema.clone(), sequence.clone())).then_some(SequenceReport {
                schema,
                sequence,
                last_value: value.parse().ok()?,
                is_called: called == "true",
            })
        })
        .collect()
}
