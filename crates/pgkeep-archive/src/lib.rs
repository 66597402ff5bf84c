//! PostgreSQL's custom and directory archive formats (`pg_dump -Fc`, `-Fd`): reading, writing, the segmented layout,
//! and scripts made of them.
//!
//! An archive is a [`Header`], a table of contents ([`Toc`]) and data blocks, each named by a [`DumpId`] and, where
//! the archive was written to a file, found by an [`Offset`] in the TOC. Facts come from PostgreSQL's
//! src/bin/pg_dump/pg_backup_archiver.c and pg_backup_custom.c; every module names its functions.
//!
//! # Reading
//! ```no_run
//! use pgkeep_archive::{BlockReader, Offset, RangeReader, decoder, read_toc_at};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = std::fs::File::open("shop.dump")?;
//! let (toc, _data_begins) = read_toc_at(&file)?;
//! for entry in &toc.entries {
//!     let Offset::At(offset) = entry.offset else { continue };
//!     if entry.has_data && entry.desc_is("TABLE DATA") {
//!         let block = BlockReader::open(RangeReader::new(&file, offset))?;
//!         let mut rows = decoder(toc.header.compression, block)?;
//!         println!("{}: {} bytes", entry.display(), std::io::copy(&mut rows, &mut std::io::sink())?);
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! # Writing
//! [`Layout`] takes a TOC that `pg_dump` made and a plan which tables to cut, says what data blocks are to be
//! written, and ends with the head of an archive that stock `pg_restore` restores. [`Compressor`] and the framing
//! helpers ([`begin_block`], [`push_chunk`], [`end_block`]) make the blocks.
//!
//! # Scripts
//! [`script()`] gives the text of the SQL script that `pg_restore -f -` would write, [`ScriptReader`] takes scripts apart.
//!
//! # Directories
//! In the directory format the table of contents is a file, and each data entry one of its own. [`DirectoryArchive`]
//! shows them as one custom archive, so that everything that reads the one reads the other.
//!
//! # Untrusted input
//! Nothing here panics on damaged bytes or allocates by a length that an archive merely claims: strings grow as
//! their bytes arrive and end at [`MAX_STRING`]; zstd windows end at 128 MiB, lz4 blocks at 8 MiB.

mod block;
mod codec;
mod compression;
mod directory;
mod entry;
mod error;
#[doc(hidden)]
pub mod exercise;
mod header;
mod id;
mod layout;
mod offset;
mod primitive;
mod read_at;
mod script;
mod toc;
mod version;

pub use block::{
    BlockKind, BlockReader, BlockRef, MAX_CHUNK, begin_block, end_blobs, end_block, find_blocks,
    push_blob_end, push_blob_start, push_chunk, push_chunk_head, scan_blocks,
};
pub use codec::{Compressor, decoder, file_decoder};
pub use compression::{Algorithm, Compression};
pub use directory::{DirectoryArchive, Folder, TOC_FILE, large_object_file, large_object_line};
pub use entry::{Entry, Section};
pub use error::{ArchiveError, Result};
pub use header::{Container, Header, Timestamp};
pub use id::DumpId;
pub use layout::{Layout, OffsetMode, Piece, Placed, SegmentPlan};
pub use offset::Offset;
pub use primitive::{INT_LEN, MAX_STRING, decode_int, encode_int};
pub use read_at::{RangeReader, ReadAt};
pub use script::{
    LargeObjectText, MAX_STATEMENT, Pass, ScriptEvent, ScriptPart, ScriptReader, format_identifier,
    group_acl, is_group_acl, object_oids, owned_object, script,
};
pub use toc::{Toc, read_toc_at};
pub use version::FormatVersion;
