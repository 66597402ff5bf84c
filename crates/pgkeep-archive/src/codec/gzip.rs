//! What PostgreSQL calls gzip: a zlib stream (RFC 1950; src/bin/pg_dump/compress_gzip.c, `inflateInit`).

use std::io::{self, BufRead, BufReader, Read};

use super::fill;
use flate2::{Compress, CompressError, Decompress, FlushCompress, FlushDecompress, Status};

const INPUT: usize = 64 * 1024;

/// Reads exactly one zlib stream and insists that nothing follows it.
pub(super) struct Decoder<R> {
    input: BufReader<R>,
    inflate: Decompress,
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
        let input = BufReader::with_capacity(INPUT, inner);
        Self { input, inflate: Decompress::new(true), state: State::Fresh }
    }

    fn at_end(&mut self) -> io::Result<usize> {
        if !fill(&mut self.input)?.is_empty() {
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
            let input = fill(&mut self.input)?;
            if input.is_empty() {
                return match self.state {
                    State::Fresh => Ok(0),
                    _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the zlib stream is cut off")),
                };
            }
            self.state = State::Inside;
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(input, out, FlushDecompress::None)
                .map_err(|e| invalid(&format!("the zlib stream is damaged: {e}")))?;
            let consumed = (self.inflate.total_in() - before.0) as usize;
            let produced = (self.inflate.total_out() - before.1) as usize;
            self.input.consume(consumed);
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
    level: flate2::Compression,
    deflate: Compress,
}

/// Room that is made in the output before each step.
const OUTPUT: usize = 32 * 1024;

impl Encoder {
    pub(super) fn new(level: i32) -> Self {
        let level = flate2::Compression::new(level.clamp(0, 9).unsigned_abs());
        Self { level, deflate: Compress::new(level, true) }
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
                self.deflate.reset();
                return Ok(());
            }
        }
    }

    /// A new state: zlib-rs 0.6 forgets to close an open block of level 1 when it is reset within a stream.
    pub(super) fn reset(&mut self) {
        self.deflate = Compress::new(self.level, true);
    }
}
