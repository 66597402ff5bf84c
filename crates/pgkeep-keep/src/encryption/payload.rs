//! The payload of an age file: STREAM over ChaCha20-Poly1305 in chunks of 64 KiB
//! (<https://github.com/C2SP/C2SP/blob/main/age.md#payload>).

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;

use super::file_key::FileKey;

/// Plain bytes of a chunk; the last may have fewer.
pub(super) const CHUNK: usize = 64 << 10;
/// Bytes that sealing adds to a chunk.
pub(super) const TAG: usize = 16;
/// Bytes of a sealed chunk.
pub(super) const SEALED: usize = CHUNK + TAG;
/// Bytes of the nonce between header and chunks.
pub(super) const NONCE: usize = 16;

/// The key of one payload.
pub(super) struct PayloadKey(LessSafeKey);

impl PayloadKey {
    pub(super) fn derive(file_key: &FileKey, nonce: &[u8]) -> Result<PayloadKey, Unspecified> {
        let key = file_key.derive(nonce, b"payload")?;
        Ok(PayloadKey(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key.as_slice())?)))
    }

    /// Appends the chunk, sealed, to `out`.
    pub(super) fn seal(
        &self,
        chunk: u64,
        last: bool,
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Unspecified> {
        let from = out.len();
        out.extend_from_slice(plain);
        let tag = self.0.seal_in_place_separate_tag(nonce(chunk, last), Aad::empty(), &mut out[from..])?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens a sealed chunk where it stands, and gives its plain bytes.
    pub(super) fn open<'b>(
        &self,
        chunk: u64,
        last: bool,
        sealed: &'b mut [u8],
    ) -> Result<&'b [u8], Unspecified> {
        self.0.open_in_place(nonce(chunk, last), Aad::empty(), sealed).map(|plain| &*plain)
    }
}

/// The chunk's number in 11 bytes, big-endian, and a byte that marks the last.
fn nonce(chunk: u64, last: bool) -> Nonce {
    let mut bytes = [0; 12];
    bytes[3..11].copy_from_slice(&chunk.to_be_bytes());
    bytes[11] = u8::from(last);
    Nonce::assume_unique_for_key(bytes)
}

/// Where the chunks of a payload stand in their object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunks {
    /// Where the first stands: bytes of header and nonce.
    pub(super) start: u64,
    /// Bytes of the object.
    pub(super) end: u64,
}

impl Chunks {
    /// `None` where the object has no room for a single chunk, or a last chunk of no length behind others, which the
    /// format forbids.
    pub(super) fn new(start: u64, end: u64) -> Option<Chunks> {
        let sealed = end.checked_sub(start)?;
        let last = sealed.checked_sub(1)? % SEALED as u64 + 1;
        let alone = sealed <= SEALED as u64;
        (last > TAG as u64 || (alone && last == TAG as u64)).then_some(Chunks { start, end })
    }

    /// How many there are, at least one.
    pub(super) fn count(&self) -> u64 {
        (self.end - self.start).div_ceil(SEALED as u64)
    }

    /// Plain bytes in all.
    pub(super) fn plain_len(&self) -> u64 {
        self.end - self.start - self.count() * TAG as u64
    }

    pub(super) fn is_last(&self, chunk: u64) -> bool {
        chunk + 1 == self.count()
    }

    /// Where this one stands, sealed.
    pub(super) fn place(&self, chunk: u64) -> std::ops::Range<u64> {
        let from = self.start.saturating_add(chunk.saturating_mul(SEALED as u64)).min(self.end);
        from..self.end.min(from.saturating_add(SEALED as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_tells_the_chunks() {
        let chunks = |sealed: usize| Chunks::new(100, 100 + sealed as u64);
        let counted = |sealed: usize| chunks(sealed).map(|c| (c.count(), c.plain_len()));
        assert_eq!(counted(0), None);
        assert_eq!(counted(15), None);
        assert_eq!(counted(16), Some((1, 0)), "an empty payload is one empty chunk");
        assert_eq!(counted(17), Some((1, 1)));
        assert_eq!(counted(SEALED), Some((1, CHUNK as u64)));
        assert_eq!(counted(SEALED + 16), None, "no other chunk may be empty");
        assert_eq!(counted(SEALED + 17), Some((2, CHUNK as u64 + 1)));
        assert_eq!(counted(2 * SEALED), Some((2, 2 * CHUNK as u64)));
        assert_eq!(chunks(SEALED + 17).unwrap().place(1), 100 + SEALED as u64..100 + SEALED as u64 + 17);
    }
}
