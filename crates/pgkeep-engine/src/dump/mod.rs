//! Dumping a database: one snapshot, the schema from a [`SchemaSource`], the rows over many connections.

mod catalog;
mod coordinator;
mod files;
mod large_objects;
mod output;
mod piece;
mod piece_writer;
mod plan;
mod run;
mod schema;
mod script;
mod selected;
mod sink;
mod work;
mod worker;

use std::io::Write;
use std::time::Duration;

use pgkeep_archive::{Compression, Layout, OffsetMode};

use files::Files;
use output::OneFile;
pub(crate) use run::default_compression;
pub use run::dump;
pub(crate) use script::ScriptTexts;
pub(crate) use sink::Output;

use crate::cancel::Cancel;
use crate::error::{EngineError, ErrorKind, Result};
pub use crate::report::{DatabaseIdentity, DumpReport, Format};
use crate::rules::Salt;
use crate::select::Selection;

/// Bytes of one piece's compressed data that a thread holds before it streams.
pub(crate) const PIECE_MEMORY: usize = 16 << 20;

/// How to dump.
#[derive(Debug, Clone)]
pub struct DumpOptions {
    /// What is written.
    pub format: Format,
    /// Connections that read data; at least 1.
    pub jobs: usize,
    /// Codec and level; `None` takes zstd for scripts and where the server's own pg_restore reads it (16 and later),
    /// else gzip.
    pub compression: Option<Compression>,
    /// Cut big tables into segments.
    pub segments: bool,
    /// Aimed size of a segment, bytes of table; `None` lets the planner choose by the database's size.
    pub segment_size: Option<u64>,
    /// Longest wait for a table's lock; `None` waits for ever.
    pub lock_timeout: Option<Duration>,
    /// What of the database to dump.
    pub selection: Selection,
    /// What masked values are made with; `None` takes one that nobody knows.
    pub mask_salt: Option<Salt>,
    /// Bytes of one piece's compressed data that a worker may hold before it must stream.
    pub piece_memory: usize,
}

impl Default for DumpOptions {
    fn default() -> Self {
        DumpOptions {
            format: Format::Custom,
            jobs: default_jobs(),
            compression: None,
            segments: true,
            segment_size: None,
            lock_timeout: Some(Duration::from_secs(60)),
            selection: Selection::default(),
            mask_salt: None,
            piece_memory: PIECE_MEMORY,
        }
    }
}

/// As many connections as the machine has processors, at least 2 (one waits for the network while the other
/// works) and at most 8 (beyond that the server is the limit and its other users suffer).
pub fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(2, |n| n.get()).clamp(2, 8)
}

/// An object that takes the archive's body in order and its head last.
pub trait ObjectTarget: Send {
    /// Called once, before any write. `expected_size` is a guess, in bytes, that errs on the large side.
    fn begin(&mut self, head_len: u64, expected_size: u64) -> Result<()>;
    /// The next bytes of the body, which starts at offset `head_len`.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
    /// The head, exactly `head_len` bytes; after this the object is whole and visible.
    fn finish(&mut self, head: Vec<u8>) -> Result<()>;
}

/// A place for the files of a directory, which several threads write at once.
pub trait DirectoryTarget: Sync {
    /// Begins a file of this name, or begins it again. It has no head, and comes to be with its
    /// [`finish`](ObjectTarget::finish).
    fn create(&self, name: &str) -> Result<Box<dyn ObjectTarget + '_>>;
}

/// Where the archive goes.
pub enum DumpTarget<'a> {
    /// An object whose head can be written last: exact offsets, pieces in any order.
    Object(&'a mut dyn ObjectTarget),
    /// Files: [`Format::Directory`], and that alone.
    Directory(&'a dyn DirectoryTarget),
    /// A pipe: head first without offsets, pieces in TOC order.
    Pipe(&'a mut (dyn Write + Send)),
}

/// How data is found in what goes to this target.
///
/// # Errors
/// `Config` where target and format do not go together.
pub(crate) fn offset_mode(target: &DumpTarget<'_>, format: Format) -> Result<OffsetMode> {
    match (target, format) {
        (DumpTarget::Object(_), Format::Custom) => Ok(OffsetMode::Known),
        (DumpTarget::Directory(_), Format::Directory) => Ok(OffsetMode::Files),
        (DumpTarget::Directory(_), _) | (_, Format::Directory) => Err(not_one_file()),
        _ => Ok(OffsetMode::Unknown),
    }
}

/// Begins an archive, or with `texts` a script. `expected` is a guess at its length, `piece_memory` bounds the
/// compressed bytes of one piece in the making.
pub(crate) fn begin_output<'a>(
    target: DumpTarget<'a>,
    layout: Layout,
    texts: Option<ScriptTexts>,
    compression: Compression,
    expected: u64,
    piece_memory: usize,
    cancel: Cancel,
) -> Result<Box<dyn Output + 'a>> {
    Ok(match target {
        DumpTarget::Directory(files) => Box::new(Files::begin(files, layout, compression, cancel)),
        target => Box::new(OneFile::begin(target, layout, texts, expected, piece_memory, cancel)?),
    })
}

/// The directory format, and only that, goes into a directory.
fn not_one_file() -> EngineError {
    let why = "the directory format is many files, and the others are one";
    EngineError::new(ErrorKind::Config, "writing the archive", why)
        .hint("give the directory format a folder or a bucket, and the others a file or a pipe")
}
