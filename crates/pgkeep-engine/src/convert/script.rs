//! From a script to an archive. The script is read twice: for the table of contents, whose length must be known before
//! any data is written, and for the data.

use std::collections::HashMap;
use std::io;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use pgkeep_archive::{
    Algorithm, BlockKind, Compression, DumpId, Layout, OffsetMode, Piece, ScriptContents, SegmentPlan, Title,
    Visit,
};

use super::{ConvertOptions, Converted};
use crate::cancel::Cancel;
use crate::dump::{DumpTarget, Format, Output, PIECE_MEMORY, begin_output, default_compression, offset_mode};
use crate::error::{EngineError, ErrorKind, Result};
use crate::progress::{Phase, Progress};
use crate::restore::ScriptSource;

/// Makes an archive of a script that pg_dump or pgkeep wrote. What a script does not say is the dependencies: after
/// data all is restored in its order, save that indexes are made side by side.
///
/// # Errors
/// `Archive` where the script is cut or damaged, or not pg_dump's; the target's own. Nothing was finished then.
pub fn convert_script(
    source: &ScriptSource<'_>,
    options: &ConvertOptions,
    target: DumpTarget<'_>,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<Converted> {
    if options.format == Format::Plain {
        let why = "it is a script already";
        return Err(EngineError::new(ErrorKind::Config, "converting a script", why)
            .hint("zstd, gzip and lz4 pack and unpack it as the file that it is"));
    }
    progress.enter(Phase::Starting);
    let ScriptContents { toc, data } = source.contents(progress, cancel)?;
    let compression = options.compression.unwrap_or_else(|| match source.compression {
        Algorithm::None => {
            let version = toc.header.server_version.as_ref().map(|v| v.to_string()).unwrap_or_default();
            let major = version.split(['.', ' ']).next().and_then(|v| v.parse().ok()).unwrap_or(0);
            default_compression(major)
        }
        codec => codec.into(),
    });
    let mode = offset_mode(&target, options.format)?;
    let mut segments: HashMap<DumpId, usize> = HashMap::new();
    let places: Vec<(DumpId, usize)> = data
        .iter()
        .map(|stretch| {
            let next = segments.entry(stretch.entry).or_default();
            *next += 1;
            (stretch.entry, *next - 1)
        })
        .collect();
    let cut = segments.into_iter().filter(|(_, segments)| *segments > 1);
    let plan: Vec<SegmentPlan> = cut.map(|(entry, segments)| SegmentPlan { entry, segments }).collect();
    let layout = Layout::new(toc, &plan, 0, compression, mode)?;
    let pieces: HashMap<(DumpId, usize), &Piece> =
        layout.pieces().iter().map(|p| ((p.entry, p.segment), p)).collect();
    let pieces: Vec<(Piece, u64)> = places
        .iter()
        .zip(&data)
        .filter_map(|(place, stretch)| Some(((*pieces.get(place)?).clone(), stretch.bytes)))
        .collect();
    if mode == OffsetMode::Unknown && !pieces.is_sorted_by_key(|(p, _)| p.index) {
        let why = "the segments of its tables do not follow one another, as they must in a pipe";
        return Err(EngineError::new(ErrorKind::Config, "converting a script", why)
            .hint("write to a file or a bucket"));
    }
    progress.enter(Phase::Data);
    let expected = data.iter().map(|s| s.bytes).sum();
    let stop = cancel.child();
    let output = begin_output(target, layout, None, compression, expected, PIECE_MEMORY, stop)?;
    carry(source, pieces, &*output, compression, progress, cancel)?;
    progress.enter(Phase::Finishing);
    Ok(Converted { len: output.finish()?, compression })
}

/// What the reader tells the writer.
enum Message {
    Begin(Piece, u64),
    Text(Vec<u8>),
    Object(u32),
    ObjectEnd,
    End,
}

/// Reads the data again, on this thread, while another packs and writes it.
fn carry(
    source: &ScriptSource<'_>,
    pieces: Vec<(Piece, u64)>,
    output: &dyn Output,
    compression: Compression,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<()> {
    thread::scope(|scope| {
        let (to, messages) = bounded(4);
        let writer = scope.spawn(move || write(output, compression, &messages));
        let mut feed = Feed { to, pieces: pieces.into_iter(), text: Vec::new() };
        let read = source.pass(&mut feed, progress, cancel);
        drop(feed);
        let written = writer.join().unwrap_or_else(|_| Err(EngineError::cancelled()));
        match (read, written) {
            // The reader stops where nobody listens any more.
            (_, Err(e)) if e.kind != ErrorKind::Cancelled => Err(e),
            (Err(e), _) | (Ok(_), Err(e)) => Err(e),
            (Ok(_), Ok(())) => Ok(()),
        }
    })
}

/// Text that is handed over at a time.
const TEXT: usize = 2 << 20;

struct Feed {
    to: Sender<Message>,
    pieces: std::vec::IntoIter<(Piece, u64)>,
    text: Vec<u8>,
}

impl Feed {
    fn send(&self, message: Message) -> io::Result<()> {
        self.to.send(message).map_err(|_| io::Error::other("writing has ended"))
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = std::mem::take(&mut self.text);
        if text.is_empty() { Ok(()) } else { self.send(Message::Text(text)) }
    }
}

impl Visit for Feed {
    type Error = io::Error;

    fn setting(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
    fn entry(&mut self, _: &Title) -> io::Result<()> {
        Ok(())
    }
    fn statement(&mut self, _: Vec<u8>) -> io::Result<()> {
        Ok(())
    }
    fn data(&mut self, _: &Title, _: &[u8]) -> io::Result<()> {
        let Some((piece, bytes)) = self.pieces.next() else {
            return Err(io::Error::other("the script has changed since it was first read"));
        };
        self.send(Message::Begin(piece, bytes))
    }
    fn text(&mut self, text: &[u8]) -> io::Result<()> {
        self.text.extend_from_slice(text);
        if self.text.len() < TEXT { Ok(()) } else { self.flush() }
    }
    fn object(&mut self, oid: u32) -> io::Result<()> {
        self.send(Message::Object(oid))
    }
    fn object_end(&mut self) -> io::Result<()> {
        self.flush()?;
        self.send(Message::ObjectEnd)
    }
    fn data_end(&mut self) -> io::Result<()> {
        self.flush()?;
        self.send(Message::End)
    }
}

/// Writes pieces until the reader ends.
fn write(output: &dyn Output, compression: Compression, messages: &Receiver<Message>) -> Result<()> {
    let mut compressor = output.compressor(compression)?;
    while let Ok(message) = messages.recv() {
        let Message::Begin(piece, bytes) = message else { return Err(EngineError::cancelled()) };
        let mut sink = output.begin(&mut compressor, piece.index, piece.id, piece.kind, bytes);
        loop {
            match messages.recv() {
                Ok(Message::Text(text)) if piece.kind == BlockKind::Data => sink.write(&text)?,
                Ok(Message::Text(bytes)) => sink.bytes(&bytes)?,
                Ok(Message::Object(oid)) => sink.begin(oid)?,
                Ok(Message::ObjectEnd) => sink.end()?,
                Ok(Message::End) => break sink.finish()?,
                Ok(Message::Begin(..)) | Err(_) => return Err(EngineError::cancelled()),
            }
        }
    }
    Ok(())
}
