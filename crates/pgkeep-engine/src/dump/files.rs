//! An archive in the directory format: each piece is a file, written by whoever reads it.

use std::sync::atomic::{AtomicU64, Ordering};

use pgkeep_archive::{
    BlockKind, Compression, Compressor, DumpId, Layout, TOC_FILE, large_object_file, large_object_line,
};

use super::sink::{Output, PieceSink};
use super::{DirectoryTarget, ObjectTarget};
use crate::cancel::Cancel;
use crate::error::{EngineError, Result};
use crate::large_objects::Objects;

/// Compressed bytes that are handed on at a time.
const CHUNK: usize = 256 << 10;

/// See the module.
pub(crate) struct Files<'a> {
    target: &'a dyn DirectoryTarget,
    layout: Layout,
    compression: Compression,
    written: AtomicU64,
    cancel: Cancel,
}

impl<'a> Files<'a> {
    /// The layout is one for files.
    pub(crate) fn begin(
        target: &'a dyn DirectoryTarget,
        layout: Layout,
        compression: Compression,
        cancel: Cancel,
    ) -> Files<'a> {
        Files { target, layout, compression, written: AtomicU64::new(0), cancel }
    }

    fn create(&self, name: &str, expected: u64) -> Result<File<'_>> {
        self.cancel.check()?;
        let mut target = self.target.create(name)?;
        target.begin(0, expected)?;
        Ok(File { target, files: self })
    }

    /// A small file, as it is.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut file = self.create(name, bytes.len() as u64)?;
        file.write(bytes)?;
        file.finish()
    }
}

/// A file under way. Dropped without [`File::finish`] it does not come to be.
struct File<'f> {
    target: Box<dyn ObjectTarget + 'f>,
    files: &'f Files<'f>,
}

impl File<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.files.cancel.check()?;
        self.files.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.target.write(bytes)
    }

    fn finish(mut self) -> Result<()> {
        self.target.finish(Vec::new())
    }
}

impl Output for Files<'_> {
    fn compressor(&self, compression: Compression) -> Result<Compressor> {
        Ok(Compressor::for_files(compression)?)
    }

    fn first_id(&self, piece: usize) -> DumpId {
        self.layout.pieces()[piece].id
    }

    fn fresh_id(&self) -> Result<DumpId> {
        // A file is written again under its own name.
        Err(EngineError::cancelled())
    }

    fn begin<'w>(
        &'w self,
        compressor: &'w mut Compressor,
        piece: usize,
        _id: DumpId,
        kind: BlockKind,
        bytes: u64,
    ) -> Box<dyn PieceSink + 'w> {
        let name = self.layout.file_of(&self.layout.pieces()[piece]);
        let list = (kind == BlockKind::Blobs).then(String::new);
        Box::new(PieceFile { files: self, compressor, name, list, bytes, file: None, packed: Vec::new() })
    }

    fn fail(&self) {
        self.cancel.raise();
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        // Last, so that nothing that looks like an archive lacks a part.
        self.put(TOC_FILE, &self.layout.head_unplaced()?)?;
        Ok(self.written.load(Ordering::Relaxed))
    }
}

struct PieceFile<'w> {
    files: &'w Files<'w>,
    compressor: &'w mut Compressor,
    /// Of the piece's rows, or of its list of large objects.
    name: String,
    /// The list so far, for large objects.
    list: Option<String>,
    bytes: u64,
    /// What is being written: created with its first bytes.
    file: Option<File<'w>>,
    packed: Vec<u8>,
}

impl<'w> PieceFile<'w> {
    fn open(&mut self, name: &str) -> Result<&mut File<'w>> {
        let name = format!("{name}{}", self.files.compression.algorithm.file_suffix());
        let file = self.files.create(&name, self.bytes)?;
        Ok(self.file.insert(file))
    }

    fn flush(&mut self) -> Result<()> {
        if self.file.is_none() {
            let name = self.name.clone();
            self.open(&name)?;
        }
        if let Some(file) = &mut self.file {
            file.write(&self.packed)?;
        }
        self.packed.clear();
        Ok(())
    }

    /// Ends the file under way.
    fn end_file(&mut self) -> Result<()> {
        self.compressor.finish(&mut self.packed)?;
        self.flush()?;
        self.file.take().map_or(Ok(()), File::finish)
    }
}

impl Objects for PieceFile<'_> {
    fn begin(&mut self, oid: u32) -> Result<()> {
        if let Some(list) = &mut self.list {
            list.push_str(&large_object_line(oid));
        }
        self.open(&large_object_file(oid)).map(drop)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() { Ok(()) } else { self.write(bytes) }
    }

    fn end(&mut self) -> Result<()> {
        self.end_file()
    }
}

impl PieceSink for PieceFile<'_> {
    fn write(&mut self, text: &[u8]) -> Result<()> {
        self.compressor.write(text, &mut self.packed)?;
        if self.packed.len() < CHUNK { Ok(()) } else { self.flush() }
    }

    fn input_size(&self) -> usize {
        self.compressor.input_size()
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        match self.list.take() {
            None => self.end_file(),
            Some(list) => self.files.put(&self.name, list.as_bytes()),
        }
    }

    fn abandon(self: Box<Self>) -> Result<bool> {
        self.compressor.reset()?;
        Ok(false)
    }
}
