//! How the data is cut into pieces of work. Pure: catalog facts in, ranges out.

use super::catalog::TableFacts;
use crate::rows::{Blocks, ranges};

/// Segments aimed at for the whole database: enough to keep many workers busy to the end, few enough for the
/// TOC and for stock pg_restore's scheduler.
const AIMED_SEGMENTS: u64 = 4096;
/// Smallest segment that is aimed at for the sake of the database's size. It compresses into a worker's memory even
/// if its text is twice its size on disk (bytea in hex) and does not compress at all.
const SMALL: u64 = 16 << 20;
/// Pieces a worker should have at least, so that all end at about the same time.
const PIECES_EACH: u64 = 8;
/// Smallest segment that is aimed at for their sake.
const SMALLEST: u64 = 4 << 20;
/// Largest aimed segment: still fits a worker's memory when it compresses fourfold.
const LARGEST: u64 = 64 << 20;

/// Aimed bytes of a segment for a database with this much table data that is read over `jobs` connections.
pub(super) fn segment_size(total: u64, jobs: usize) -> u64 {
    let by_size = (total / AIMED_SEGMENTS).clamp(SMALL, LARGEST);
    let by_jobs = total / (PIECES_EACH * jobs.max(1) as u64);
    by_size.min(by_jobs.max(SMALLEST))
}

/// The ranges that a table is cut into, at least two, or nothing where it stays whole.
///
/// Cut by tuple id ranges, which the server scans without reading the rest from 14 on (Tid Range Scan). Sizes
/// count TOAST, spread over the heap's blocks.
pub(super) fn cut(facts: &TableFacts, server_major: u32, segment: u64) -> Vec<Blocks> {
    if server_major < 14 || !facts.heap || facts.filter.is_some() || segment == 0 {
        return Vec::new();
    }
    // Half a segment over the size is no reason to cut.
    let count = ((facts.bytes + segment / 2) / segment).min(facts.blocks);
    if count < 2 {
        return Vec::new();
    }
    ranges(facts.blocks, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn heap(blocks: u64, bytes: u64) -> TableFacts {
        TableFacts { heap: true, blocks, bytes, filter: None }
    }

    proptest! {
        #[test]
        fn ranges_cover_every_block_once(blocks in 0u64..100_000_000, per_block in 0u64..100_000, segment in 1u64<<20..1<<30) {
            let ranges = cut(&heap(blocks, blocks * per_block), 14, segment);
            if !ranges.is_empty() {
                prop_assert!(ranges.len() >= 2);
                prop_assert_eq!(ranges[0].from, 0);
                prop_assert_eq!(ranges[ranges.len() - 1].to, None);
                for pair in ranges.windows(2) {
                    prop_assert_eq!(pair[0].to, Some(pair[1].from));
                    prop_assert!(pair[0].from < pair[1].from);
                }
            }
        }
    }

    #[test]
    fn what_a_tuple_id_range_cannot_read_stays_whole() {
        let big = heap(1 << 20, 8 << 30);
        assert!(!cut(&big, 14, SMALLEST).is_empty());
        assert!(cut(&big, 13, SMALLEST).is_empty());
        assert!(cut(&TableFacts { heap: false, ..big.clone() }, 17, SMALLEST).is_empty());
        assert!(cut(&TableFacts { filter: Some(b"WHERE x".to_vec()), ..big }, 17, SMALLEST).is_empty());
    }

    #[test]
    fn toast_counts() {
        assert_eq!(cut(&heap(4, 10 << 30), 17, SMALLEST).len(), 4);
        assert_eq!(cut(&heap(1, 10 << 30), 17, SMALLEST).len(), 0);
    }

    #[test]
    fn segments_grow_with_the_database_up_to_a_bound() {
        assert_eq!(segment_size(1 << 30, 4), SMALL);
        assert_eq!(segment_size(128 << 30, 4), 32 << 20);
        assert_eq!(segment_size(10 << 40, 4), LARGEST);
    }

    #[test]
    fn many_connections_get_many_segments_of_a_small_database() {
        assert_eq!(segment_size(512 << 20, 8), 8 << 20);
        assert_eq!(segment_size(100 << 20, 8), SMALLEST);
    }
}
