//! Decrypting: at any place, from the first byte to the last, a few bytes.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use pgkeep_archive::ReadAt;

use super::header::{self, Header, MAX_HEADER, NoHeader};
use super::identities::Identities;
use super::payload::{CHUNK, Chunks, NONCE, PayloadKey, SEALED};

/// Opened chunks that are kept: the ones at the edges of what was read, where the next read begins or another ended.
const KEPT: usize = 16;

/// Why something encrypted cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// None of the keys fits it.
    NoKey,
    /// It is not what was written.
    Damaged(String),
    /// It cannot be read.
    Io(io::Error),
}

impl From<io::Error> for OpenError {
    fn from(e: io::Error) -> Self {
        OpenError::Io(e)
    }
}

/// Something encrypted, read at any place as if it were not. What is read covers whole chunks, in one read of what is
/// beneath; several threads read and decrypt at once.
pub struct Opened<R> {
    inner: R,
    key: PayloadKey,
    chunks: Chunks,
    kept: Mutex<VecDeque<(u64, Arc<[u8]>)>>,
}

impl<R: ReadAt> Opened<R> {
    /// Reads the header, and the last chunk, which tells that nothing is cut off.
    ///
    /// # Errors
    /// `NoKey` where none of `identities` fits.
    pub fn open(inner: R, identities: &Identities) -> Result<Opened<R>, OpenError> {
        let len = inner.len()?;
        // Enough for header and first chunk, so that the beginning of an archive costs no further read.
        let mut want = SEALED + 4096;
        let (bytes, header) = loop {
            let bytes = read_range(&inner, 0, want.min(usize::try_from(len).unwrap_or(usize::MAX)))?;
            match header::read(&bytes) {
                Ok(header) => break (bytes, header),
                Err(NoHeader::Incomplete) if (bytes.len() as u64) < len && want < MAX_HEADER => want *= 2,
                Err(e) => return Err(no_header(e)),
            }
        };
        let nonce = bytes.get(header.len..header.len + NONCE);
        let nonce = nonce.ok_or_else(|| OpenError::Damaged("it ends within its header".into()))?;
        let key = payload_key(&header, nonce, identities)?;
        let chunks = chunks(&header, len)?;
        let opened = Opened { inner, key, chunks, kept: Mutex::default() };
        opened.chunk(chunks.count() - 1)?;
        let first = chunks.place(0);
        if let Some(sealed) = bytes.get(first.start as usize..first.end as usize) {
            let plain = opened.open_chunk(0, &mut sealed.to_vec())?;
            opened.keep(0, &plain);
        }
        Ok(opened)
    }

    /// One chunk, opened; kept for the next who wants it.
    fn chunk(&self, number: u64) -> io::Result<Arc<[u8]>> {
        if let Some(kept) = self.kept(number) {
            return Ok(kept);
        }
        let place = self.chunks.place(number);
        let mut sealed = read_range(&self.inner, place.start, (place.end - place.start) as usize)?;
        let plain = self.open_chunk(number, &mut sealed)?;
        self.keep(number, &plain);
        Ok(plain)
    }

    fn open_chunk(&self, number: u64, sealed: &mut [u8]) -> io::Result<Arc<[u8]>> {
        match self.key.open(number, self.chunks.is_last(number), sealed) {
            Ok(plain) => Ok(plain.into()),
            Err(_) => Err(wrong(self.chunks, number)),
        }
    }

    fn kept(&self, number: u64) -> Option<Arc<[u8]>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(n, _)| *n == number).map(|(_, plain)| plain.clone())
    }

    fn keep(&self, number: u64, plain: &Arc<[u8]>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.iter().any(|(n, _)| *n == number) {
            return;
        }
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back((number, plain.clone()));
    }
}

impl<R: ReadAt> ReadAt for Opened<R> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let end = self.chunks.plain_len().min(offset.saturating_add(buf.len() as u64));
        if offset >= end {
            return Ok(0);
        }
        let size = CHUNK as u64;
        let (first, last) = (offset / size, (end - 1) / size);
        if let Some(plain) = self.kept(first) {
            // What is at hand is given alone: the reader asks on where it ends.
            return Ok(copy(&plain, offset - first * size, buf));
        }
        if first == last {
            return Ok(copy(&self.chunk(first)?, offset - first * size, buf));
        }
        let (from, to) = (self.chunks.place(first).start, self.chunks.place(last).end);
        let mut sealed = read_range(&self.inner, from, (to - from) as usize)?;
        let mut filled = 0;
        for (number, sealed) in (first..).zip(sealed.chunks_mut(SEALED)) {
            let opened = self.key.open(number, self.chunks.is_last(number), sealed);
            let plain = opened.map_err(|_| wrong(self.chunks, number))?;
            let from = offset.saturating_sub(number * size);
            filled += copy(plain, from, &mut buf[filled..(end - offset) as usize]);
            if number == last {
                self.keep(number, &plain.into());
            }
        }
        Ok(filled)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.chunks.plain_len())
    }
}

/// Copies from an offset on as much as there is and fits.
fn copy(plain: &[u8], from: u64, buf: &mut [u8]) -> usize {
    let rest = plain.get(from as usize..).unwrap_or_default();
    let n = rest.len().min(buf.len());
    buf[..n].copy_from_slice(&rest[..n]);
    n
}

fn read_range(inner: &impl ReadAt, at: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let mut have = 0;
    while have < len {
        match inner.read_at(at + have as u64, &mut bytes[have..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => have += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(bytes)
}

fn no_header(e: NoHeader) -> OpenError {
    OpenError::Damaged(match e {
        NoHeader::Incomplete => "it ends within its header".into(),
        NoHeader::Invalid(why) => why.into(),
    })
}

fn payload_key(header: &Header, nonce: &[u8], identities: &Identities) -> Result<PayloadKey, OpenError> {
    let damaged = |why: &str| OpenError::Damaged(why.into());
    let file_key = identities.unwrap(header).map_err(|e| OpenError::Damaged(format!("its header: {e}")))?;
    let file_key = file_key.ok_or(OpenError::NoKey)?;
    if !header.is_of(&file_key) {
        return Err(damaged("its header was changed (MAC)"));
    }
    PayloadKey::derive(&file_key, nonce).map_err(|_| damaged("its key cannot be derived"))
}

fn chunks(header: &Header, len: u64) -> Result<Chunks, OpenError> {
    Chunks::new((header.len + NONCE) as u64, len)
        .ok_or_else(|| OpenError::Damaged("it does not end where a chunk can end: it was cut".into()))
}

fn wrong(chunks: Chunks, number: u64) -> io::Error {
    let place = chunks.place(number);
    let end = if chunks.is_last(number) { ", or what followed was cut off" } else { "" };
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "bytes {} to {} (chunk {number}) are not those that were encrypted: changed, or of another place or object{end}",
            place.start, place.end
        ),
    )
}

/// Decrypts some bytes whole.
///
/// # Errors
/// See [`OpenError`].
pub fn open_bytes(sealed: &[u8], identities: &Identities) -> Result<Vec<u8>, OpenError> {
    let mut plain = Vec::new();
    OpenReader::new(sealed, sealed.len() as u64, identities)?.read_to_end(&mut plain)?;
    Ok(plain)
}

/// Decrypts a stream of known length.
pub(crate) struct OpenReader<R> {
    inner: R,
    key: PayloadKey,
    chunks: Chunks,
    number: u64,
    chunk: Vec<u8>,
    /// How far `chunk` is plain, and taken.
    plain: usize,
    taken: usize,
}

impl<R: Read> OpenReader<R> {
    /// Reads the header; `len` is what the whole stream has.
    pub(crate) fn new(mut inner: R, len: u64, identities: &Identities) -> Result<OpenReader<R>, OpenError> {
        let mut bytes = Vec::new();
        let header = loop {
            let line = bytes.len();
            while bytes.len() == line || bytes.last() != Some(&b'\n') {
                let mut byte = [0];
                if bytes.len() == MAX_HEADER || inner.read(&mut byte)? == 0 {
                    return Err(no_header(header::read(&bytes).err().unwrap_or(NoHeader::Incomplete)));
                }
                bytes.push(byte[0]);
            }
            match header::read(&bytes) {
                Ok(header) => break header,
                Err(NoHeader::Incomplete) => {}
                Err(e) => return Err(no_header(e)),
            }
        };
        let mut nonce = [0; NONCE];
        inner.read_exact(&mut nonce).map_err(|_| no_header(NoHeader::Incomplete))?;
        let key = payload_key(&header, &nonce, identities)?;
        let chunks = chunks(&header, len)?;
        Ok(OpenReader { inner, key, chunks, number: 0, chunk: Vec::new(), plain: 0, taken: 0 })
    }
}

impl<R: Read> Read for OpenReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.plain && self.number < self.chunks.count() {
            let place = self.chunks.place(self.number);
            self.chunk.resize((place.end - place.start) as usize, 0);
            self.inner.read_exact(&mut self.chunk)?;
            let opened = self.key.open(self.number, self.chunks.is_last(self.number), &mut self.chunk);
            self.plain = opened.map_err(|_| wrong(self.chunks, self.number))?.len();
            self.taken = 0;
            self.number += 1;
        }
        let n = copy(&self.chunk[..self.plain], self.taken as u64, buf);
        self.taken += n;
        Ok(n)
    }
}
