//! Zstandard (src/bin/pg_dump/compress_zstd.c).

use std::io::{self, Read};

use zstd::stream::raw::{self, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe::CCtx;

/// Reads frames on end. Windows above 128 MiB, which no `pg_dump` writes, are refused by the library's default.
pub(super) fn decoder<'a>(r: impl Read + 'a) -> crate::Result<impl Read + 'a> {
    zstd::stream::read::Decoder::new(r).map_err(|source| crate::ArchiveError::Read { offset: 0, source })
}

/// One compression context, whose tables are the costly part, for all streams.
pub(super) struct Encoder {
    raw: raw::Encoder<'static>,
}

impl Encoder {
    pub(super) fn new(level: i32) -> io::Result<Self> {
        Ok(Self { raw: raw::Encoder::new(level)? })
    }

    pub(super) fn write(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let mut taken = 0;
        while taken < input.len() {
            reserve(out);
            let at = out.len();
            let mut src = InBuffer::around(&input[taken..]);
            self.raw.run(&mut src, &mut OutBuffer::around_pos(out, at))?;
            taken += src.pos();
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        loop {
            reserve(out);
            let at = out.len();
            if self.raw.finish(&mut OutBuffer::around_pos(out, at), true)? == 0 {
                return self.raw.reinit();
            }
        }
    }

    pub(super) fn reset(&mut self) -> io::Result<()> {
        self.raw.reinit()
    }
}

/// Room for one whole compressed block, so that the library writes straight into `out`.
fn reserve(out: &mut Vec<u8>) {
    out.reserve(CCtx::out_size());
}
