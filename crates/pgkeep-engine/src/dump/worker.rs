//! One connection that reads pieces under the coordinator's snapshot.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::Sender;
use pgkeep_archive::{BlockKind, Compression, Compressor};

use super::large_objects;
use super::piece::{Piece, Source};
use super::sink::{Output, PieceSink};
use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo};
use crate::error::{EngineError, ErrorKind, Result};
use crate::fingerprint::{Fingerprint, RowHasher};
use crate::progress::Progress;
use crate::rules;
use crate::session;

/// Tries of one piece, the first included.
const TRIES: u32 = 4;

/// End of a table's data as pg_dump writes it (`dumpTableData_copy`: `\.` and two empty lines).
const END_OF_DATA: &[u8] = b"\\.\n\n\n";

/// What all workers share.
pub(super) struct Shared<'o> {
    pub(super) info: ConnInfo,
    pub(super) encoding: String,
    pub(super) snapshot: String,
    /// What a session is told before it reads under rules; may be empty.
    pub(super) reading: Vec<u8>,
    pub(super) compression: Compression,
    pub(super) pieces: Vec<Piece>,
    /// Next in `pieces` to be taken.
    pub(super) next: AtomicUsize,
    pub(super) output: &'o dyn Output,
    pub(super) progress: &'o Progress,
    pub(super) cancel: Cancel,
}

impl Shared<'_> {
    /// A compressor for what is written.
    pub(super) fn compressor(&self) -> Result<Compressor> {
        self.output.compressor(self.compression)
    }
}

/// A piece that was read: its place in the report and its fingerprint.
pub(super) struct Done {
    pub(super) table: Option<usize>,
    pub(super) fingerprint: Fingerprint,
}

/// What a worker tells.
pub(super) enum Message {
    Done(Done),
    /// Its lock is not to be had while DDL waits for the table: only the coordinator, which holds it, can read it.
    Deferred(usize),
    /// The coordinator's connection does not answer any more.
    CoordinatorLost(EngineError),
    /// The worker could not connect and took nothing.
    NotStarted(EngineError),
    /// The worker ended, well or not.
    Ended(Result<()>),
}

/// Takes pieces until none is left; gives the worker's last message.
pub(super) fn work(shared: &Shared<'_>, messages: &Sender<Message>) -> Message {
    match connect(shared) {
        Err(e) => Message::NotStarted(e),
        Ok(client) => Message::Ended(take_pieces(shared, messages, client)),
    }
}

fn take_pieces(shared: &Shared<'_>, messages: &Sender<Message>, client: Client) -> Result<()> {
    let mut compressor = shared.compressor()?;
    let mut session = Some(client);
    // One for all pieces: megabytes that are given back and taken anew are page faults each time.
    let mut batch = Vec::new();
    while let Some(piece) = shared.pieces.get(shared.next.fetch_add(1, Ordering::Relaxed)) {
        let mut id = shared.output.first_id(piece.index);
        let mut tries = 1;
        loop {
            shared.cancel.check()?;
            let mut writer =
                shared.output.begin(&mut compressor, piece.index, id, kind_of(piece), piece.bytes);
            let read = connected(&mut session, shared)
                .and_then(|client| read(client, piece, &mut *writer, shared, &mut batch, true));
            let error = match read {
                Ok(fingerprint) => {
                    writer.finish()?;
                    let _ = messages.send(Message::Done(Done { table: piece.table, fingerprint }));
                    break;
                }
                Err(e) => e,
            };
            let again = error.is_connection_lost() || error.is_recovery_conflict();
            if !again && error.kind != ErrorKind::LockTimeout {
                // Among them the store's: the output must not be written to again.
                return Err(error.during(piece.display()));
            }
            let partly_written = writer.abandon()?;
            if error.kind == ErrorKind::LockTimeout && !partly_written {
                // The failed LOCK aborted the transaction; the snapshot can be imported again.
                session = None;
                let _ = messages.send(Message::Deferred(piece.index));
                break;
            }
            if !again || tries == TRIES {
                return Err(error.during(piece.display()));
            }
            session = None;
            if partly_written {
                id = shared.output.fresh_id().map_err(|e| e.during(piece.display()))?;
            }
            shared.progress.note(format!("{}: {}; reading it again", piece.display(), error.why));
            pause(&shared.cancel, Duration::from_millis(200 * u64::from(tries)))?;
            tries += 1;
        }
    }
    Ok(())
}

fn kind_of(piece: &Piece) -> BlockKind {
    match piece.source {
        Source::Table { .. } => BlockKind::Data,
        Source::LargeObjects { .. } => BlockKind::Blobs,
    }
}

fn connected<'s>(session: &'s mut Option<Client>, shared: &Shared<'_>) -> Result<&'s mut Client> {
    if session.is_none() {
        *session = Some(connect(shared)?);
    }
    session.as_mut().ok_or_else(EngineError::cancelled)
}

fn connect(shared: &Shared<'_>) -> Result<Client> {
    let mut tries = 1;
    loop {
        let opened = Client::connect(&shared.info, &shared.cancel).and_then(|mut client| {
            session::prepare(&mut client, &shared.encoding)?;
            // Tid Range Scans where a sequential scan of the whole table looks cheaper; no just-in-time
            // compilation, which the planner would choose for the seeming cost. A rule may read other tables: behind a
            // DDL that waits for the coordinator, the wait for their locks would be for ever.
            client.execute(
                "SET enable_seqscan = off; SET jit = off; SET max_parallel_workers_per_gather = 0; \
                 SET lock_timeout = '2s'",
            )?;
            if !shared.reading.is_empty() {
                client.execute(&shared.reading).map_err(|e| e.during("preparing the session"))?;
            }
            client
                .execute(format!(
                    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT '{}'",
                    shared.snapshot
                ))
                .map_err(|e| e.during("importing the snapshot"))?;
            Ok(client)
        });
        match opened {
            Err(e) if matches!(e.kind, ErrorKind::Connect | ErrorKind::ConnectionLost) && tries < TRIES => {
                pause(&shared.cancel, Duration::from_millis(300 * u64::from(tries)))?;
                tries += 1;
            }
            other => return other,
        }
    }
}

fn pause(cancel: &Cancel, time: Duration) -> Result<()> {
    let step = Duration::from_millis(50);
    let mut left = time;
    while !left.is_zero() {
        cancel.check()?;
        std::thread::sleep(step.min(left));
        left = left.saturating_sub(step);
    }
    Ok(())
}

/// Reads one piece. `lock` takes the table's lock first, without waiting: the coordinator holds the
/// same lock, so it is refused only where DDL queues for the table, and waiting behind that would be for ever.
pub(super) fn read(
    client: &mut Client,
    piece: &Piece,
    writer: &mut dyn PieceSink,
    shared: &Shared<'_>,
    batch: &mut Vec<u8>,
    lock: bool,
) -> Result<Fingerprint> {
    let (table, copy) = match &piece.source {
        Source::Table { table, sql } => (table, sql),
        Source::LargeObjects { oids } => return large_objects::copy(client, oids, writer),
    };
    let mut sql = Vec::new();
    if lock && table.kind != b'f' {
        sql.extend_from_slice(b"LOCK TABLE ONLY ");
        sql.extend_from_slice(&table.quoted);
        sql.extend_from_slice(b" IN ACCESS SHARE MODE NOWAIT; ");
    }
    sql.extend_from_slice(copy);
    let mut hasher = RowHasher::new();
    let full = writer.input_size();
    batch.clear();
    batch.reserve(full + TOLD);
    let mut told = Told::default();
    let copied = client.copy_out(&sql, |bytes| {
        hasher.update(bytes);
        batch.extend_from_slice(bytes);
        if hasher.bytes() - told.bytes >= TOLD as u64 {
            shared.cancel.check()?;
            told.tell(&hasher, shared.progress);
        }
        if batch.len() >= full {
            writer.write(batch)?;
            batch.clear();
        }
        Ok(())
    });
    copied.map_err(|e| if piece.ruled { rules::without_values(e) } else { e })?;
    told.tell(&hasher, shared.progress);
    if piece.end_mark {
        batch.extend_from_slice(END_OF_DATA);
    }
    writer.write(batch)?;
    Ok(hasher.finish())
}

/// Bytes between two looks at the cancel flag and two moves of the counters.
const TOLD: usize = 256 << 10;

/// How far the shared counters know of a piece.
#[derive(Default)]
struct Told {
    rows: u64,
    bytes: u64,
}

impl Told {
    fn tell(&mut self, hasher: &RowHasher, progress: &Progress) {
        Progress::add(&progress.rows, hasher.rows() - self.rows);
        Progress::add(&progress.bytes, hasher.bytes() - self.bytes);
        *self = Told { rows: hasher.rows(), bytes: hasher.bytes() };
    }
}
