//! Damaged archives give errors: no panic, no memory for what is merely claimed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::Read;

use pgkeep_archive::exercise::exercise;
use pgkeep_archive::*;
use proptest::prelude::*;
use support::*;

const TARGETS: [&str; 4] = ["none", "gzip", "lz4", "zstd"];

#[test]
fn whole_archives_are_read_to_the_end() {
    for target in TARGETS {
        // Each of three blocks by the scan and by its offset.
        assert_eq!(exercise(&tiny(target)), 6, "{target}");
    }
    assert!(FIXTURES.iter().all(|name| exercise(&fixture(name)) >= 7));
}

#[test]
fn an_archive_cut_at_any_byte_does_not_panic_and_is_never_whole() {
    for target in TARGETS {
        let bytes = tiny(target);
        let (_, data) = toc(&bytes);
        for cut in 0..bytes.len() {
            let cut_off = &bytes[..cut];
            assert!(exercise(cut_off) < 6, "{target} cut at {cut}");
            if (cut as u64) < data {
                let error = read_toc_at(&cut_off).unwrap_err();
                assert!(matches!(error, ArchiveError::Truncated { .. }), "{target} cut at {cut}: {error:?}");
            }
        }
    }
}

#[test]
fn no_flipped_bit_makes_a_panic() {
    for target in TARGETS {
        let mut bytes = tiny(target);
        for at in 0..bytes.len() {
            // Two bits of each byte, all bits in turn: unoptimised, all of them would take minutes.
            for bit in [at % 8, (at + 3) % 8] {
                bytes[at] ^= 1 << bit;
                exercise(&bytes);
                bytes[at] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn claims_of_two_gigabytes_are_errors_and_not_allocations() {
    let bytes = tiny("zstd");
    let (_, data) = toc(&bytes);
    let mut claim = bytes.clone();
    // The database name stands after magic, versions, sizes, format, compression byte and seven ints.
    claim[12 + 7 * INT_LEN..][..INT_LEN].copy_from_slice(&encode_int(i32::MAX));
    let error = read_toc_at(&claim).unwrap_err();
    assert!(matches!(error, ArchiveError::StringTooLong { offset: 47, .. }), "{error:?}");

    let mut claim = bytes.clone();
    let chunk = data as usize + 1 + INT_LEN;
    claim[chunk..][..INT_LEN].copy_from_slice(&encode_int(i32::MAX));
    assert!(matches!(scan_blocks(&claim, data), Err(ArchiveError::Truncated { .. })));
    let mut block = BlockReader::open_at(&claim[data as usize..], data).unwrap();
    let error = block.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    assert!(error.to_string().contains("take another copy"), "{error}");

    claim[chunk..][..INT_LEN].copy_from_slice(&encode_int(-7));
    assert!(matches!(scan_blocks(&claim, data), Err(ArchiveError::Corrupt { .. })));
}

#[test]
fn a_count_of_two_billion_entries_ends_with_the_file() {
    let (mut toc, _) = toc(&tiny("none"));
    toc.entries.clear();
    let mut bytes = toc.to_bytes().unwrap();
    let at = bytes.len() - INT_LEN;
    bytes[at..].copy_from_slice(&encode_int(i32::MAX));
    assert!(matches!(read_toc_at(&bytes), Err(ArchiveError::Truncated { .. })));
    bytes[at..].copy_from_slice(&encode_int(-1));
    assert!(matches!(read_toc_at(&bytes), Err(ArchiveError::Corrupt { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn fixtures_with_many_bytes_changed_do_not_panic(
        name in prop::sample::select(&FIXTURES[..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let mut bytes = fixture(name);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        exercise(&bytes);
    }
}
