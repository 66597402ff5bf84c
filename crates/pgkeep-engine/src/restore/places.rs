//! Where each entry's data stands in the archive.

use std::collections::{HashMap, HashSet};

use pgkeep_archive::{DumpId, Offset, Toc, find_blocks};

use super::RestoreSource;
use super::entry::display;
use crate::error::{EngineError, ErrorKind, Result};

/// A stretch of the archive that holds one data block; it may be followed by bytes that belong to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Place {
    pub(crate) fn len(self) -> u64 {
        self.to - self.from
    }
}

/// Finds the data of every entry that has some: by its offset, or, in an archive that was written through a pipe,
/// by going through the blocks.
///
/// # Errors
/// `Archive` where data is missing or an offset leads nowhere; the target is still untouched then.
pub(crate) fn find(source: &RestoreSource<'_>) -> Result<HashMap<DumpId, Place>> {
    let RestoreSource { archive, toc, data_start, starts } = source;
    let len = archive
        .len()
        .map_err(|e| EngineError::new(ErrorKind::Archive, "reading the archive", e.to_string()))?;
    let with_data = || toc.entries.iter().filter(|e| e.has_data && e.offset != Offset::NoData);
    let mut places = HashMap::new();
    if with_data().any(|e| e.offset == Offset::NotSet) {
        let mut wanted: HashSet<DumpId> = with_data().map(|e| e.id).collect();
        for block in find_blocks(*archive, *data_start, &mut wanted)? {
            // Of two blocks with one id the first counts, as for a reader that scans until it finds it.
            places.entry(block.id).or_insert(Place { from: block.offset, to: block.offset + block.len });
        }
    }
    for entry in with_data() {
        if let Some(from) = at(entry) {
            if from >= len {
                return Err(missing(
                    entry,
                    format!("its data begins at byte {from}, and the archive ends at {len}"),
                ));
            }
            let next = starts.get(starts.partition_point(|s| *s <= from)).copied();
            places.insert(entry.id, Place { from, to: next.unwrap_or(len).min(len) });
        } else if !places.contains_key(&entry.id) {
            return Err(missing(entry, "no data block has its number".into()));
        }
    }
    Ok(places)
}

/// Where data begins, in order.
pub(super) fn starts(toc: &Toc) -> Vec<u64> {
    let mut starts: Vec<u64> = toc.entries.iter().filter(|e| e.has_data).filter_map(at).collect();
    starts.sort_unstable();
    starts
}

fn at(entry: &pgkeep_archive::Entry) -> Option<u64> {
    match entry.offset {
        Offset::At(offset) => Some(offset),
        _ => None,
    }
}

fn missing(entry: &pgkeep_archive::Entry, why: String) -> EngineError {
    EngineError::new(ErrorKind::Archive, format!("finding the data of {}", display(entry)), why)
        .hint("the archive is cut short or damaged: fetch it again, or take another backup")
}
