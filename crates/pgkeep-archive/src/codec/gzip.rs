//! What PostgreSQL calls gzip: a zlib stream (RFC 1950; src/bin/pg_dump/compress_gzip.c, `inflateInit`), and in a
//! directory a gzip file (RFC 1952; `gzopen` there).

use std::io::{self, BufRead, BufReader, Read};

use super::fill;
use flate2::bufread::MultiGzDecoder;
use flate2::{Compress, CompressError, Crc, Decompress, FlushCompress, FlushDecompress, Status};

/// Reads either, told apart by the first byte: a zlib stream's ends in the digit 8 (RFC 1950, 2.2).
pub(super) fn decoder<'a, R: Read + 'a>(first: u8, input: BufReader<R>) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match first == FILE_HEAD[0] {
        true => Box::new(MultiGzDecoder::new(input)),
        false => Box::new(Zlib::new(input)),
    })
}

/// Reads exactly one zlib stream and insists that nothing follows it.
struct Zlib<R> {
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

impl<R: Read> Zlib<R> {
    fn new(input: BufReader<R>) -> Self {
        Self { input, inflate: Decompress::new(true), state: State::Fresh }
    }

    fn at_end(&mut self) -> io::Result<usize> {
        if !fill(&mut self.input)?.is_empty() {
            return Err(invalid("bytes follow the end of the zlib stream"));
        }
        Ok(0)
    }
}

impl<R: Read> Read for Zlib<R> {
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
///
/// Output goes through a buffer of its own: `compress_vec` over zlib-rs clears all spare room of the caller's `Vec`
/// at every call, which costs far more than this copy.
pub(super) struct Encoder {
    level: flate2::Compression,
    deflate: Compress,
    buf: Box<[u8]>,
}

const OUTPUT: usize = 32 * 1024;

impl Encoder {
    pub(super) fn new(level: i32) -> Self {
        let level = flate2::Compression::new(level.clamp(0, 9).unsigned_abs());
        Self { level, deflate: Compress::new(level, true), buf: vec![0; OUTPUT].into() }
    }

    pub(super) fn write(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
        while !input.is_empty() {
            let (taken, _) = self.step(input, out, FlushCompress::None)?;
            input = input.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), CompressError> {
        while self.step(&[], out, FlushCompress::Finish)?.1 != Status::StreamEnd {}
        self.deflate.reset();
        Ok(())
    }

    /// A new state: zlib-rs 0.6 forgets to close an open block of level 1 when it is reset within a stream.
    pub(super) fn reset(&mut self) {
        self.deflate = Compress::new(self.level, true);
    }

    /// Says how much input was taken.
    fn step(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        flush: FlushCompress,
    ) -> Result<(usize, Status), CompressError> {
        let before = (self.deflate.total_in(), self.deflate.total_out());
        let status = self.deflate.compress(input, &mut self.buf, flush)?;
        let produced = (self.deflate.total_out() - before.1) as usize;
        out.extend_from_slice(self.buf.get(..produced).unwrap_or_default());
        Ok(((self.deflate.total_in() - before.0) as usize, status))
    }
}

/// A gzip member's head without name or time (RFC 1952, 2.3): deflate, an unknown system.
const FILE_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Makes gzip files (RFC 1952), of which several on end are one.
pub(super) struct FileEncoder {
    deflate: Encoder,
    sum: Crc,
    begun: bool,
}

impl FileEncoder {
    pub(super) fn new(level: i32) -> Self {
        let mut deflate = Encoder::new(level);
        deflate.deflate = Compress::new(deflate.level, false);
        Self { deflate, sum: Crc::new(), begun: false }
    }

    pub(super) fn write(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
        self.begin(out);
        self.sum.update(input);
        self.deflate.write(input, out)
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), CompressError> {
        self.begin(out);
        self.deflate.finish(out)?;
        out.extend_from_slice(&self.sum.sum().to_le_bytes());
        out.extend_from_slice(&self.sum.amount().to_le_bytes());
        self.sum.reset();
        self.begun = false;
        Ok(())
    }

    pub(super) fn reset(&mut self) {
        self.deflate.deflate = Compress::new(self.deflate.level, false);
        self.sum.reset();
        self.begun = false;
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            out.extend_from_slice(&FILE_HEAD);
        }
    }
}
