//! Framing of the frontend/backend protocol: a byte of type, four bytes of length, a body.

use std::io::{self, Read, Write};

use super::patience::Patience;
use super::stream::Stream;
use crate::error::{EngineError, ErrorKind, Result};

/// Size of the receive buffer: a few socket buffers' worth, so that a busy server is drained by few calls.
const RECV: usize = 256 << 10;
/// A body other than COPY data that is longer than this is no message of a PostgreSQL server: rows are at most
/// 1 GB (`MaxAllocSize`, src/include/utils/memutils.h), and pgkeep asks for small ones.
const MAX_BODY: usize = 0x4000_0000;

pub(super) struct Wire {
    stream: Stream,
    buf: Box<[u8]>,
    start: usize,
    end: usize,
    patience: Patience,
}

impl Wire {
    pub(super) fn new(stream: Stream, patience: Patience) -> Wire {
        Wire { stream, buf: vec![0; RECV].into_boxed_slice(), start: 0, end: 0, patience }
    }

    /// How long it waits.
    pub(super) fn patience(&mut self) -> &mut Patience {
        &mut self.patience
    }

    /// The socket below.
    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(0) => return Err(lost("the server closed the connection")),
                Ok(n) => rest = &rest[n..],
                Err(e) if again(&e) => self.patience.check()?,
                Err(e) => return Err(lost(e.to_string())),
            }
        }
        // TLS keeps what the socket would not take.
        loop {
            match self.stream.flush() {
                Ok(()) => return Ok(()),
                Err(e) if again(&e) => self.patience.check()?,
                Err(e) => return Err(lost(e.to_string())),
            }
        }
    }

    /// Reads more into the buffer; the bytes from `start` on are kept and moved to the front.
    fn fill(&mut self) -> Result<()> {
        if self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        loop {
            match self.stream.read(&mut self.buf[self.end..]) {
                Ok(0) => return Err(lost("the server closed the connection")),
                Ok(n) => {
                    self.end += n;
                    return Ok(());
                }
                Err(e) if again(&e) => self.patience.check()?,
                // TLS's word for a peer that did not say goodbye.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(lost("the server closed the connection"));
                }
                Err(e) => return Err(lost(e.to_string())),
            }
        }
    }

    /// Type and body length of the next message.
    fn head(&mut self) -> Result<(u8, usize)> {
        while self.end - self.start < 5 {
            self.fill()?;
        }
        let h = &self.buf[self.start..];
        let len = u32::from_be_bytes([h[1], h[2], h[3], h[4]]) as usize;
        if !(4..=MAX_BODY).contains(&len) {
            return Err(lost(format!("message of type {:?} with impossible length {len}", h[0] as char)));
        }
        let kind = h[0];
        self.start += 5;
        Ok((kind, len - 4))
    }

    /// The next whole message. `body` is overwritten.
    pub(super) fn message(&mut self, body: &mut Vec<u8>) -> Result<u8> {
        let (kind, len) = self.head()?;
        body.clear();
        self.pieces(len, |p| {
            body.extend_from_slice(p);
            Ok(())
        })?;
        Ok(kind)
    }

    /// The next message: bodies of `CopyData` go to `sink` as they come, in pieces, and are never held whole;
    /// the first message of another type is returned.
    pub(super) fn copy_data(
        &mut self,
        body: &mut Vec<u8>,
        mut sink: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<u8> {
        loop {
            let (kind, len) = self.head()?;
            if kind != b'd' {
                body.clear();
                self.pieces(len, |p| {
                    body.extend_from_slice(p);
                    Ok(())
                })?;
                return Ok(kind);
            }
            if self.end - self.start >= len {
                let body = self.start..self.start + len;
                self.start += len;
                sink(&self.buf[body])?;
            } else {
                self.pieces(len, &mut sink)?;
            }
        }
    }

    fn pieces(&mut self, mut len: usize, mut sink: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        while len > 0 {
            if self.start == self.end {
                self.start = 0;
                self.end = 0;
                self.fill()?;
            }
            let n = len.min(self.end - self.start);
            sink(&self.buf[self.start..self.start + n])?;
            self.start += n;
            len -= n;
        }
        Ok(())
    }
}

fn again(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

fn lost(why: impl Into<String>) -> EngineError {
    EngineError::new(ErrorKind::ConnectionLost, "connection lost", why)
}
