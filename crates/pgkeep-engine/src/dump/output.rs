//! The single place through which pieces reach the archive: keeps each piece's block in one run of bytes, and the
//! memory of waiting pieces bounded.
//!
//! A finished piece is written at once if nobody writes, else it waits in memory. A piece that outgrows its
//! worker's memory takes the output for itself and streams until it ends. For a pipe and in a script, pieces go in order.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pgkeep_archive::{BlockKind, Compression, Compressor, DumpId, LargeObjectText, Layout, Placed};

use super::piece_writer::PieceWriter;
use super::script::ScriptTexts;
use super::sink::{Output, PieceSink};
use super::{DumpTarget, ObjectTarget, not_one_file};
use crate::cancel::Cancel;
use crate::error::{EngineError, ErrorKind, Result};

/// Compressed bytes of a piece, in the chunks in which they were produced.
#[derive(Default)]
pub(super) struct Block {
    pub(super) parts: Vec<Vec<u8>>,
    pub(super) len: usize,
}

impl Block {
    pub(super) fn push(&mut self, part: Vec<u8>) {
        self.len += part.len();
        self.parts.push(part);
    }
}

/// Buffers of chunks that were written, for the next ones: fresh memory costs a page fault every 4 KiB.
#[derive(Default)]
struct Spare(Mutex<Vec<Vec<u8>>>);

impl Spare {
    /// Bytes that may lie idle.
    const BOUND: usize = 8 << 20;
    /// What is smaller comes cheap from the allocator.
    const SMALL: usize = 32 << 10;

    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() < Self::SMALL {
            return;
        }
        buffer.clear();
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.iter().map(Vec::capacity).sum::<usize>() + buffer.capacity() <= Self::BOUND {
            idle.push(buffer);
        }
    }
}

enum Sink<'a> {
    Object(&'a mut dyn ObjectTarget),
    Pipe(&'a mut (dyn Write + Send)),
}

/// What may write to the sink; taken out of the state by whoever writes.
struct Writer<'a> {
    sink: Sink<'a>,
    position: u64,
    placed: Vec<Placed>,
    /// What stands between the pieces of a script.
    texts: Option<ScriptTexts>,
}

impl Writer<'_> {
    /// Writes what stands before a piece.
    fn begin(&mut self, piece: usize) -> Result<()> {
        match self.texts.as_mut().and_then(|t| t.before.remove(&piece)) {
            Some(text) => self.write(&text),
            None => Ok(()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.position += bytes.len() as u64;
        match &mut self.sink {
            Sink::Object(o) => o.write(bytes),
            Sink::Pipe(p) => p.write_all(bytes).map_err(pipe_error),
        }
    }
}

struct State<'a> {
    writer: Option<Writer<'a>>,
    ready: BTreeMap<usize, (DumpId, Block)>,
    ready_bytes: usize,
    /// Index of the next piece to be written, where order matters.
    next: usize,
    layout: Layout,
    failed: bool,
}

/// See the module.
pub(crate) struct OneFile<'a> {
    state: Mutex<State<'a>>,
    changed: Condvar,
    spare: Spare,
    ordered: bool,
    /// For a script, its `standard_conforming_strings`.
    script: Option<bool>,
    /// Bytes of one piece that may wait in the memory of its worker.
    bound: usize,
    cancel: Cancel,
}

impl<'a> OneFile<'a> {
    /// Begins the archive, or with `texts` the script. `bound` is for the bytes of a piece in the making; finished
    /// pieces that wait may take twice of it, all together.
    pub(super) fn begin(
        target: DumpTarget<'a>,
        layout: Layout,
        texts: Option<ScriptTexts>,
        expected: u64,
        bound: usize,
        cancel: Cancel,
    ) -> Result<OneFile<'a>> {
        let script = texts.as_ref().map(|t| t.standard_strings);
        let head_len = if script.is_some() { 0 } else { layout.head_len() };
        let mut ordered = script.is_some();
        let sink = match target {
            DumpTarget::Object(o) => {
                o.begin(head_len, expected)?;
                Sink::Object(o)
            }
            DumpTarget::Directory(_) => return Err(not_one_file()),
            DumpTarget::Pipe(p) => {
                ordered = true;
                if script.is_none() {
                    p.write_all(&layout.head_unplaced()?).map_err(pipe_error)?;
                }
                Sink::Pipe(p)
            }
        };
        let writer = Some(Writer { sink, position: head_len, placed: Vec::new(), texts });
        let state = State { writer, ready: BTreeMap::new(), ready_bytes: 0, next: 0, layout, failed: false };
        let (state, changed, spare) = (Mutex::new(state), Condvar::new(), Spare::default());
        Ok(OneFile { state, changed, spare, ordered, script, bound, cancel })
    }

    /// Whether a script is written: pieces are then text without framing.
    pub(super) fn is_script(&self) -> bool {
        self.script.is_some()
    }

    /// What writes large objects into a script.
    pub(super) fn object_text(&self) -> Option<LargeObjectText> {
        self.script.map(LargeObjectText::new)
    }

    /// An empty buffer for a chunk, used before where there is one.
    pub(super) fn buffer(&self) -> Vec<u8> {
        self.spare.take()
    }

    /// Takes back a buffer whose bytes were written.
    pub(super) fn recycle(&self, buffer: Vec<u8>) {
        self.spare.give(buffer);
    }

    /// Hands over a finished piece. Returns once it is written or waits within the bound.
    pub(super) fn submit(&self, piece: usize, id: DumpId, block: Block) -> Result<()> {
        let mut state = self.lock();
        loop {
            self.check(&state)?;
            let turn = !self.ordered || state.next == piece;
            if turn && state.writer.is_some() {
                state.ready_bytes += block.len;
                state.ready.insert(piece, (id, block));
                return self.drain(state);
            }
            if state.ready_bytes + block.len <= self.bound * 2 {
                state.ready_bytes += block.len;
                state.ready.insert(piece, (id, block));
                return Ok(());
            }
            state = self.wait(state);
        }
    }

    /// Takes the output for one piece that does not fit into memory; waits for its turn.
    pub(super) fn stream(&self, piece: usize, id: DumpId) -> Result<Stream<'_, 'a>> {
        let mut state = self.lock();
        loop {
            self.check(&state)?;
            if (!self.ordered || state.next == piece)
                && let Some(writer) = state.writer.take()
            {
                drop(state);
                let start = writer.position;
                let mut stream = Stream { output: self, writer: Some(writer), piece, id, start };
                if let Some(w) = &mut stream.writer {
                    w.begin(piece)?;
                }
                return Ok(stream);
            }
            state = self.wait(state);
        }
    }

    /// Writes what is ready, then gives the writer back.
    fn drain<'s>(&'s self, mut state: MutexGuard<'s, State<'a>>) -> Result<()> {
        let Some(mut writer) = state.writer.take() else { return Ok(()) };
        loop {
            let due = if self.ordered { Some(state.next) } else { state.ready.keys().next().copied() };
            let Some((piece, (id, block))) = due.and_then(|p| state.ready.remove_entry(&p)) else {
                state.writer = Some(writer);
                self.changed.notify_all();
                return Ok(());
            };
            drop(state);
            let offset = writer.position;
            let len = block.len;
            let written = writer.begin(piece).and_then(|()| {
                block.parts.into_iter().try_for_each(|p| {
                    writer.write(&p)?;
                    self.recycle(p);
                    Ok(())
                })
            });
            writer.placed.push(Placed { piece, id, offset, len: writer.position - offset });
            state = self.lock();
            state.ready_bytes -= len;
            state.next += usize::from(self.ordered);
            if let Err(e) = written {
                state.failed = true;
                self.changed.notify_all();
                return Err(e);
            }
            self.changed.notify_all();
        }
    }

    fn check(&self, state: &State<'_>) -> Result<()> {
        self.cancel.check()?;
        if state.failed { Err(EngineError::cancelled()) } else { Ok(()) }
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&'s self, state: MutexGuard<'s, State<'a>>) -> MutexGuard<'s, State<'a>> {
        // With a limit, so that a raised cancel flag is seen.
        self.changed.wait_timeout(state, Duration::from_millis(300)).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Output for OneFile<'_> {
    fn compressor(&self, compression: Compression) -> Result<Compressor> {
        let new = if self.is_script() { Compressor::for_files } else { Compressor::new };
        Ok(new(compression)?)
    }

    fn first_id(&self, piece: usize) -> DumpId {
        self.lock().layout.pieces()[piece].id
    }

    fn fresh_id(&self) -> Result<DumpId> {
        if self.ordered {
            return Err(EngineError::new(
                ErrorKind::ConnectionLost,
                "writing in order",
                "the piece was partly written, and neither a pipe nor a script can take it again",
            )
            .hint("run the backup again, or write the custom format to a folder or bucket, where a piece can be read again"));
        }
        self.lock().layout.spare_id().ok_or_else(|| {
            EngineError::new(ErrorKind::ConnectionLost, "reading data", "too many connections were lost")
        })
    }

    fn begin<'w>(
        &'w self,
        compressor: &'w mut Compressor,
        piece: usize,
        id: DumpId,
        kind: BlockKind,
        _bytes: u64,
    ) -> Box<dyn PieceSink + 'w> {
        Box::new(PieceWriter::begin(self, compressor, piece, id, kind, self.bound))
    }

    fn fail(&self) {
        self.lock().failed = true;
        self.changed.notify_all();
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Some(mut writer) = state.writer.filter(|_| !state.failed && state.ready.is_empty()) else {
            return Err(EngineError::new(
                ErrorKind::Other,
                "finishing the archive",
                "a piece was not written",
            ));
        };
        if let Some(text) = writer.texts.as_mut().map(|t| std::mem::take(&mut t.last)) {
            writer.write(&text)?;
        }
        match writer.sink {
            Sink::Object(o) if self.script.is_some() => o.finish(Vec::new())?,
            Sink::Object(o) => {
                let head = state.layout.finish(&writer.placed, writer.position)?;
                o.finish(head)?;
            }
            Sink::Pipe(p) => p.flush().map_err(pipe_error)?,
        }
        Ok(writer.position)
    }
}

/// The output while one piece has it. Dropped without [`Stream::end`], what was written stays as a dead block.
pub(super) struct Stream<'o, 'a> {
    output: &'o OneFile<'a>,
    writer: Option<Writer<'a>>,
    piece: usize,
    id: DumpId,
    start: u64,
}

impl Stream<'_, '_> {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.writer {
            Some(w) => w.write(bytes),
            None => Err(EngineError::cancelled()),
        }
    }

    /// The block is whole.
    pub(super) fn end(mut self) -> Result<()> {
        if let Some(w) = &mut self.writer {
            w.placed.push(Placed {
                piece: self.piece,
                id: self.id,
                offset: self.start,
                len: w.position - self.start,
            });
        }
        self.give_back(true)
    }

    fn give_back(&mut self, whole: bool) -> Result<()> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let mut state = self.output.lock();
        state.next += usize::from(whole && self.output.ordered);
        state.writer = Some(writer);
        self.output.drain(state)
    }
}

impl Drop for Stream<'_, '_> {
    fn drop(&mut self) {
        let _ = self.give_back(false);
    }
}

fn pipe_error(e: std::io::Error) -> EngineError {
    EngineError::new(ErrorKind::Store, "writing the archive to the pipe", e.to_string())
}
