//! Reading at any place: what a seekable archive lets us do.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

/// Something of known length that can be read at any place, by several threads at once.
///
/// Implementations fill less than asked for only at the end or as [`Read::read`] may (0 means the end).
pub trait ReadAt {
    /// Reads into `buf` from `offset` on, and says how many bytes that gave; 0 is the end.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// The length of the whole.
    fn len(&self) -> io::Result<u64>;

    /// Whether there is nothing in it.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

impl ReadAt for File {
    #[cfg(unix)]
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buf, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(<[u8]>::len(self) as u64)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.as_slice().read_at(offset, buf)
    }

    fn len(&self) -> io::Result<u64> {
        ReadAt::len(self.as_slice())
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, buf)
    }

    fn len(&self) -> io::Result<u64> {
        (**self).len()
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Arc<T> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, buf)
    }

    fn len(&self) -> io::Result<u64> {
        (**self).len()
    }
}

/// The first read after a jump: enough for a block header and a few chunk lengths.
const FIRST_STEP: usize = 4 * 1024;
/// The most that is read at once when reading on without jumps.
const LAST_STEP: usize = 256 * 1024;

/// [`Read`] over a [`ReadAt`] from an offset on, with a buffer of its own.
///
/// The buffer grows from 4 KiB to 256 KiB while reading goes straight on, and starts small again after a jump, so
/// that stepping from chunk to chunk reads little and streaming reads much.
pub struct RangeReader<S> {
    src: S,
    /// Where `buf` begins in the source.
    base: u64,
    buf: Vec<u8>,
    /// How much of `buf` came from the source, and how much of that was taken.
    filled: usize,
    taken: usize,
    step: usize,
}

impl<S: ReadAt> RangeReader<S> {
    /// Starts at `offset`.
    pub fn new(src: S, offset: u64) -> Self {
        Self { src, base: offset, buf: Vec::new(), filled: 0, taken: 0, step: FIRST_STEP }
    }

    /// Where the next byte comes from.
    pub fn position(&self) -> u64 {
        self.base.saturating_add(self.taken as u64)
    }

    /// Goes on at `offset`, without reading if it stands in the buffer already.
    pub fn seek_to(&mut self, offset: u64) {
        match offset.checked_sub(self.base).and_then(|n| usize::try_from(n).ok()) {
            Some(n) if n <= self.filled => self.taken = n,
            _ => {
                self.empty_at(offset);
                self.step = FIRST_STEP;
            }
        }
    }

    fn empty_at(&mut self, offset: u64) {
        (self.base, self.filled, self.taken) = (offset, 0, 0);
    }

    fn fill(&mut self) -> io::Result<()> {
        self.empty_at(self.position());
        if self.buf.len() < self.step {
            self.buf = vec![0; self.step];
        }
        self.filled = read_some(&self.src, self.base, &mut self.buf[..self.step])?;
        self.step = (self.step * 2).min(LAST_STEP);
        Ok(())
    }
}

fn read_some(src: &impl ReadAt, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match src.read_at(offset, buf) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map(|n| n.min(buf.len())),
        }
    }
}

impl<S: ReadAt> Read for RangeReader<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.filled {
            // Large reads go straight to their place.
            if buf.len() >= LAST_STEP {
                let at = self.position();
                let n = read_some(&self.src, at, buf)?;
                self.empty_at(at.saturating_add(n as u64));
                return Ok(n);
            }
            self.fill()?;
        }
        let rest = &self.buf[self.taken..self.filled];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.taken += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_reader_reads_and_jumps_as_a_slice_would() {
        let bytes: Vec<u8> = (0..600_000u32).map(|n| (n % 251) as u8).collect();
        let mut r = RangeReader::new(&bytes, 10);
        let mut small = [0u8; 3];
        r.read_exact(&mut small).unwrap();
        assert_eq!(small, bytes[10..13]);
        for at in [11, 13, 4_000, 5_000, 500_000, 0] {
            r.seek_to(at);
            assert_eq!(r.position(), at);
            r.read_exact(&mut small).unwrap();
            assert_eq!(small, bytes[at as usize..at as usize + 3]);
        }
        let mut rest = Vec::new();
        r.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, bytes[3..]);
        r.seek_to(u64::MAX);
        assert_eq!(r.read(&mut small).unwrap(), 0);
    }
}
