//! From a TOC and a plan to the data blocks that are to be written.

use std::collections::{HashMap, HashSet};

use super::ids::FreshIds;
use super::{Piece, SegmentPlan};
use crate::{ArchiveError, BlockKind, DumpId, Entry, Result, Toc};

/// Index of every entry by its id, each of which must be there once.
pub(super) fn index(toc: &Toc) -> Result<HashMap<DumpId, usize>> {
    let mut by_id = HashMap::with_capacity(toc.entries.len());
    for (i, entry) in toc.entries.iter().enumerate() {
        if by_id.insert(entry.id, i).is_some() {
            return Err(ArchiveError::DuplicateId { id: entry.id });
        }
    }
    Ok(by_id)
}

/// Number of segments of each table that is cut.
pub(super) fn segments(
    toc: &Toc,
    by_id: &HashMap<DumpId, usize>,
    plan: &[SegmentPlan],
) -> Result<HashMap<DumpId, usize>> {
    let mut segments = HashMap::new();
    let mut seen = HashSet::new();
    for &SegmentPlan { entry: id, segments: n } in plan {
        let bad = |reason| ArchiveError::BadPlan { id, reason };
        let entry = by_id.get(&id).and_then(|&i| toc.entries.get(i));
        let entry = entry.ok_or(bad("the table of contents has no such entry"))?;
        if !entry.has_data || !entry.desc_is("TABLE DATA") {
            return Err(bad("only TABLE DATA entries with data can be cut"));
        }
        if n == 0 {
            return Err(bad("a table has at least one segment"));
        }
        if !seen.insert(id) {
            return Err(bad("it is planned twice"));
        }
        if n > 1 {
            segments.insert(id, n);
        }
    }
    Ok(segments)
}

/// The pieces in stock order, which respects dependencies, and the first of each entry.
pub(super) fn pieces(
    toc: &Toc,
    by_id: &HashMap<DumpId, usize>,
    segments: &HashMap<DumpId, usize>,
    fresh: &mut FreshIds,
) -> (Vec<Piece>, HashMap<DumpId, usize>) {
    let mut pieces = Vec::new();
    let mut first = HashMap::new();
    let is_data = |id: &DumpId| by_id.get(id).and_then(|&i| toc.entries.get(i)).is_some_and(|e| e.has_data);
    let mut last_into_existing = None;
    for entry in toc.entries.iter().filter(|e| e.has_data) {
        first.insert(entry.id, pieces.len());
        let of = segments.get(&entry.id).copied().unwrap_or(1);
        let mut after: Vec<DumpId> = entry.dependencies.iter().copied().filter(is_data).collect();
        if fills_existing_table(entry, by_id) {
            after.extend(last_into_existing.replace(entry.id));
        }
        for segment in 0..of {
            let id = if of > 1 { fresh.segment() } else { entry.id };
            let (index, kind) = (pieces.len(), kind(entry));
            pieces.push(Piece { index, id, entry: entry.id, segment, of, kind, after: after.clone() });
        }
    }
    (pieces, first)
}

/// Whether the archive loads a table that it does not make, whose constraints may be there already: a data-only
/// dump, or a configuration table of an extension.
///
/// `pg_dump` sorts such entries by foreign keys, but writes no dependency between them into the archive
/// (`buildArchiveDependencies` leaves entries alone that came with a dependency, as table data does with its table;
/// src/bin/pg_dump/pg_dump.c). A serial restore relies on the order alone.
fn fills_existing_table(entry: &Entry, by_id: &HashMap<DumpId, usize>) -> bool {
    entry.desc_is("TABLE DATA") && !entry.dependencies.first().is_some_and(|table| by_id.contains_key(table))
}

/// `BLOBS` is the one kind of entry with a block of its own kind (`dumpLOs`, src/bin/pg_dump/pg_dump.c).
fn kind(entry: &Entry) -> BlockKind {
    if entry.desc_is("BLOBS") { BlockKind::Blobs } else { BlockKind::Data }
}

/// By how many bytes dependency lists can grow when uncut entries come to stand under spare ids, which may have more
/// digits than theirs: for each spare the entry that is named most often.
pub(super) fn slack(toc: &Toc, pieces: &[Piece], fresh: &FreshIds, spares: usize) -> usize {
    let mut named: HashMap<DumpId, usize> =
        pieces.iter().filter(|p| p.of == 1).map(|p| (p.entry, 0)).collect();
    // A segment's copy of its table's list names them, too.
    let copies: HashMap<DumpId, usize> =
        pieces.iter().filter(|p| p.of > 1).map(|p| (p.entry, p.of)).collect();
    for entry in &toc.entries {
        let lists = 1 + copies.get(&entry.id).copied().unwrap_or(0);
        for dependency in &entry.dependencies {
            if let Some(n) = named.get_mut(dependency) {
                *n += lists;
            }
        }
    }
    let growth = |(id, n): (DumpId, usize)| n * fresh.width().saturating_sub(id.digits());
    let mut growths: Vec<usize> = named.into_iter().map(growth).filter(|n| *n > 0).collect();
    growths.sort_unstable_by_key(|n| std::cmp::Reverse(*n));
    growths.into_iter().take(spares).sum()
}
