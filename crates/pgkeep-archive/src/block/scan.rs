//! Finding blocks where the TOC does not say where they are (`_skipData`, `_skipLOs`, pg_backup_custom.c).

use std::collections::HashSet;
use std::io::Read;

use super::{BlockKind, BlockRef};
use crate::primitive::{INT_LEN, decode_int};
use crate::{ArchiveError, DumpId, RangeReader, ReadAt, Result};

/// Lists all blocks from `from` (where the TOC ended) to the end, in file order.
///
/// For archives made through a pipe, whose offsets are not set. Chunks are jumped over, not read. Blocks whose id
/// the TOC does not have are listed like any other.
pub fn scan_blocks(src: &dyn ReadAt, from: u64) -> Result<Vec<BlockRef>> {
    let end = src.len().map_err(|source| ArchiveError::Read { offset: from, source })?;
    let mut scan = Scan { reader: RangeReader::new(src, from), end };
    let mut blocks = Vec::new();
    while scan.reader.position() < end {
        blocks.push(scan.block()?);
    }
    Ok(blocks)
}

/// As [`scan_blocks`], up to the last of the blocks that are wanted; those that are not found stay in `wanted`.
///
/// What `pg_dump -Fc > file` writes from 16 on must be read so: behind the data it has the table of contents once more.
/// It opens standard output for appending (`_allocAH`, src/bin/pg_dump/pg_backup_archiver.c), so that what is meant to
/// replace the table of contents (`_CloseArchive`, pg_backup_custom.c) comes to stand at the end.
pub fn find_blocks(src: &dyn ReadAt, from: u64, wanted: &mut HashSet<DumpId>) -> Result<Vec<BlockRef>> {
    let end = src.len().map_err(|source| ArchiveError::Read { offset: from, source })?;
    let mut scan = Scan { reader: RangeReader::new(src, from), end };
    let mut blocks = Vec::new();
    while !wanted.is_empty() && scan.reader.position() < end {
        let block = scan.block()?;
        wanted.remove(&block.id);
        blocks.push(block);
    }
    Ok(blocks)
}

struct Scan<'s> {
    reader: RangeReader<&'s dyn ReadAt>,
    end: u64,
}

impl Scan<'_> {
    fn block(&mut self) -> Result<BlockRef> {
        let offset = self.reader.position();
        let mut kind = [0u8];
        self.exact(&mut kind, "a block's head")?;
        let kind = BlockKind::from_byte(kind[0])
            .ok_or_else(|| ArchiveError::corrupt(offset, format!("{} is no kind of data block", kind[0])))?;
        let id = DumpId(self.int("a block's dump id")?);
        match kind {
            BlockKind::Data => self.skip_chunks()?,
            BlockKind::Blobs => {
                while self.int("a large object's oid")? != 0 {
                    self.skip_chunks()?;
                }
            }
        }
        Ok(BlockRef { kind, id, offset, len: self.reader.position() - offset })
    }

    fn skip_chunks(&mut self) -> Result<()> {
        loop {
            let at = self.reader.position();
            let len = self.int("a chunk's length")?;
            if len == 0 {
                return Ok(());
            }
            let len = u64::try_from(len)
                .map_err(|_| ArchiveError::corrupt(at, format!("a chunk cannot have {len} bytes")))?;
            let next = self.reader.position().saturating_add(len);
            if next > self.end {
                return Err(ArchiveError::Truncated { offset: self.end, reading: "a chunk" });
            }
            self.reader.seek_to(next);
        }
    }

    fn int(&mut self, reading: &'static str) -> Result<i32> {
        let at = self.reader.position();
        let mut raw = [0u8; INT_LEN];
        self.exact(&mut raw, reading)?;
        decode_int(raw).ok_or_else(|| ArchiveError::corrupt(at, format!("no int can be {raw:?} ({reading})")))
    }

    fn exact(&mut self, buf: &mut [u8], reading: &'static str) -> Result<()> {
        self.reader.read_exact(buf).map_err(|e| ArchiveError::read(self.reader.position(), reading, e))
    }
}
