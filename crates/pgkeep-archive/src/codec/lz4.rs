//! LZ4 frames (src/bin/pg_dump/compress_lz4.c).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::mem;

use super::fill;
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

/// Reads frames on end.
///
/// The library's decoder takes an input that ends between two blocks for the end of the frame. So what it reads is
/// watched: if it met the end of input, the frame was not over.
pub(super) struct Decoder<R: Read> {
    state: State<R>,
}

enum State<R: Read> {
    Between(Watched<R>),
    Inside(Box<FrameDecoder<Watched<R>>>),
    Over,
}

impl<R: Read> Decoder<R> {
    pub(super) fn new(inner: R) -> Self {
        let input = BufReader::with_capacity(INPUT, inner);
        Self { state: State::Between(Watched { input, ended: false }) }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            match mem::replace(&mut self.state, State::Over) {
                State::Over => return Ok(0),
                State::Between(mut input) => {
                    if !fill(&mut input.input)?.is_empty() {
                        // A fresh one per frame: its buffers are made for one frame's block size.
                        self.state = State::Inside(Box::new(FrameDecoder::new(input)));
                    }
                }
                State::Inside(mut frame) => match frame.read(out)? {
                    0 if frame.get_ref().ended => {
                        return Err(io::Error::new(
                            io::ErrorKind::UnexpectedEof,
                            "the lz4 stream is cut off",
                        ));
                    }
                    0 => self.state = State::Between(frame.into_inner()),
                    n => {
                        self.state = State::Inside(frame);
                        return Ok(n);
                    }
                },
            }
        }
    }
}

/// A buffered reader that remembers whether it was asked for bytes after the last.
struct Watched<R> {
    input: BufReader<R>,
    ended: bool,
}

const INPUT: usize = 64 * 1024;

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let input = fill(&mut self.input)?;
        self.ended |= input.is_empty();
        let n = input.len().min(out.len());
        out[..n].copy_from_slice(&input[..n]);
        self.input.consume(n);
        Ok(n)
    }
}

/// Levels make no difference: `lz4_flex` has the fast compressor only, which is what lz4 is chosen for. The
/// high-compression levels are slower than zstd 1 and larger.
pub(super) struct Encoder {
    frame: FrameEncoder<Vec<u8>>,
    begun: bool,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { frame: frame(), begun: false }
    }

    pub(super) fn write(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.begun |= !input.is_empty();
        self.into(out, |frame| frame.write_all(input))
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if !self.begun {
            // A used encoder cannot write an empty frame.
            self.frame = frame();
        }
        self.begun = false;
        self.into(out, |frame| frame.try_finish().map_err(io::Error::from))
    }

    pub(super) fn reset(&mut self) {
        *self = Self::new();
    }

    /// Lends the caller's buffer to the encoder, which then writes straight into it.
    fn into(
        &mut self,
        out: &mut Vec<u8>,
        work: impl FnOnce(&mut FrameEncoder<Vec<u8>>) -> io::Result<()>,
    ) -> io::Result<()> {
        mem::swap(self.frame.get_mut(), out);
        let done = work(&mut self.frame);
        mem::swap(self.frame.get_mut(), out);
        done
    }
}

fn frame() -> FrameEncoder<Vec<u8>> {
    let info = FrameInfo::new().block_size(BlockSize::Max256KB).block_mode(BlockMode::Linked);
    FrameEncoder::with_frame_info(info, Vec::new())
}
