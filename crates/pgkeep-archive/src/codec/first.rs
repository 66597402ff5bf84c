//! Choosing a decoder by a stream's first byte.

use std::io::{self, BufReader, Read};

use super::fill;

const INPUT: usize = 64 * 1024;

/// Opens the decoder once the first byte is there. No bytes at all are an empty stream.
pub(super) struct ByFirst<'a, R> {
    input: Option<BufReader<R>>,
    open: Open<'a, R>,
    decoder: Box<dyn Read + 'a>,
}

type Open<'a, R> = fn(u8, BufReader<R>) -> io::Result<Box<dyn Read + 'a>>;

impl<'a, R: Read> ByFirst<'a, R> {
    pub(super) fn new(inner: R, open: Open<'a, R>) -> Self {
        let input = Some(BufReader::with_capacity(INPUT, inner));
        Self { input, open, decoder: Box::new(io::empty()) }
    }
}

impl<R: Read> Read for ByFirst<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Some(mut input) = self.input.take() {
            match fill(&mut input).map(|buffer| buffer.first().copied())? {
                Some(first) => self.decoder = (self.open)(first, input)?,
                None => self.input = Some(input),
            }
        }
        self.decoder.read(out)
    }
}
