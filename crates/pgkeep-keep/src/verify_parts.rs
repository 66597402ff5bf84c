//! A stored archive's bytes in order, fetched ahead of whoever reads them, and compared with the manifest's hashes.

use std::io::{self, Read};
use std::sync::Arc;

use pgkeep_archive::{RangeReader, ReadAt};
use pgkeep_store::{Store, StoreError};

use crate::encryption::is_sealed;
use crate::error::KeepError;
use crate::manifest::Manifest;
use crate::object::{StoredArchive, directory_of};
use crate::verify::check_part;

/// Bytes asked of the store at a time where there is no manifest to name a part size.
const DEFAULT_PART: u64 = 8 << 20;
/// Ranges that are read at the same time ahead of the one thread that unpacks them.
pub(crate) const READERS: usize = 4;
/// Bytes of parts that are held at most, whatever their size; a single part always is.
const HELD: u64 = 256 << 20;

/// How many ranges of this size are read at the same time: as many as are wished and fit into memory, where each reader
/// holds one that is done and one under way.
pub(crate) fn readers(wished: usize, part: u64) -> usize {
    let fit = usize::try_from(HELD / part.max(1).saturating_mul(2)).unwrap_or(usize::MAX);
    wished.min(fit).max(1)
}

/// The object's bytes from the first to the last, fetched part by part ahead of the reader; each part's hash is
/// checked against the manifest on the fetching thread.
pub(crate) struct Parts<'t> {
    /// One for each fetching thread. They take turns, so that parts come in order.
    parts: Vec<crossbeam_channel::Receiver<Fetched>>,
    turn: usize,
    current: bytes::Bytes,
    position: u64,
    size: u64,
    tick: &'t mut (dyn FnMut(u64) -> bool + Send),
    pub(crate) wrong: Option<String>,
    pub(crate) failed: Option<KeepError>,
}

enum Fetched {
    Part(bytes::Bytes),
    Wrong(String),
    Failed(KeepError),
}

impl<'t> Parts<'t> {
    fn new(
        store: &Store,
        key: &str,
        size: u64,
        part: u64,
        manifest: Option<&Manifest>,
        tick: &'t mut (dyn FnMut(u64) -> bool + Send),
    ) -> Self {
        let hashes = manifest.map(|m| m.object.parts.clone());
        let (store, key) = (store.clone(), key.to_owned());
        let fetch = move |i, from, to| match store.get_range(&key, from..to) {
            Err(e) => Fetched::Failed(e.into()),
            Ok(bytes) => match hashes.as_deref().map(|h| check_part(i, from, &bytes, h)) {
                Some(Err(why)) => Fetched::Wrong(why),
                _ => Fetched::Part(bytes),
            },
        };
        Parts::fetched_by(fetch, size, part, readers(READERS, part), tick)
    }

    /// The archive from its first byte to its last.
    pub(crate) fn of(
        store: &Store,
        key: &str,
        archive: &Arc<StoredArchive>,
        manifest: Option<&Manifest>,
        tick: &'t mut (dyn FnMut(u64) -> bool + Send),
    ) -> Self {
        if is_sealed(key) || directory_of(key).is_some() {
            return Parts::of_archive(archive.clone(), tick);
        }
        let part = manifest.map_or(DEFAULT_PART, |m| m.object.part_size.max(1));
        Parts::new(store, key, archive.size(), part, manifest, tick)
    }

    /// A directory, or what is encrypted, as one archive; the archive itself checks what it reads.
    fn of_archive(archive: Arc<StoredArchive>, tick: &'t mut (dyn FnMut(u64) -> bool + Send)) -> Self {
        let size = archive.len().unwrap_or(0);
        let fetch = move |_, from, to: u64| {
            let mut bytes = vec![0; usize::try_from(to - from).unwrap_or(0)];
            match RangeReader::new(&archive, from).read_exact(&mut bytes) {
                Ok(()) => Fetched::Part(bytes.into()),
                Err(e) => match e.downcast::<KeepError>() {
                    Ok(e) => Fetched::Failed(e),
                    Err(e) => match e.downcast::<StoreError>() {
                        Ok(e) => Fetched::Failed(e.into()),
                        Err(e) => Fetched::Wrong(e.to_string()),
                    },
                },
            }
        };
        // One by one: the archive keeps the part at hand that it read last.
        Parts::fetched_by(fetch, size, DEFAULT_PART, 1, tick)
    }

    /// `fetch` is given the part's number, its begin and its end, on each of several threads.
    fn fetched_by(
        fetch: impl Fn(usize, u64, u64) -> Fetched + Send + Sync + 'static,
        size: u64,
        part: u64,
        threads: usize,
        tick: &'t mut (dyn FnMut(u64) -> bool + Send),
    ) -> Self {
        let step = usize::try_from(part).unwrap_or(usize::MAX);
        let fetch = Arc::new(fetch);
        let parts = (0..threads)
            .map(|thread| {
                let (send, parts) = crossbeam_channel::bounded(1);
                let fetch = fetch.clone();
                std::thread::spawn(move || {
                    for (i, from) in (0..size).step_by(step).enumerate().skip(thread).step_by(threads) {
                        let fetched = fetch(i, from, size.min(from.saturating_add(part)));
                        let last = !matches!(fetched, Fetched::Part(_));
                        if send.send(fetched).is_err() || last {
                            return;
                        }
                    }
                });
                parts
            })
            .collect();
        Parts {
            parts,
            turn: 0,
            current: bytes::Bytes::new(),
            position: 0,
            size,
            tick,
            wrong: None,
            failed: None,
        }
    }

    /// The offset of the next byte.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> u64 {
        self.size.saturating_sub(self.position)
    }
}

impl Read for Parts<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            // Where one thread's turn brings nothing there is no later part either.
            let Some(Ok(fetched)) = self.parts.get(self.turn).map(|p| p.recv()) else { return Ok(0) };
            self.turn = (self.turn + 1) % self.parts.len();
            match fetched {
                Fetched::Part(p) => {
                    if !(self.tick)(p.len() as u64) {
                        self.failed = Some(KeepError::Cancelled);
                        return Err(io::Error::other("stopped"));
                    }
                    self.current = p;
                }
                Fetched::Wrong(why) => {
                    self.wrong = Some(why);
                    return Err(io::Error::other("a part is wrong"));
                }
                Fetched::Failed(e) => {
                    self.failed = Some(e);
                    return Err(io::Error::other("a part could not be read"));
                }
            }
        }
        let n = buf.len().min(self.current.len());
        buf[..n].copy_from_slice(&self.current[..n]);
        let _ = self.current.split_to(n);
        self.position += n as u64;
        Ok(n)
    }
}
