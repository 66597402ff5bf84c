//! What can go wrong with an archive, said so that a reader knows what to do next.

use std::io;

use bstr::BString;

use crate::{Algorithm, DumpId, FormatVersion};

/// `Result` with [`ArchiveError`].
pub type Result<T, E = ArchiveError> = std::result::Result<T, E>;

/// Why an archive could not be read, written, or laid out.
///
/// Offsets are absolute positions in the archive, so that a damaged place can be looked at (`xxd -s`).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The first five bytes are not `PGDMP`.
    #[error("this is not a custom-format archive: it begins with {found:?}, not \"PGDMP\"; {hint}")]
    NotAnArchive {
        /// The first bytes of the file.
        found: BString,
        /// What the file looks like, and what to use instead.
        hint: &'static str,
    },

    /// A format byte of neither the custom nor the directory format.
    #[error(
        "the header says that this archive is of a format that no pg_dump writes (format byte {format}): it is \
         damaged; take another copy of the archive"
    )]
    UnknownFormat {
        /// The format byte of the header.
        format: u8,
    },

    /// The table of contents of a directory, where a whole archive was expected.
    #[error(
        "this is the table of contents of an archive in pg_dump's directory format, whose data lies in files beside \
         it; name the folder that it lies in, or dump again with pg_dump -Fc"
    )]
    OnlyTableOfContents,

    /// A file of a directory is not there.
    #[error("the file {file} is missing, which holds {what}; take another copy or an older backup")]
    MissingFile {
        /// Its name, without the ending of its codec.
        file: String,
        /// The entry.
        what: String,
    },

    /// A file of a directory that cannot be what its table of contents says.
    #[error("the file {file}: {what}")]
    BadFile {
        /// Its name.
        file: String,
        /// What is wrong with it, and what to do.
        what: String,
    },

    /// A format version outside of what this crate reads or writes.
    #[error(
        "archive format {version} is outside of the supported {} to {} \
         (pg_dump 9.0 to 18); {hint}",
        FormatVersion::OLDEST,
        FormatVersion::NEWEST
    )]
    UnsupportedVersion {
        /// The version found.
        version: FormatVersion,
        /// What to do about it.
        hint: &'static str,
    },

    /// Integer or offset widths that no supported platform writes.
    #[error(
        "the header says integers of {int_size} and offsets of {offset_size} bytes, \
         where 4 and 8 (or 4) are expected; the header is damaged: take another copy of the archive"
    )]
    UnsupportedSizes {
        /// Size of an int.
        int_size: u8,
        /// Size of a file offset.
        offset_size: u8,
    },

    /// A compression byte that stands for no known algorithm.
    #[error(
        "unknown compression {code} at offset {offset}: the header is damaged, or the archive comes from a \
         newer pg_dump than this program knows; take another copy, or update"
    )]
    UnknownCompression {
        /// The byte.
        code: u8,
        /// Where it stands.
        offset: u64,
    },

    /// The archive ends before what it announces.
    #[error(
        "the archive ends at offset {offset} in the middle of {reading}: it is cut off; \
         take another copy or an older backup"
    )]
    Truncated {
        /// Where the end was met.
        offset: u64,
        /// What was being read.
        reading: &'static str,
    },

    /// Bytes that cannot be what the format says.
    #[error("the archive is damaged at offset {offset}: {what}; take another copy or an older backup")]
    Corrupt {
        /// Where the bad bytes begin.
        offset: u64,
        /// What is wrong with them.
        what: String,
    },

    /// A string longer than any PostgreSQL can make.
    #[error(
        "a string of {claimed} bytes is announced at offset {offset}, more than the {limit} that PostgreSQL can \
         make: the archive is damaged; take another copy or an older backup"
    )]
    StringTooLong {
        /// Where its length stands.
        offset: u64,
        /// The announced length.
        claimed: u64,
        /// The limit, [`MAX_STRING`](crate::MAX_STRING).
        limit: u64,
    },

    /// The archive could not be read at all: a disk, a pipe, a store.
    #[error("reading the archive at offset {offset} failed: {source}")]
    Read {
        /// Where reading stood.
        offset: u64,
        /// The cause.
        source: io::Error,
    },

    /// The archive could not be written.
    #[error("writing the archive failed: {source}")]
    Write {
        /// The cause.
        source: io::Error,
    },

    /// A compressor refused its settings or its input.
    #[error("compressing with {algorithm} failed: {reason}")]
    Compress {
        /// The algorithm.
        algorithm: Algorithm,
        /// What its library says.
        reason: String,
    },

    /// A compression that cannot be understood, such as `zstd:99`.
    #[error("cannot use compression {text:?}: {reason}; write for example zstd:3, gzip:6, lz4 or none")]
    InvalidCompression {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },

    /// A TOC that the chosen format version has no words for.
    #[error("archive format {version} cannot say {what} (dump id {id}); write format {needed} instead")]
    CannotSay {
        /// The chosen version.
        version: FormatVersion,
        /// The lowest version that can.
        needed: FormatVersion,
        /// What cannot be said.
        what: &'static str,
        /// The entry, or 0 for the header.
        id: DumpId,
    },

    /// Two TOC entries share a dump id.
    #[error("dump id {id} stands twice in the table of contents; make the schema dump again")]
    DuplicateId {
        /// The id.
        id: DumpId,
    },

    /// A plan names an entry that cannot be cut.
    #[error("the plan for dump id {id} cannot be carried out: {reason}")]
    BadPlan {
        /// The entry of the plan.
        id: DumpId,
        /// Why not.
        reason: &'static str,
    },

    /// No dump ids are left.
    #[error(
        "{wanted} dump ids are wanted above {above}, more than there are; cut tables into fewer segments"
    )]
    IdsExhausted {
        /// The highest id in use.
        above: DumpId,
        /// How many more were wanted.
        wanted: u64,
    },

    /// A layout was finished with a piece missing, twice there, or in an impossible place.
    #[error("piece {piece} ({what}) cannot be placed: {reason}; this backup must be run again")]
    BadPlacement {
        /// Index of the piece.
        piece: usize,
        /// The table or large objects it belongs to.
        what: String,
        /// What is wrong.
        reason: String,
    },

    /// A layout was asked for the other mode's head.
    #[error("this layout was made for {made_for}, so it has no {asked}; make one for the other offset mode")]
    WrongMode {
        /// What it was made for.
        made_for: &'static str,
        /// What was asked for.
        asked: &'static str,
    },
}

impl ArchiveError {
    /// Wraps an error of the input, turning an early end into [`ArchiveError::Truncated`].
    pub(crate) fn read(offset: u64, reading: &'static str, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::UnexpectedEof {
            ArchiveError::Truncated { offset, reading }
        } else {
            ArchiveError::Read { offset, source }
        }
    }

    pub(crate) fn corrupt(offset: u64, what: impl Into<String>) -> Self {
        ArchiveError::Corrupt { offset, what: what.into() }
    }

    /// Whether the bytes themselves are at fault, so that reading again from the same copy cannot help.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            ArchiveError::NotAnArchive { .. }
                | ArchiveError::UnsupportedSizes { .. }
                | ArchiveError::UnknownCompression { .. }
                | ArchiveError::UnknownFormat { .. }
                | ArchiveError::MissingFile { .. }
                | ArchiveError::BadFile { .. }
                | ArchiveError::Truncated { .. }
                | ArchiveError::Corrupt { .. }
                | ArchiveError::StringTooLong { .. }
        )
    }
}

/// For [`std::io::Read`] implementations of this crate: the archive error stays reachable as the inner error.
impl From<ArchiveError> for io::Error {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Read { source, .. } | ArchiveError::Write { source } => source,
            ArchiveError::Truncated { .. } => io::Error::new(io::ErrorKind::UnexpectedEof, error),
            other => io::Error::new(io::ErrorKind::InvalidData, other),
        }
    }
}
