//! Loading one table-data entry.

use std::thread;

use pgkeep_archive::{Algorithm, BlockKind, BlockReader, DumpId, Entry, ReadAt, decoder};

use super::copy_statement::with_freeze;
use super::entry::{bytes, display, qualified};
use super::large_objects::{PUT, put};
use super::places::Place;
use super::read_ahead::ReadAhead;
use super::rows::EndMark;
use super::settings::Session;
use super::sql_text::Splitter;
use super::state::{State, Step};
use crate::conn::Client;
use crate::convert::fill;
use crate::error::{EngineError, ErrorKind, Result};
use crate::fingerprint::{Fingerprint, RowHasher, large_object};
use crate::progress::Progress;

/// Plain bytes taken from the decoder at a time.
const PIECE: usize = 256 << 10;
/// Statements of SQL text are gathered up to this size.
const SQL_BATCH: usize = 256 << 10;

/// An entry's data in the archive.
#[derive(Clone, Copy)]
pub(super) struct Data<'a> {
    pub(super) archive: &'a (dyn ReadAt + Sync),
    pub(super) compression: Algorithm,
    pub(super) entry: &'a Entry,
    pub(super) place: Place,
    pub(super) progress: &'a Progress,
}

impl Data<'_> {
    fn with_block<T>(
        &self,
        kind: BlockKind,
        f: impl FnOnce(BlockReader<ReadAhead>) -> Result<T>,
    ) -> Result<T> {
        thread::scope(|scope| {
            let reader = ReadAhead::begin(scope, self.archive, self.place, self.progress);
            let block = BlockReader::open_at(reader, self.place.from)?;
            if block.id() != self.entry.id || block.kind() != kind {
                let DumpId(found) = block.id();
                return Err(damaged(format!("at byte {} stands the data of entry {found}", self.place.from)));
            }
            f(block)
        })
    }

    /// Hands the decompressed data to `each`, in pieces.
    fn pieces(&self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.with_block(BlockKind::Data, |mut block| {
            let mut plain = decoder(self.compression, &mut block)?;
            let mut piece = vec![0; PIECE];
            loop {
                match fill(&mut plain, &mut piece)? {
                    0 => return Ok(()),
                    n => each(&piece[..n])?,
                }
            }
        })
    }
}

/// How the rows go in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Beside other loads into the same table.
    Beside,
    /// The table is empty and nobody else's: it is truncated in the same transaction, as pg_restore does it, so that
    /// nothing is logged under `wal_level = minimal`, and rows are frozen as they come, which saves the server
    /// writing every page a second time when the first reader sets its hint bits.
    Alone,
}

/// What became of a load.
pub(super) struct Loaded {
    /// `None` where the data was SQL text.
    pub(super) fingerprint: Option<Fingerprint>,
}

/// Loads the entry's rows in one transaction.
///
/// # Errors
/// After an error nothing of it is in the table, unless the connection was lost during the commit itself: then the
/// error is of another kind than `ConnectionLost`, so that nobody loads the rows twice.
pub(super) fn rows(session: &mut Session, data: Data<'_>, way: Way, state: &State) -> Result<Loaded> {
    session.select(data.entry)?;
    let standard_strings = session.standard_strings();
    let client = &mut session.client;
    client.execute("BEGIN")?;
    let loaded = transaction(client, data, way, standard_strings);
    match loaded {
        Ok(loaded) => {
            let mark = state.mark(data.entry.id, Step::Whole, loaded.fingerprint.as_ref());
            client.execute([mark.as_slice(), b"COMMIT"].concat()).map_err(|e| match (e.kind, way) {
                (ErrorKind::ConnectionLost, Way::Beside) => EngineError {
                    kind: ErrorKind::Other,
                    ..e.during("committing, so that nobody knows whether the rows are in")
                },
                _ => e,
            })?;
            Ok(loaded)
        }
        Err(e) => {
            if !e.is_connection_lost() && e.kind != ErrorKind::Cancelled {
                let _ = client.execute("ROLLBACK");
            }
            Err(e)
        }
    }
}

fn transaction(client: &mut Client, data: Data<'_>, way: Way, standard_strings: bool) -> Result<Loaded> {
    let mut copy = bytes(&data.entry.copy).to_vec();
    if way == Way::Alone {
        client.execute([b"TRUNCATE TABLE ONLY ".as_slice(), &qualified(data.entry)].concat())?;
        copy = with_freeze(&copy).unwrap_or(copy);
    }
    if copy.is_empty() {
        sql_text(client, data, standard_strings)?;
        return Ok(Loaded { fingerprint: None });
    }
    let mut hasher = RowHasher::new();
    let mut mark = EndMark::default();
    let mut to_server = client.copy_in(&copy)?;
    let sent = data.pieces(|piece| {
        mark.pass(piece, |rows| {
            hasher.update(rows);
            to_server.write(rows)
        })?;
        Progress::add(&data.progress.bytes, piece.len() as u64);
        Ok(())
    });
    let sent = sent.and_then(|()| {
        let last = mark.end().ok_or_else(|| damaged("its rows stop without an end mark".into()))?;
        hasher.update(last);
        to_server.write(last)
    });
    match sent {
        Ok(()) => to_server.finish()?,
        Err(e) if e.is_connection_lost() || e.kind == ErrorKind::Cancelled => {
            return Err(e);
        }
        Err(e) if e.sqlstate.is_some() => return Err(e),
        Err(e) => {
            to_server.fail(&e.why)?;
            return Err(e);
        }
    }
    let fingerprint = hasher.finish();
    Progress::add(&data.progress.rows, fingerprint.rows);
    Ok(Loaded { fingerprint: Some(fingerprint) })
}

/// Runs data that is SQL text in the present transaction or without one.
pub(super) fn sql_text(client: &mut Client, data: Data<'_>, standard_strings: bool) -> Result<()> {
    let mut splitter = Splitter::new(standard_strings);
    data.pieces(|piece| {
        splitter.push(piece);
        Progress::add(&data.progress.bytes, piece.len() as u64);
        splitter.take(SQL_BATCH).map_or(Ok(()), |sql| client.execute(sql))
    })?;
    if let Some(sql) = splitter.take(1) {
        client.execute(sql)?;
    }
    if splitter.is_at_end() { Ok(()) } else { Err(damaged("its SQL text stops within a statement".into())) }
}

/// Fills the entry's large objects, which exist already, in one transaction.
pub(super) fn blobs(session: &mut Session, data: Data<'_>, state: &State) -> Result<Fingerprint> {
    let client = &mut session.client;
    client.execute("BEGIN")?;
    let mut total = Fingerprint::default();
    let filled = data.with_block(BlockKind::Blobs, |mut block| {
        let mut piece = vec![0; PUT];
        while let Some(oid) = block.next_blob()? {
            let mut plain = decoder(data.compression, &mut block)?;
            let mut hash = xxhash_rust::xxh3::Xxh3::new();
            let mut length = 0u64;
            loop {
                let n = fill(&mut plain, &mut piece)?;
                if n == 0 {
                    break;
                }
                hash.update(&piece[..n]);
                put(client, oid, length, &piece[..n]).map_err(|e| e.during(format!("large object {oid}")))?;
                length += n as u64;
                Progress::add(&data.progress.bytes, n as u64);
            }
            total += large_object(oid, length, hash.digest128());
        }
        Ok(())
    });
    match filled {
        Ok(()) => {
            let mark = state.mark(data.entry.id, Step::Whole, Some(&total));
            client.execute([mark.as_slice(), b"COMMIT"].concat())?;
            Ok(total)
        }
        Err(e) => {
            if !e.is_connection_lost() && e.kind != ErrorKind::Cancelled {
                let _ = client.execute("ROLLBACK");
            }
            Err(e)
        }
    }
}

fn damaged(why: String) -> EngineError {
    EngineError::new(ErrorKind::Archive, "reading its data", why)
        .hint("the archive is cut short or damaged: fetch it again, or take another backup")
}

/// For messages about the entry.
pub(super) fn during(entry: &Entry) -> String {
    format!("restoring {}", display(entry))
}
