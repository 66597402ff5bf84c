//! Reading one block.

use std::io::{self, Read};

use super::BlockKind;
use crate::primitive::{INT_LEN, decode_int};
use crate::{ArchiveError, DumpId, Result};

/// Reads one block from a reader that stands at its first byte.
///
/// For [`BlockKind::Data`] it is a [`Read`] of the chunks' bytes, one after the other, until the block ends. For
/// [`BlockKind::Blobs`] each [`next_blob`](Self::next_blob) opens a large object, and reading gives that one's bytes.
/// Bytes are as stored: hand the reader (or `&mut` of it) to [`decoder`](crate::decoder).
///
/// Lengths are read in steps of five bytes: hand in something buffered. Not a byte beyond the block is taken.
/// Offsets in errors count from the begin of the block unless [`open_at`](Self::open_at) said where that is.
pub struct BlockReader<R> {
    inner: R,
    kind: BlockKind,
    id: DumpId,
    base: u64,
    taken: u64,
    /// Bytes left of the current chunk.
    left: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a run of chunks.
    Chunks,
    /// Between large objects.
    Between,
    /// The block is over.
    Done,
}

impl<R: Read> BlockReader<R> {
    /// Reads the block's head.
    pub fn open(inner: R) -> Result<Self> {
        Self::open_at(inner, 0)
    }

    /// Reads the block's head; `base` is the block's offset in the archive, for errors to name.
    pub fn open_at(mut inner: R, base: u64) -> Result<Self> {
        let mut kind = [0u8];
        inner.read_exact(&mut kind).map_err(|e| ArchiveError::read(base, "a block's head", e))?;
        let kind = BlockKind::from_byte(kind[0])
            .ok_or_else(|| ArchiveError::corrupt(base, format!("{} is no kind of data block", kind[0])))?;
        let state = if kind == BlockKind::Data { State::Chunks } else { State::Between };
        let mut block = Self { inner, kind, id: DumpId(0), base, taken: 1, left: 0, state };
        block.id = DumpId(block.int("a block's dump id")?);
        Ok(block)
    }

    /// What the block holds.
    pub fn kind(&self) -> BlockKind {
        self.kind
    }

    /// The entry the block belongs to.
    pub fn id(&self) -> DumpId {
        self.id
    }

    /// Bytes of the archive taken so far, framing included; the block's length once it was read to its end.
    pub fn bytes_read(&self) -> u64 {
        self.taken
    }

    /// Whether the block was read to its end.
    pub fn is_finished(&self) -> bool {
        self.state == State::Done
    }

    /// The reader, wherever it stands.
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// Opens the next large object and gives its oid, or `None` at the end of the block. What was not read of the
    /// one before is skipped. A block of table data has none.
    pub fn next_blob(&mut self) -> Result<Option<u32>> {
        if self.kind == BlockKind::Data {
            return Ok(None);
        }
        if self.state == State::Chunks {
            io::copy(self, &mut io::sink()).map_err(|e| self.unwrap_io(e))?;
        }
        if self.state == State::Done {
            return Ok(None);
        }
        // An oid above 2^31 goes through C's int and comes out negative.
        match self.int("a large object's oid")?.cast_unsigned() {
            0 => {
                self.state = State::Done;
                Ok(None)
            }
            oid => {
                self.state = State::Chunks;
                Ok(Some(oid))
            }
        }
    }

    fn position(&self) -> u64 {
        self.base.saturating_add(self.taken)
    }

    fn int(&mut self, reading: &'static str) -> Result<i32> {
        let at = self.position();
        let mut raw = [0u8; INT_LEN];
        self.inner.read_exact(&mut raw).map_err(|e| ArchiveError::read(at, reading, e))?;
        self.taken += INT_LEN as u64;
        decode_int(raw).ok_or_else(|| ArchiveError::corrupt(at, format!("no int can be {raw:?} ({reading})")))
    }

    fn next_chunk(&mut self) -> Result<()> {
        let at = self.position();
        let len = self.int("a chunk's length")?;
        self.left = u64::try_from(len)
            .map_err(|_| ArchiveError::corrupt(at, format!("a chunk cannot have {len} bytes")))?;
        if len == 0 {
            self.state = if self.kind == BlockKind::Data { State::Done } else { State::Between };
        }
        Ok(())
    }

    fn unwrap_io(&self, error: io::Error) -> ArchiveError {
        match error.downcast::<ArchiveError>() {
            Ok(inner) => inner,
            Err(error) => ArchiveError::read(self.position(), "a chunk", error),
        }
    }
}

impl<R: Read> Read for BlockReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.left == 0 && self.state == State::Chunks {
            self.next_chunk()?;
        }
        if self.left == 0 {
            return Ok(0);
        }
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        let n = self.inner.read(&mut buf[..want])?;
        if n == 0 {
            return Err(ArchiveError::Truncated { offset: self.position(), reading: "a chunk" }.into());
        }
        self.left -= n as u64;
        self.taken += n as u64;
        Ok(n)
    }
}
