//! Turns a piece's text into its archive block, or into its stretch of a script: compresses, cuts into chunks, holds it
//! in memory up to a bound and streams beyond.

use pgkeep_archive::{
    BlockKind, Compressor, DumpId, LargeObjectText, begin_block, end_blobs, end_block, push_blob_end,
    push_blob_start, push_chunk_head,
};

use super::output::{Block, OneFile, Stream};
use super::sink::PieceSink;
use crate::error::Result;
use crate::large_objects::Objects;

/// Compressed bytes of one chunk; also the unit in which memory is taken.
const CHUNK: usize = 256 << 10;

pub(super) struct PieceWriter<'w, 'o, 'a> {
    output: &'o OneFile<'a>,
    compressor: &'w mut Compressor,
    piece: usize,
    id: DumpId,
    kind: BlockKind,
    /// Large objects as statements, in a script.
    objects: Option<LargeObjectText>,
    /// Statements that wait to be compressed.
    statements: Vec<u8>,
    block: Block,
    stream: Option<Stream<'o, 'a>>,
    /// Compressed bytes of the chunk in the making.
    chunk: Vec<u8>,
    in_blob: bool,
    bound: usize,
}

impl<'w, 'o, 'a> PieceWriter<'w, 'o, 'a> {
    pub(super) fn begin(
        output: &'o OneFile<'a>,
        compressor: &'w mut Compressor,
        piece: usize,
        id: DumpId,
        kind: BlockKind,
        bound: usize,
    ) -> Self {
        let mut block = Block::default();
        if !output.is_script() {
            let mut head = Vec::new();
            begin_block(kind, id, &mut head);
            block.push(head);
        }
        PieceWriter {
            output,
            compressor,
            piece,
            id,
            kind,
            objects: output.object_text(),
            statements: Vec::new(),
            block,
            stream: None,
            chunk: output.buffer(),
            in_blob: false,
            bound,
        }
    }

    fn flush_statements(&mut self) -> Result<()> {
        if self.statements.is_empty() {
            return Ok(());
        }
        let text = std::mem::take(&mut self.statements);
        self.write(&text)
    }

    fn flush_chunk(&mut self) -> Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, self.output.buffer());
        if self.objects.is_some() {
            return self.put(chunk);
        }
        let mut head = Vec::new();
        // Length and bytes as two parts: a chunk is not copied to be framed.
        push_chunk_head(&mut head, chunk.len());
        self.put(head)?;
        self.put(chunk)
    }

    fn put(&mut self, bytes: Vec<u8>) -> Result<()> {
        if let Some(stream) = &mut self.stream {
            stream.write(&bytes)?;
            self.output.recycle(bytes);
            return Ok(());
        }
        self.block.push(bytes);
        if self.block.len > self.bound {
            let mut stream = self.output.stream(self.piece, self.id)?;
            for part in std::mem::take(&mut self.block).parts {
                stream.write(&part)?;
            }
            self.stream = Some(stream);
        }
        Ok(())
    }
}

impl Objects for PieceWriter<'_, '_, '_> {
    fn begin(&mut self, oid: u32) -> Result<()> {
        if let Some(text) = &mut self.objects {
            text.begin(oid, &mut self.statements);
            return Ok(());
        }
        let mut out = Vec::new();
        push_blob_start(&mut out, oid);
        self.in_blob = true;
        self.put(out)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let Some(text) = &mut self.objects else { return self.write(bytes) };
        text.bytes(bytes, &mut self.statements);
        if self.statements.len() < self.compressor.input_size() { Ok(()) } else { self.flush_statements() }
    }

    fn end(&mut self) -> Result<()> {
        if let Some(text) = &mut self.objects {
            text.end(&mut self.statements);
            return Ok(());
        }
        self.compressor.finish(&mut self.chunk)?;
        self.flush_chunk()?;
        let mut out = Vec::new();
        push_blob_end(&mut out);
        self.in_blob = false;
        self.put(out)
    }
}

impl PieceSink for PieceWriter<'_, '_, '_> {
    fn write(&mut self, text: &[u8]) -> Result<()> {
        self.compressor.write(text, &mut self.chunk)?;
        if self.chunk.len() >= CHUNK || self.compressor.makes_frames() { self.flush_chunk() } else { Ok(()) }
    }

    fn input_size(&self) -> usize {
        self.compressor.input_size()
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.flush_statements()?;
        if self.kind == BlockKind::Data || self.objects.is_some() {
            self.compressor.finish(&mut self.chunk)?;
            self.flush_chunk()?;
        }
        if self.objects.is_none() {
            let mut out = Vec::new();
            match self.kind {
                BlockKind::Data => end_block(&mut out),
                BlockKind::Blobs => end_blobs(&mut out),
            }
            self.put(out)?;
        }
        self.output.recycle(std::mem::take(&mut self.chunk));
        match self.stream.take() {
            Some(stream) => stream.end(),
            None => self.output.submit(self.piece, self.id, std::mem::take(&mut self.block)),
        }
    }

    /// What is in the archive already stays as a dead block that readers skip.
    fn abandon(mut self: Box<Self>) -> Result<bool> {
        self.compressor.reset()?;
        let Some(mut stream) = self.stream.take() else { return Ok(false) };
        if self.objects.is_some() {
            return Ok(true);
        }
        let mut out = Vec::new();
        match self.kind {
            BlockKind::Data => end_block(&mut out),
            BlockKind::Blobs => {
                if self.in_blob {
                    push_blob_end(&mut out);
                }
                end_blobs(&mut out);
            }
        }
        stream.write(&out)?;
        Ok(true)
    }
}
