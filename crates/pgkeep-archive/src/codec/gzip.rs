//! What PostgreSQL calls gzip: a zlib stream (RFC 1950; src/bin/pg_dump/compress_gzip.c, `inflateInit`).

use std::io::{self, Read};

use flate2::{Compress, CompressError, Decompress, FlushCompress, FlushDecompress, Status};

const INPUT: usize = 64 * 1024;

/// Reads exactly one zlib stream and insists that nothing follows it.
pub(super) struct Decoder<R> {
    inner: R,
    inflate: Decompress,
    buf: Vec<u8>,
    taken: usize,
    state: State,
}

#[derive(PartialEq)]
enum State {
    /// Nothing was read yet.
    Fresh,
    Inside,
    Over,
}

impl<R: Read> Decoder<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, inflate: Decompress::new(true), buf: Vec::new(), taken: 0, state: State::Fresh }
    }

    /// Says whether there are bytes to work on.
    fn fill(&mut self) -> io::Result<bool> {
        if self.taken < self.buf.len() {
            return Ok(true);
        }
        self.buf.resize(INPUT, 0);
        self.taken = 0;
        let n = loop {
            match self.inner.read(&mut self.buf) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buf.truncate(*n.as_ref().unwrap_or(&0));
        Ok(n? > 0)
    }

    fn at_end(&mut self) -> io::Result<usize> {
        if self.fill()? {
            return Err(invalid("bytes follow the end of the zlib stream"));
        }
        Ok(0)
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if self.state == State::Over {
                return self.at_end();
            }
            if !self.fill()? {
                return match self.state {
                    State::Fresh => Ok(0),
                    _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the zlib stream is cut off")),
                };
            }
            self.state = State::Inside;
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(&self.buf[self.taken..], out, FlushDecompress::None)
                .map_err(|e| invalid(&format!("the zlib stream is damaged: {e}")))?;
            let consumed = (self.inflate.total_in() - before.0) as usize;
            let produced = (self.inflate.total_out() - before.1) as usize;
            self.taken += consumed;
            if status == Status::StreamEnd {
                self.state = State::Over;
            } else if consumed == 0 && produced == 0 {
                return Err(invalid("the zlib stream is damaged: it does not go on"));
            }
            if produced > 0 {
                return Ok(produced);
            }
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// One deflate state for all streams.
pub(super) struct Encoder {
    deflate: Compress,
}

/// Room that is made in the output before each step.
const OUTPUT: usize = 32 * 1024;

impl Encoder {
    pub(super) fn new(level: i32) -> Self {
        let level = flate2::Compression::new(level.clamp(0, 9).unsigned_abs());
        Self { deflate: Compress::new(level, true) }
    }

    pub(super) fn write(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
        let mut taken = 0;
        while taken < input.len() {
            out.reserve(OUTPUT);
            let before = self.deflate.total_in();
            self.deflate.compress_vec(&input[taken..], out, FlushCompress::None)?;
            taken += (self.deflate.total_in() - before) as usize;
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), CompressError> {
        loop {
            out.reserve(OUTPUT);
            if self.deflate.compress_vec(&[], out, FlushCompress::Finish)? == Status::StreamEnd {
                break;
            }
        }
        self.reset();
        Ok(())
    }

    pub(super) fn reset(&mut self) {
        self.deflate.reset();
    }
}
