//! The compressed streams inside of data blocks (src/bin/pg_dump/compress_io.c and its siblings).
//!
//! One stream per table-data entry and per large object. A file per algorithm, each with the two halves
//! `Decoder`/`decoder` and `Encoder`.

mod first;
mod gzip;
mod lz4;
mod none;
mod zstd;

use std::io::{self, BufRead, BufReader, Read};

use crate::{Algorithm, ArchiveError, Compression, Result};
use first::ByFirst;

/// Unpacks the stream that `r` gives, which must end where the stream ends.
///
/// Reading fails with [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof) if the stream is cut off, and with
/// `InvalidData` or the like if it is damaged or bytes follow it. Several zstd or lz4 frames on end are one stream;
/// two zlib streams are not (stock `pg_restore` would loop for ever on them). No bytes at all are an empty stream:
/// that is how `pg_dump` writes an empty large object. What begins as a gzip file (RFC 1952) is read as one: that is
/// what the directory format has.
///
/// `r` is read in large steps, a [`BlockReader`](crate::BlockReader) over a [`RangeReader`](crate::RangeReader) is
/// right for it.
pub fn decoder<'a>(algorithm: Algorithm, r: impl Read + 'a) -> Result<Box<dyn Read + 'a>> {
    Ok(match algorithm {
        Algorithm::None => Box::new(r),
        Algorithm::Gzip => Box::new(ByFirst::new(r, gzip::decoder)),
        Algorithm::Lz4 => Box::new(lz4::Decoder::new(r)),
        Algorithm::Zstd => Box::new(ByFirst::new(r, zstd::decoder)),
    })
}

/// Unpacks a file as gzip, lz4 and zstd themselves write it: as [`decoder`], but that gzip is a gzip file (RFC 1952) of
/// any number of members.
pub fn file_decoder<'a>(algorithm: Algorithm, r: impl Read + 'a) -> Result<Box<dyn Read + 'a>> {
    match algorithm {
        Algorithm::Gzip => Ok(Box::new(flate2::read::MultiGzDecoder::new(r))),
        other => decoder(other, r),
    }
}

/// Makes streams, one after the other, with one set of buffers: keep one per worker.
///
/// Output is appended to the caller's buffer.
pub struct Compressor {
    algorithm: Algorithm,
    level: i32,
    encoder: Encoder,
}

enum Encoder {
    None,
    Gzip(Box<gzip::Encoder>),
    GzipFile(Box<gzip::FileEncoder>),
    Lz4(Box<lz4::Encoder>),
    Zstd(zstd::Encoder),
}

impl Compressor {
    /// Prepares for this compression, whose level must be one that the algorithm has.
    pub fn new(compression: Compression) -> Result<Self> {
        compression.validate()?;
        let level = compression.level();
        let encoder = match compression.algorithm {
            Algorithm::None => Encoder::None,
            Algorithm::Gzip => Encoder::Gzip(Box::new(gzip::Encoder::new(level))),
            Algorithm::Lz4 => Encoder::Lz4(Box::new(lz4::Encoder::new())),
            Algorithm::Zstd => Encoder::Zstd(zstd::Encoder::new(level).map_err(failed(Algorithm::Zstd))?),
        };
        Ok(Self { algorithm: compression.algorithm, level, encoder })
    }

    /// As [`new`](Self::new), for files as [`file_decoder`] reads them.
    pub fn for_files(compression: Compression) -> Result<Self> {
        let mut compressor = Self::new(compression)?;
        if compression.algorithm == Algorithm::Gzip {
            compressor.encoder = Encoder::GzipFile(Box::new(gzip::FileEncoder::new(compression.level())));
        }
        Ok(compressor)
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Compresses `input` and appends to `out` whatever is ready, which may be nothing; see
    /// [`input_size`](Self::input_size) and [`makes_frames`](Self::makes_frames).
    pub fn write(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        match &mut self.encoder {
            Encoder::None => none::write(input, out),
            Encoder::Gzip(e) => e.write(input, out).map_err(failed(self.algorithm))?,
            Encoder::GzipFile(e) => e.write(input, out).map_err(failed(self.algorithm))?,
            Encoder::Lz4(e) => e.write(input, out).map_err(failed(self.algorithm))?,
            Encoder::Zstd(e) => e.write(input, out).map_err(failed(self.algorithm))?,
        }
        Ok(())
    }

    /// Ends the stream, appends the rest of it to `out`, and is ready for the next one.
    ///
    /// A stream of no input gives a valid, empty stream of a few bytes.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        match &mut self.encoder {
            Encoder::None => {}
            Encoder::Gzip(e) => e.finish(out).map_err(failed(self.algorithm))?,
            Encoder::GzipFile(e) => e.finish(out).map_err(failed(self.algorithm))?,
            Encoder::Lz4(e) => e.finish(out).map_err(failed(self.algorithm))?,
            Encoder::Zstd(e) => e.finish(out).map_err(failed(self.algorithm))?,
        }
        Ok(())
    }

    /// Forgets a stream that was begun, as when its table is to be read again, and is ready for the next one.
    pub fn reset(&mut self) -> Result<()> {
        match &mut self.encoder {
            Encoder::None => {}
            Encoder::Gzip(e) => e.reset(),
            Encoder::GzipFile(e) => e.reset(),
            Encoder::Lz4(e) => e.reset(),
            Encoder::Zstd(e) => e.reset(),
        }
        Ok(())
    }

    /// Bytes of input that suit one call best.
    pub fn input_size(&self) -> usize {
        match self.encoder {
            // A frame knows nothing of those before it, so a short one costs space, and a long one falls out of the
            // caches: at level 3, 8 MiB instead of 2 took a tenth more time and saved 0 to 4 % of the size. Who
            // asks for a high level asks for the size.
            Encoder::Zstd(_) if self.level < 6 => 2 << 20,
            Encoder::Zstd(_) => 8 << 20,
            // A stream keeps its own window: what fits the second-level cache is best.
            _ => 128 << 10,
        }
    }

    /// Whether what one call of [`write`](Self::write) appends is a whole frame, which must then be a chunk of its
    /// own: stock `pg_restore` drops whatever follows a frame's end in a chunk (`ReadDataFromArchiveZstd`,
    /// src/bin/pg_dump/compress_zstd.c).
    pub fn makes_frames(&self) -> bool {
        self.algorithm == Algorithm::Zstd
    }
}

fn failed<E: ToString>(algorithm: Algorithm) -> impl Fn(E) -> ArchiveError {
    move |e| ArchiveError::Compress { algorithm, reason: e.to_string() }
}

/// What is in the buffer, read anew if that is nothing; nothing at the end.
fn fill<R: Read>(input: &mut BufReader<R>) -> io::Result<&[u8]> {
    while let Err(e) = input.fill_buf() {
        if e.kind() != io::ErrorKind::Interrupted {
            return Err(e);
        }
    }
    Ok(input.buffer())
}
