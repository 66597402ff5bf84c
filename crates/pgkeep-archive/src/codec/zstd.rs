//! Zstandard (src/bin/pg_dump/compress_zstd.c).

use std::io::{self, BufReader, Read};

use zstd::zstd_safe::{CCtx, CParameter, compress_bound, get_error_name};

/// Reads frames on end. Windows above 128 MiB, which no `pg_dump` writes, are refused by the library's default.
pub(super) fn decoder<'a, R: Read + 'a>(_first: u8, input: BufReader<R>) -> io::Result<Box<dyn Read + 'a>> {
    Ok(Box::new(zstd::stream::read::Decoder::with_buffer(input)?))
}

/// One compression context, whose tables are the costly part, for all streams.
///
/// Every call makes a frame of its own. A stream that goes on over many calls makes the library keep a window of what
/// it saw, which costs a copy of all input and its slower search over two buffers, together a quarter of the time at
/// low levels; frames of some mebibytes are hardly larger.
pub(super) struct Encoder {
    context: CCtx<'static>,
    frame: Vec<u8>,
    begun: bool,
}

impl Encoder {
    pub(super) fn new(level: i32) -> io::Result<Self> {
        let mut context = CCtx::create();
        context.set_parameter(CParameter::CompressionLevel(level)).map_err(failed)?;
        if level == 3 {
            // The level's own tables (2^17 and 2^16 entries) do not fit the second-level cache beside the data. With these
            // it took a tenth to a quarter less time on tables' text and source code, for -2 to +2 % of the size.
            context.set_parameter(CParameter::HashLog(16)).map_err(failed)?;
            context.set_parameter(CParameter::ChainLog(13)).map_err(failed)?;
        }
        Ok(Self { context, frame: Vec::new(), begun: false })
    }

    pub(super) fn write(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.begun = true;
        self.frame.clear();
        self.frame.reserve(compress_bound(input.len()));
        self.context.compress2(&mut self.frame, input).map_err(failed)?;
        out.extend_from_slice(&self.frame);
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if !self.begun {
            self.write(&[], out)?;
        }
        self.begun = false;
        Ok(())
    }

    pub(super) fn reset(&mut self) {
        self.begun = false;
    }
}

fn failed(code: usize) -> io::Error {
    io::Error::other(get_error_name(code))
}
