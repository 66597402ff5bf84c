//! From one format to another, without a database.

use std::io::Read;
use std::thread;

use pgkeep_archive::{
    Algorithm, BlockKind, BlockReader, Compression, Compressor, Entry, LargeObjectText, ScriptPart, decoder,
    script,
};

use crate::cancel::Cancel;
use crate::dump::DumpTarget;
use crate::error::{EngineError, ErrorKind, Result};
use crate::progress::{Phase, Progress};
use crate::restore::RestoreSource;
use crate::restore::places::{self, Place};
use crate::restore::read_ahead::ReadAhead;
use crate::restrict_key::restrict_key;

/// Plain bytes taken from the decoder at a time.
const PIECE: usize = 256 << 10;

/// Writes an archive as the script that `pg_restore -f -` would make of it, and gives the script's bytes as written.
///
/// Streams: memory for some pieces, whatever the archive's size.
///
/// # Errors
/// `Archive` where the archive is damaged, the target's own. Nothing was finished then.
pub fn to_script(
    source: &RestoreSource<'_>,
    compression: Compression,
    target: DumpTarget<'_>,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<u64> {
    progress.enter(Phase::Data);
    let toc = &source.toc;
    let places = places::find(source)?;
    let archive_len = source.archive.len().unwrap_or(0);
    // Compressed text hardly ever grows tenfold when it is unpacked, nor to its double under another codec.
    let factor = if compression.algorithm == Algorithm::None { 10 } else { 2 };
    let mut out = Out::begin(target, compression, archive_len.saturating_mul(factor))?;
    for part in script(toc, &restrict_key()?) {
        cancel.check()?;
        match part {
            ScriptPart::Text(text) => out.write(&text)?,
            ScriptPart::Data(id) => {
                let (Some(entry), Some(place)) = (toc.entry(id), places.get(&id)) else { continue };
                let mut text = Text { source, out: &mut out, progress, cancel };
                text.data(entry, *place).map_err(|e| e.during(entry.display()))?;
            }
        }
    }
    progress.enter(Phase::Finishing);
    out.finish()
}

/// Data of entries on its way into the script.
struct Text<'t, 's, 'o> {
    source: &'t RestoreSource<'s>,
    out: &'t mut Out<'o>,
    progress: &'t Progress,
    cancel: &'t Cancel,
}

impl Text<'_, '_, '_> {
    fn data(&mut self, entry: &Entry, place: Place) -> Result<()> {
        let codec = self.source.toc.header.compression;
        let (archive, progress) = (self.source.archive, self.progress);
        thread::scope(|scope| {
            let mut block =
                BlockReader::open_at(ReadAhead::begin(scope, archive, place, progress), place.from)?;
            if block.id() != entry.id {
                return Err(damaged(format!(
                    "at byte {} stands the data of entry {}",
                    place.from,
                    block.id()
                )));
            }
            if block.kind() == BlockKind::Data {
                return self.pass(&mut decoder(codec, &mut block)?, |out, bytes| out.write(bytes));
            }
            let mut objects = LargeObjectText::new(self.source.toc.standard_strings());
            let mut sql = Vec::new();
            while let Some(oid) = block.next_blob()? {
                objects.begin(oid, &mut sql);
                self.pass(&mut decoder(codec, &mut block)?, |out, bytes| {
                    objects.bytes(bytes, &mut sql);
                    out.write(&sql)?;
                    sql.clear();
                    Ok(())
                })?;
                objects.end(&mut sql);
            }
            self.out.write(&sql)
        })
    }

    fn pass(
        &mut self,
        from: &mut dyn Read,
        mut to: impl FnMut(&mut Out<'_>, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            self.cancel.check()?;
            let n = from.read(&mut piece).map_err(|e| damaged(e.to_string()))?;
            if n == 0 {
                return Ok(());
            }
            Progress::add(&self.progress.bytes, n as u64);
            to(self.out, &piece[..n])?;
        }
    }
}

fn damaged(why: String) -> EngineError {
    EngineError::new(ErrorKind::Archive, "reading its data", why)
        .hint("the archive is cut short or damaged: fetch it again, or take another backup")
}

/// The script being written: text gathered, compressed, handed to the target.
struct Out<'a> {
    target: DumpTarget<'a>,
    compressor: Compressor,
    text: Vec<u8>,
    packed: Vec<u8>,
    len: u64,
}

impl<'a> Out<'a> {
    fn begin(mut target: DumpTarget<'a>, compression: Compression, expected: u64) -> Result<Out<'a>> {
        if let DumpTarget::Object(object) = &mut target {
            object.begin(0, expected)?;
        }
        let compressor = Compressor::for_files(compression)?;
        Ok(Out { target, compressor, text: Vec::new(), packed: Vec::new(), len: 0 })
    }

    fn write(&mut self, text: &[u8]) -> Result<()> {
        self.text.extend_from_slice(text);
        if self.text.len() < self.compressor.input_size() { Ok(()) } else { self.pack() }
    }

    fn pack(&mut self) -> Result<()> {
        self.compressor.write(&self.text, &mut self.packed)?;
        self.text.clear();
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        self.len += self.packed.len() as u64;
        match &mut self.target {
            DumpTarget::Object(object) => object.write(&self.packed)?,
            DumpTarget::Pipe(pipe) => pipe.write_all(&self.packed).map_err(pipe_error)?,
        }
        self.packed.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<u64> {
        self.pack()?;
        self.compressor.finish(&mut self.packed)?;
        self.flush()?;
        match self.target {
            DumpTarget::Object(object) => object.finish(Vec::new())?,
            DumpTarget::Pipe(pipe) => pipe.flush().map_err(pipe_error)?,
        }
        Ok(self.len)
    }
}

fn pipe_error(e: std::io::Error) -> EngineError {
    EngineError::new(ErrorKind::Store, "writing the script to the pipe", e.to_string())
}
