//! Framing of blocks that are written. All of it appends to a buffer.

use super::BlockKind;
use crate::DumpId;
use crate::primitive::{INT_LEN, Put, encode_int};

/// The most that one chunk holds: its length is a C int, and readers allocate it whole.
pub const MAX_CHUNK: usize = 1 << 30;

/// Begins a block.
pub fn begin_block(kind: BlockKind, id: DumpId, out: &mut Vec<u8>) {
    out.push(kind as u8);
    out.put_int(id.0);
}

/// Adds a chunk; none if there are no bytes, as an empty chunk would end the block.
///
/// Readers allocate a whole chunk: keep them to a few MiB. What is above [`MAX_CHUNK`] is split.
pub fn push_chunk(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + INT_LEN);
    for chunk in bytes.chunks(MAX_CHUNK) {
        push_chunk_head(out, chunk.len());
        out.put(chunk);
    }
}

/// Adds the length that stands before a chunk, whose bytes follow: 1 to [`MAX_CHUNK`].
pub fn push_chunk_head(out: &mut Vec<u8>, len: usize) {
    debug_assert!((1..=MAX_CHUNK).contains(&len), "a chunk of {len} bytes");
    out.put_int(len as i32);
}

/// Ends a block of table data.
pub fn end_block(out: &mut Vec<u8>) {
    out.put_int(0);
}

/// Begins a large object. An oid of 0 would end the block: PostgreSQL has none.
pub fn push_blob_start(out: &mut Vec<u8>, oid: u32) {
    out.put(&encode_int(oid.cast_signed()));
}

/// Ends a large object.
pub fn push_blob_end(out: &mut Vec<u8>) {
    out.put_int(0);
}

/// Ends a block of large objects.
pub fn end_blobs(out: &mut Vec<u8>) {
    out.put_int(0);
}
