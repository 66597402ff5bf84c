//! From an archive to any format.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use pgkeep_archive::{
    Algorithm, ArchiveError, BlockKind, BlockReader, Compression, Compressor, Entry, Layout, Offset,
    OffsetMode, Piece, decoder,
};

use super::{ConvertOptions, Converted};
use crate::cancel::Cancel;
use crate::dump::{DumpTarget, Format, Output, PIECE_MEMORY, ScriptTexts, begin_output, offset_mode};
use crate::error::{EngineError, ErrorKind, Result};
use crate::progress::{Phase, Progress};
use crate::restore::RestoreSource;
use crate::restore::places::{self, Place};
use crate::restore::read_ahead::ReadAhead;

/// Writes an archive in another format, or with another compression: what pgkeep itself would have written of the same
/// schema and rows. A script is the one that `pg_restore -f -` would make of it.
///
/// Streams: memory for some pieces, whatever the archive's size.
///
/// # Errors
/// `Archive` where the archive is damaged, the target's own. Nothing was finished then.
pub fn convert(
    source: &RestoreSource<'_>,
    options: &ConvertOptions,
    target: DumpTarget<'_>,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<Converted> {
    progress.enter(Phase::Data);
    let compression = options.compression.unwrap_or(source.toc.header.compression.into());
    let mode = offset_mode(&target, options.format)?;
    let mut toc = source.toc.clone();
    // Stock reads nothing for such an entry, whatever else it says.
    toc.entries.iter_mut().filter(|e| e.offset == Offset::NoData).for_each(|e| e.has_data = false);
    let layout = Layout::new(toc, &[], 0, compression, mode)?;
    let texts = match options.format {
        Format::Plain => Some(ScriptTexts::new(&layout, compression)?),
        Format::Custom | Format::Directory => None,
    };
    let places = places::find(source)?;
    let mut work = Vec::with_capacity(layout.pieces().len());
    for piece in layout.pieces() {
        let missing = || damaged("its data is missing".into());
        let entry = source.toc.entry(piece.entry).ok_or_else(missing)?;
        let place = places.get(&piece.entry).copied();
        let place = place.ok_or_else(|| missing().during(entry.display()))?;
        work.push(Work { piece: piece.clone(), entry, place });
    }
    if mode != OffsetMode::Unknown {
        // Largest first, so that the end is not one thread's; scripts and pipes are written in order.
        work.sort_by_key(|w| std::cmp::Reverse(w.place.len()));
    }
    // Compressed text hardly ever grows tenfold when it is unpacked, nor to its double under another codec.
    let factor = if compression.algorithm == Algorithm::None { 10 } else { 2 };
    let expected = source.archive.len().unwrap_or(0).saturating_mul(factor);
    let stop = cancel.child();
    let output = begin_output(target, layout, texts, compression, expected, PIECE_MEMORY, stop.clone())?;
    let carrier = Carrier { source, compression, factor, output: &*output, progress, cancel: &stop };
    let carried = carrier.all(&work, options.jobs.clamp(1, work.len().max(1)));
    // What was being read when the run was asked to stop is not damaged.
    cancel.check()?;
    carried?;
    progress.enter(Phase::Finishing);
    Ok(Converted { len: output.finish()?, compression })
}

/// One entry's data on its way.
struct Work<'t> {
    piece: Piece,
    entry: &'t Entry,
    place: Place,
}

struct Carrier<'c> {
    source: &'c RestoreSource<'c>,
    compression: Compression,
    /// How much larger data can become.
    factor: u64,
    output: &'c dyn Output,
    progress: &'c Progress,
    cancel: &'c Cancel,
}

impl Carrier<'_> {
    fn all(&self, work: &[Work<'_>], jobs: usize) -> Result<()> {
        let next = AtomicUsize::new(0);
        let first_error = Mutex::new(None);
        thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    if let Err(e) = self.some(work, &next) {
                        let mut first = first_error.lock().unwrap_or_else(PoisonError::into_inner);
                        // What fails after the first failure is its echo.
                        first.get_or_insert(e);
                        self.output.fail();
                        self.cancel.raise();
                    }
                });
            }
        });
        first_error.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    /// Carries until nothing is left.
    fn some(&self, work: &[Work<'_>], next: &AtomicUsize) -> Result<()> {
        let mut compressor = self.output.compressor(self.compression)?;
        while let Some(one) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            self.cancel.check()?;
            self.carry(one, &mut compressor).map_err(|e| e.during(one.entry.display()))?;
        }
        Ok(())
    }

    fn carry(&self, work: &Work<'_>, compressor: &mut Compressor) -> Result<()> {
        let codec = self.source.toc.header.compression;
        let Work { piece, entry, place } = work;
        thread::scope(|scope| {
            let ahead = ReadAhead::begin(scope, self.source.archive, *place, self.progress);
            let mut block = BlockReader::open_at(ahead, place.from)?;
            if block.id() != entry.id || block.kind() != piece.kind {
                let found = block.id();
                return Err(damaged(format!("at byte {} stands the data of entry {found}", place.from)));
            }
            let bytes = place.len().saturating_mul(self.factor);
            let mut sink = self.output.begin(compressor, piece.index, piece.id, piece.kind, bytes);
            let mut buffer = vec![0; sink.input_size()];
            if piece.kind == BlockKind::Data {
                self.pass(&mut decoder(codec, &mut block)?, &mut buffer, |text| sink.write(text))?;
            }
            while let Some(oid) = block.next_blob()? {
                sink.begin(oid)?;
                self.pass(&mut decoder(codec, &mut block)?, &mut buffer, |bytes| sink.bytes(bytes))?;
                sink.end()?;
            }
            sink.finish()
        })
    }

    /// Hands everything on in pieces as large as the buffer.
    fn pass(
        &self,
        from: &mut dyn Read,
        buffer: &mut [u8],
        mut to: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        loop {
            self.cancel.check()?;
            let n = fill(from, buffer)?;
            if n == 0 {
                return Ok(());
            }
            Progress::add(&self.progress.bytes, n as u64);
            to(&buffer[..n])?;
        }
    }
}

/// Reads until the buffer is full or the data ends.
pub(crate) fn fill(from: &mut (impl Read + ?Sized), buf: &mut [u8]) -> Result<usize> {
    let mut have = 0;
    while have < buf.len() {
        match from.read(&mut buf[have..]) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => {
                return Err(match e.downcast::<ArchiveError>() {
                    Ok(e) => e.into(),
                    Err(e) => damaged(e.to_string()),
                });
            }
        }
    }
    Ok(have)
}

fn damaged(why: String) -> EngineError {
    EngineError::new(ErrorKind::Archive, "reading its data", why)
        .hint("the archive is cut short or damaged: fetch it again, or take another backup")
}
