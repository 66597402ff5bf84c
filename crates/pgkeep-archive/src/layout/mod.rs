//! The segmented layout: one table's rows in several data blocks that stock `pg_restore` restores rightly.
//!
//! # Why a gate
//! Parallel `pg_restore` has two traps (src/bin/pg_dump/pg_backup_archiver.c): it marks the `TABLE DATA` entry whose
//! *first dependency* is a table made in the same run, and **truncates that table before loading**
//! (`buildTocEntryArrays`, `mark_create_done`, `restore_toc_entry`); and it repoints whatever depends on a table to
//! *one* data entry of it, the last in the TOC (`repoint_table_dependencies`). Naive chunks lose rows.
//!
//! So each segment is a `TABLE DATA` entry under a fresh dump id with the stock COPY statement and dependencies, and
//! behind all of them stands the **gate**: the stock entry under its stock id, without data, which depends on its
//! table and on all its segments. Whatever depends on the table's data waits for the gate.
//!
//! # Order
//! 1. what stock has before its first data entry;
//! 2. what data entries need (large object metadata), then the data pieces in file order, which pipes and size
//!    estimates rely on;
//! 3. the gates, then one sentinel;
//! 4. the rest (sequence values, statistics, post-data) as stock has it.
//!
//! An entry never stands before what it depends on. Tables that the archive does not make (data-only dumps,
//! configuration tables of extensions) keep stock's order, which satisfies their foreign keys; that goes before file
//! order. See [`Piece::after`].
//!
//! # Gate size
//! `pg_restore -j` schedules indexes by the data length of what they wait for, and takes the length from the next
//! entry's offset (`_PrepParallelRestore`, src/bin/pg_dump/pg_backup_custom.c). So gates have offsets, never read,
//! that ascend from the end of the file by their table's bytes, and the sentinel gives the last gate its length.

mod build;
mod ids;
mod order;
mod pieces;
mod place;

use std::collections::HashMap;

use crate::directory::OLD_LIST;
use crate::{BlockKind, Compression, DumpId, FormatVersion, Result, Toc};
use ids::FreshIds;

/// How a table is to be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentPlan {
    /// The stock `TABLE DATA` entry.
    pub entry: DumpId,
    /// Number of segments; 2 or more cut the table, 1 leaves it whole. Entries without a plan stay whole, too.
    pub segments: usize,
}

/// Whether offsets can be written into the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetMode {
    /// The head is written last, with all offsets.
    Known,
    /// The head is written first, to a pipe: readers scan.
    Unknown,
    /// There are no offsets: each piece is a file of a directory, [`Layout::file_of`].
    Files,
}

/// One data block that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its place in [`Layout::pieces`].
    pub index: usize,
    /// The dump id to write it under.
    pub id: DumpId,
    /// The stock entry it belongs to, which has the table's oid and the COPY statement.
    pub entry: DumpId,
    /// Which segment of the table, from 0.
    pub segment: usize,
    /// Number of segments of the table; 1 for what is not cut.
    pub of: usize,
    /// Rows or large objects.
    pub kind: BlockKind,
    /// Stock data entries whose pieces a serial restore must load first, as their order is all that keeps foreign
    /// keys satisfied: in data-only dumps, and for configuration tables of extensions. Else empty. An archive whose
    /// *file* order keeps to it can be restored through a pipe; readers that seek need no such care, as the TOC is
    /// ordered by it in any case.
    pub after: Vec<DumpId>,
}

/// Where a piece was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// [`Piece::index`].
    pub piece: usize,
    /// The dump id that it was written under: the piece's own, or one from [`Layout::spare_id`].
    pub id: DumpId,
    /// Where its block begins, from the begin of the archive.
    pub offset: u64,
    /// Length of its block, framing included.
    pub len: u64,
}

/// An archive whose blocks are known by name and not yet by place.
///
/// Made before any data is written; [`finish`](Self::finish) gives the head once all is in place. The head's length
/// is known from the begin, as everything in it that is still open has a fixed width.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Stock entries under the target's header.
    toc: Toc,
    /// Index of each stock entry by its id.
    by_id: HashMap<DumpId, usize>,
    pieces: Vec<Piece>,
    /// First piece of each stock data entry; its pieces follow one another.
    first_piece: HashMap<DumpId, usize>,
    fresh: FreshIds,
    /// Closes the row of gates, and takes up the bytes by which dependency lists may yet grow.
    sentinel: Option<DumpId>,
    /// Bytes by which dependency lists grow at most when uncut entries are run again under spare ids.
    slack: usize,
    mode: OffsetMode,
    head_len: u64,
}

impl Layout {
    /// Lays out an archive for a TOC as `pg_dump` gave it.
    ///
    /// `spares` dump ids are set aside for pieces that must be written again after a part of them is in the file
    /// already. Fresh ids are all above those in use and have equally many digits, as dependencies are decimal
    /// strings. The header's version becomes the lowest that can say it all, from 1.14.
    pub fn new(
        toc: Toc,
        plan: &[SegmentPlan],
        spares: usize,
        target: Compression,
        mode: OffsetMode,
    ) -> Result<Self> {
        target.validate()?;
        let by_id = pieces::index(&toc)?;
        let segments = pieces::segments(&toc, &by_id, plan)?;
        let spares = if mode == OffsetMode::Known { spares } else { 0 };
        let cut: usize = segments.values().sum();
        let mut fresh = FreshIds::new(toc.max_id(), cut, spares)?;
        let (pieces, first_piece) = pieces::pieces(&toc, &by_id, &segments, &mut fresh);
        let slack = pieces::slack(&toc, &pieces, &fresh, spares);
        let wants_sentinel = mode == OffsetMode::Known && (cut > 0 || slack > 0);
        let sentinel = wants_sentinel.then(|| fresh.sentinel());
        let toc = build::retarget(toc, target, mode);
        let mut layout = Self { toc, by_id, pieces, first_piece, fresh, sentinel, slack, mode, head_len: 0 };
        layout.head_len = layout.unplaced().encoded_len();
        Ok(layout)
    }

    /// Length of the head, which is where data begins: exactly what [`finish`](Self::finish) will give.
    pub fn head_len(&self) -> u64 {
        self.head_len
    }

    /// Every data block that is to be written, in an order that suits a pipe.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The stock TOC under the target's header, for entries' COPY statements and oids.
    pub fn toc(&self) -> &Toc {
        &self.toc
    }

    /// A fresh id for a piece that is written again. The block under the id before stays in the file as one that no
    /// entry names, which readers skip. `None` when all are used up, and always in a layout for a pipe, where ids
    /// are out already.
    pub fn spare_id(&mut self) -> Option<DumpId> {
        self.fresh.spare()
    }

    /// The file of a piece in a directory, without the ending of its codec (`_ArchiveEntry`,
    /// src/bin/pg_dump/pg_backup_directory.c). Before format 1.16 there is one list of large objects, under a name
    /// that readers take for granted.
    pub fn file_of(&self, piece: &Piece) -> String {
        match piece.kind {
            BlockKind::Data => format!("{}.dat", piece.id),
            BlockKind::Blobs if self.toc.header.version < FormatVersion::V1_16 => OLD_LIST.into(),
            BlockKind::Blobs => format!("blobs_{}.toc", piece.id),
        }
    }

    /// The head for a pipe, in which no offset is set, and the table of contents of a directory. In a pipe blocks must
    /// follow it in the order of [`pieces`](Self::pieces), each under its piece's own id.
    pub fn head_unplaced(&self) -> Result<Vec<u8>> {
        if self.mode == OffsetMode::Known {
            return Err(crate::ArchiveError::WrongMode {
                made_for: "an archive whose head is written last",
                asked: "head without offsets",
            });
        }
        self.unplaced().to_bytes()
    }

    /// The head, once all pieces stand in a file of `end` bytes.
    pub fn finish(self, placed: &[Placed], end: u64) -> Result<Vec<u8>> {
        if self.mode != OffsetMode::Known {
            return Err(crate::ArchiveError::WrongMode {
                made_for: "a pipe or a directory",
                asked: "head with offsets",
            });
        }
        let places = place::check(&self, placed, end)?;
        self.placed(&places, end).to_bytes()
    }

    /// The pieces of a stock data entry.
    fn pieces_of(&self, entry: DumpId) -> &[Piece] {
        let Some(&first) = self.first_piece.get(&entry) else { return &[] };
        let of = self.pieces.get(first).map_or(0, |p| p.of);
        self.pieces.get(first..first + of).unwrap_or_default()
    }

    /// Whether the entry was cut, so that it is a gate now.
    fn is_gate(&self, entry: DumpId) -> bool {
        self.pieces_of(entry).len() > 1
    }
}
