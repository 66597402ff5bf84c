//! Encrypting: an object whose beginning comes last, a pipe, a few bytes.

use std::io::{self, Write};

use super::header;
use super::payload::{CHUNK, NONCE, PayloadKey, SEALED};
use super::recipients::Recipients;
use crate::error::Result;

/// Encrypts an object of which the first `head_len` plain bytes come last.
///
/// Chunks are sealed in order from the first that has no byte of the head; those before wait for it: they, and the
/// header, are the encrypted object's own head. What body bytes stand in the chunk where the head ends wait, too.
pub struct HeadLastSealer {
    key: PayloadKey,
    /// Header and nonce.
    header: Vec<u8>,
    /// Chunks with a byte of the head in them.
    head_chunks: u64,
    /// Number of the chunk that is being filled, its bytes so far, and how many it can have.
    number: u64,
    chunk: Vec<u8>,
    room: usize,
    /// Body bytes of the chunk in which the head ends, once that is full.
    edge: Vec<u8>,
}

impl HeadLastSealer {
    /// Begins, with a fresh key.
    ///
    /// # Errors
    /// Where the machine has no randomness.
    pub fn new(recipients: &Recipients, head_len: u64) -> Result<HeadLastSealer> {
        let (file_key, stanzas) = recipients.wrap()?;
        let mut nonce = [0; NONCE];
        aws_lc_rs::rand::fill(&mut nonce)?;
        let mut header = header::write(&stanzas, &file_key)?;
        header.extend_from_slice(&nonce);
        let chunk = CHUNK as u64;
        Ok(HeadLastSealer {
            key: PayloadKey::derive(&file_key, &nonce)?,
            header,
            head_chunks: head_len.div_ceil(chunk),
            number: head_len / chunk,
            chunk: Vec::with_capacity(CHUNK),
            room: CHUNK - (head_len % chunk) as usize,
            edge: Vec::new(),
        })
    }

    /// How many bytes of the encrypted object come last. It holds from the first encrypted byte of the body on: an
    /// object that ends before that is all head.
    pub fn head_len(&self) -> u64 {
        self.header.len() as u64 + self.head_chunks * SEALED as u64
    }

    /// Takes the next plain bytes of the body, and appends what is encrypted by then to `out`.
    pub fn write(&mut self, mut plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        while !plain.is_empty() {
            if self.chunk.len() == self.room {
                self.cut(out)?;
            }
            let (now, later) = plain.split_at(plain.len().min(self.room - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            plain = later;
        }
        Ok(())
    }

    /// The chunk is full and not the last.
    fn cut(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.room < CHUNK {
            self.edge = std::mem::take(&mut self.chunk);
            self.room = CHUNK;
        } else {
            self.key.seal(self.number, false, &self.chunk, out)?;
            self.chunk.clear();
        }
        self.number += 1;
        Ok(())
    }

    /// Ends: appends the last of the encrypted body to `out`, and gives the encrypted head.
    pub fn finish(mut self, mut head: Vec<u8>, out: &mut Vec<u8>) -> Result<Vec<u8>> {
        let ends_in_body = self.room == CHUNK && !self.chunk.is_empty();
        if ends_in_body {
            self.key.seal(self.number, true, &self.chunk, out)?;
        } else {
            self.edge.append(&mut self.chunk);
        }
        head.append(&mut self.edge);
        let mut sealed = self.header;
        sealed.reserve(head.len().div_ceil(CHUNK) * SEALED);
        let mut chunks = head.chunks(CHUNK).peekable();
        if chunks.peek().is_none() && !ends_in_body {
            self.key.seal(0, true, &[], &mut sealed)?;
        }
        for number in 0.. {
            let Some(chunk) = chunks.next() else { break };
            let last = !ends_in_body && chunks.peek().is_none();
            self.key.seal(number, last, chunk, &mut sealed)?;
        }
        Ok(sealed)
    }
}

/// Bytes of header and nonce for so many recipients: the first line, a stanza each of a line with the share and one with
/// the key, the line with the MAC.
pub(super) fn header_len(recipients: usize) -> u64 {
    const BASE64_OF_32: usize = 43;
    let stanza = "-> X25519 \n".len() + BASE64_OF_32 + "\n".len() + BASE64_OF_32;
    let lines = super::SCHEME.len() + 1 + recipients * stanza + "--- \n".len() + BASE64_OF_32;
    (lines + NONCE) as u64
}

/// Encrypts some bytes whole.
///
/// # Errors
/// Where the machine has no randomness.
pub fn seal_bytes(recipients: &Recipients, plain: Vec<u8>) -> Result<Vec<u8>> {
    HeadLastSealer::new(recipients, plain.len() as u64)?.finish(plain, &mut Vec::new())
}

/// Encrypts a stream. Dropped without [`finish`](Self::finish), it leaves a file that every reader finds cut.
pub struct SealWriter<W> {
    inner: W,
    sealer: HeadLastSealer,
    /// Bytes of the header, which is written already.
    begun: usize,
    out: Vec<u8>,
}

impl<W: Write> SealWriter<W> {
    /// Begins with the header.
    ///
    /// # Errors
    /// The writer's, and where the machine has no randomness.
    pub fn new(recipients: &Recipients, mut inner: W) -> Result<SealWriter<W>, io::Error> {
        let sealer = HeadLastSealer::new(recipients, 0).map_err(io::Error::other)?;
        inner.write_all(&sealer.header)?;
        let begun = sealer.header.len();
        Ok(SealWriter { inner, sealer, begun, out: Vec::new() })
    }

    /// Writes the last chunk.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(mut self) -> io::Result<W> {
        let head = self.sealer.finish(Vec::new(), &mut self.out).map_err(io::Error::other)?;
        self.inner.write_all(&head[self.begun..])?;
        self.inner.write_all(&self.out)?;
        self.inner.flush()?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.sealer.write(buf, &mut self.out).map_err(io::Error::other)?;
        self.inner.write_all(&self.out)?;
        self.out.clear();
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_header_is_known_beforehand() {
        let mut recipients = Recipients::new();
        for n in 1..4 {
            recipients.add(&super::super::new_identity().unwrap().1).unwrap();
            assert_eq!(header_len(n), HeadLastSealer::new(&recipients, 0).unwrap().header.len() as u64);
        }
    }
}
