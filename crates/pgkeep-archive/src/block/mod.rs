//! Data blocks (`_StartData`, `_StartLO`, `_readBlockHeader`, src/bin/pg_dump/pg_backup_custom.c).
//!
//! A block is a kind byte and a dump id. Table data then has chunks, each an int length and its bytes, ended by a
//! length of 0. Large objects have, each, an int oid and such a run of chunks, and the block ends with oid 0.

mod read;
mod scan;
mod write;

use crate::DumpId;

pub use read::BlockReader;
pub use scan::{find_blocks, scan_blocks};
pub use write::{
    MAX_CHUNK, begin_block, end_blobs, end_block, push_blob_end, push_blob_start, push_chunk, push_chunk_head,
};

/// What a block holds (`BLK_DATA` and `BLK_BLOBS`, src/bin/pg_dump/pg_backup_archiver.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockKind {
    /// Rows of a table.
    Data = 1,
    /// Large objects.
    Blobs = 3,
}

impl BlockKind {
    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(BlockKind::Data),
            3 => Some(BlockKind::Blobs),
            _ => None,
        }
    }
}

/// A block found in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockRef {
    /// What it holds.
    pub kind: BlockKind,
    /// The entry it belongs to; may be one that the TOC does not have (filler, or a segment that was run again).
    pub id: DumpId,
    /// Where it begins.
    pub offset: u64,
    /// Its length, framing included.
    pub len: u64,
}
