//! Checks where pieces were written.

use super::{Layout, Placed};
use crate::{ArchiveError, DumpId, Result};

/// Where each piece stands, by its index.
pub(super) fn check(layout: &Layout, placed: &[Placed], end: u64) -> Result<Vec<Placed>> {
    let mut places: Vec<Option<Placed>> = vec![None; layout.pieces.len()];
    for &p in placed {
        let Some(place) = places.get_mut(p.piece) else {
            return Err(bad(layout, p.piece, "there is no such piece".to_owned()));
        };
        if place.replace(p).is_some() {
            return Err(bad(layout, p.piece, "it is placed twice".to_owned()));
        }
        let own = layout.pieces.get(p.piece).map(|piece| piece.id);
        if Some(p.id) != own && !layout.fresh.is_spare(p.id) {
            return Err(bad(layout, p.piece, format!("dump id {} was not given out for it", p.id)));
        }
        if p.offset < layout.head_len {
            return Err(bad(layout, p.piece, format!("offset {} is inside of the head", p.offset)));
        }
        if p.len == 0 || p.offset.checked_add(p.len).is_none_or(|e| e > end || end > i64::MAX as u64) {
            let reason = format!("its {} bytes at offset {} do not fit a file of {end}", p.len, p.offset);
            return Err(bad(layout, p.piece, reason));
        }
    }
    if let Some(missing) = places.iter().position(Option::is_none) {
        return Err(bad(layout, missing, "it was never written".to_owned()));
    }
    let places: Vec<Placed> = places.into_iter().flatten().collect();
    check_ids(layout, &places)?;
    check_overlap(layout, &places)?;
    Ok(places)
}

fn check_ids(layout: &Layout, places: &[Placed]) -> Result<()> {
    let mut ids: Vec<(DumpId, usize)> = places.iter().map(|p| (p.id, p.piece)).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|w| w[0].0 == w[1].0) {
        Some(w) => Err(bad(layout, w[1].1, format!("dump id {} is another piece's, too", w[1].0))),
        None => Ok(()),
    }
}

fn check_overlap(layout: &Layout, places: &[Placed]) -> Result<()> {
    let mut sorted: Vec<&Placed> = places.iter().collect();
    sorted.sort_unstable_by_key(|p| p.offset);
    match sorted.windows(2).find(|w| w[0].offset + w[0].len > w[1].offset) {
        Some(w) => Err(bad(layout, w[1].piece, format!("it overlaps piece {}", w[0].piece))),
        None => Ok(()),
    }
}

fn bad(layout: &Layout, piece: usize, reason: String) -> ArchiveError {
    let entry = layout.pieces.get(piece).and_then(|p| layout.by_id.get(&p.entry));
    let what = entry.and_then(|&i| layout.toc.entries.get(i));
    let what = what.map_or_else(|| "unknown".to_owned(), |e| e.display().to_string());
    ArchiveError::BadPlacement { piece, what, reason }
}
