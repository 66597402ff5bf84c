//! LZ4 frames (src/bin/pg_dump/compress_lz4.c).

use std::io::{self, Read, Write};
use std::mem;

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
        let inner = Watched { inner, buf: Vec::new(), taken: 0, ended: false };
        Self { state: State::Between(inner) }
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
                    if input.fill()? {
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
    inner: R,
    buf: Vec<u8>,
    taken: usize,
    ended: bool,
}

const INPUT: usize = 64 * 1024;

impl<R: Read> Watched<R> {
    /// Says whether there are more bytes.
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
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        if !self.fill()? {
            self.ended = true;
            return Ok(0);
        }
        let rest = &self.buf[self.taken..];
        let n = rest.len().min(out.len());
        out[..n].copy_from_slice(&rest[..n]);
        self.taken += n;
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
