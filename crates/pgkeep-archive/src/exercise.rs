//! Reads bytes in every way this crate can: what the fuzz target and the mutation tests run.

use std::io::{self, Read};

use crate::{
    Algorithm, BlockKind, BlockReader, BlockRef, RangeReader, Result, decoder, read_toc_at, scan_blocks,
};

/// The most that is unpacked of one stream, as small inputs can unpack to very much.
const UNPACK: u64 = 8 << 20;

/// Reads `bytes` as an archive, to the end or to the first error of each block. Must not panic.
///
/// Returns the number of blocks that were read without an error.
pub fn exercise(bytes: &[u8]) -> usize {
    let Ok((toc, data)) = read_toc_at(&bytes) else { return 0 };
    let _ = toc.to_bytes();
    let blocks = scan_blocks(&bytes, data).unwrap_or_default();
    let by_scan = blocks.iter().map(|b| b.offset);
    let by_toc = toc.entries.iter().filter_map(|e| match e.offset {
        crate::Offset::At(at) if e.has_data => Some(at),
        _ => None,
    });
    let algorithm = toc.header.compression;
    by_scan.chain(by_toc).filter(|at| read_block(bytes, *at, algorithm).is_ok_and(|b| b.len > 0)).count()
}

/// Reads and unpacks one block.
fn read_block(bytes: &[u8], offset: u64, algorithm: Algorithm) -> Result<BlockRef> {
    let mut block = BlockReader::open_at(RangeReader::new(bytes, offset), offset)?;
    match block.kind() {
        BlockKind::Data => unpack(algorithm, &mut block)?,
        BlockKind::Blobs => {
            while block.next_blob()?.is_some() {
                unpack(algorithm, &mut block)?;
            }
        }
    }
    Ok(BlockRef { kind: block.kind(), id: block.id(), offset, len: block.bytes_read() })
}

fn unpack(algorithm: Algorithm, block: &mut impl Read) -> Result<()> {
    let mut stream = decoder(algorithm, block)?.take(UNPACK);
    io::copy(&mut stream, &mut io::sink())
        .map(drop)
        .map_err(|source| crate::ArchiveError::Read { offset: 0, source })
}
