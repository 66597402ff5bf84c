//! No compression (src/bin/pg_dump/compress_none.c).

/// Bytes go as they come.
pub(super) fn write(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(input);
}
