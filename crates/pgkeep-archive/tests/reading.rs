//! What stock pg_dump writes, we read, and write again to the byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pgkeep_archive::*;
use support::*;

#[test]
fn every_fixtures_toc_is_written_again_byte_for_byte() {
    for name in FIXTURES {
        let bytes = fixture(name);
        let (toc, data) = toc(&bytes);
        assert_eq!(toc.encoded_len(), data, "{name}");
        assert_eq!(toc.to_bytes().unwrap(), bytes[..data as usize], "{name}");
        let mut out = Vec::new();
        assert_eq!(toc.write(&mut out).unwrap(), data);
        assert!(toc.entries.len() > 5 && toc.max_id() > DumpId(100), "{name}");
    }
}

#[test]
fn headers_say_what_made_them() {
    let of = |name| toc(&fixture(name)).0.header;
    let h14 = of("pg14-gzip");
    assert_eq!((h14.version, h14.compression, h14.level), (FormatVersion::V1_14, Algorithm::Gzip, -1));
    assert_eq!(h14.database, Some("shop".into()));
    assert_eq!(h14.dump_version, Some("14.23".into()));
    assert!(h14.created.year > 2000 && (1..=31).contains(&h14.created.mday));
    assert_eq!((of("pg14-none").compression, of("pg14-none").level), (Algorithm::None, 0));
    assert_eq!((of("pg16-lz4").version, of("pg16-lz4").compression), (FormatVersion::V1_15, Algorithm::Lz4));
    assert_eq!(
        (of("pg18-zstd").version, of("pg18-zstd").compression),
        (FormatVersion::V1_16, Algorithm::Zstd)
    );
    assert_eq!(of("pg18-none-piped").compression, Algorithm::None);
}

#[test]
fn reading_a_toc_takes_not_a_byte_of_the_data() {
    let bytes = fixture("pg18-none-piped");
    let mut input = &bytes[..];
    let (toc, data) = Toc::read(&mut input).unwrap();
    assert_eq!(input.len() as u64, bytes.len() as u64 - data);
    let block = BlockReader::open(input).unwrap();
    assert!(toc.entry(block.id()).unwrap().has_data);
}

#[test]
fn rows_come_out_as_copy_gave_them() {
    for name in FIXTURES {
        let bytes = fixture(name);
        let (toc, data) = toc(&bytes);
        for table in ["accounts", "history"] {
            let entry = find(&toc, "TABLE DATA", table);
            let rows = rows(&bytes, offset_of(&bytes, &toc, data, entry), toc.header.compression);
            let mut expected = file(&format!("{table}.copy"));
            expected.extend_from_slice(END_OF_ROWS);
            assert!(rows == expected, "{name}: rows of {table} differ");
            assert_eq!(entry.display().to_string(), format!("TABLE DATA public.{table}"));
        }
    }
}

#[test]
fn large_objects_come_out_with_oids_above_an_int_and_without_bytes() {
    for name in FIXTURES {
        let bytes = fixture(name);
        let (toc, data) = toc(&bytes);
        let mut blobs = Vec::new();
        for entry in toc.entries.iter().filter(|e| e.desc_is("BLOBS")) {
            let at = offset_of(&bytes, &toc, data, entry);
            match content(&bytes, at, toc.header.compression) {
                Content::Blobs(more) => blobs.extend(more),
                Content::Rows(_) => panic!("{name}: BLOBS holds rows"),
            }
        }
        blobs.sort();
        let expected = [(70001, "large object one ".repeat(500).into_bytes()), (70002, vec![])];
        assert_eq!(blobs[..2], expected, "{name}");
        assert_eq!(blobs[2..], [(3_000_000_000, vec![0, 1, 2, 3])], "{name}");
    }
}

#[test]
fn a_scan_finds_the_blocks_that_offsets_name() {
    for name in FIXTURES {
        let bytes = fixture(name);
        let (toc, data) = toc(&bytes);
        let blocks = scan_blocks(&bytes, data).unwrap();
        let with_data: Vec<&Entry> = toc.entries.iter().filter(|e| e.has_data).collect();
        assert_eq!(blocks.len(), with_data.len(), "{name}");
        assert_eq!(blocks[0].offset, data);
        assert!(blocks.windows(2).all(|w| w[0].offset + w[0].len == w[1].offset));
        for entry in with_data {
            let block = blocks.iter().find(|b| b.id == entry.id).unwrap();
            assert_eq!(block.kind == BlockKind::Blobs, entry.desc_is("BLOBS"));
            match entry.offset {
                Offset::At(at) => assert_eq!(at, block.offset, "{name}"),
                other => assert!(name.ends_with("-piped") && other == Offset::NotSet, "{name}: {other:?}"),
            }
            let mut reader = BlockReader::open(RangeReader::new(&bytes, block.offset)).unwrap();
            while reader.next_blob().unwrap().is_some() {}
            std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
            assert!(reader.is_finished());
            assert_eq!(reader.bytes_read(), block.len);
        }
    }
}

#[test]
fn blocks_under_unknown_ids_are_listed() {
    let mut bytes = fixture("pg18-none-piped");
    begin_block(BlockKind::Data, DumpId(999_999), &mut bytes);
    push_chunk(&mut bytes, &[0; 100_000]);
    push_chunk(&mut bytes, b"");
    end_block(&mut bytes);
    let (_, data) = toc(&bytes);
    let last = *scan_blocks(&bytes, data).unwrap().last().unwrap();
    assert_eq!((last.id, last.len), (DumpId(999_999), 1 + 5 + 5 + 100_000 + 5));
}

#[test]
fn what_a_version_cannot_say_is_an_error_and_not_a_loss() {
    let (mut toc, _) = toc(&fixture("pg17-gzip"));
    toc.header.version = FormatVersion::V1_15;
    assert!(matches!(toc.to_bytes(), Err(ArchiveError::CannotSay { needed: FormatVersion::V1_16, .. })));
    toc.entries.retain(|e| !e.desc_is("BLOB METADATA"));
    let error = toc.to_bytes().unwrap_err();
    assert!(error.to_string().contains("partitioned"), "{error}");
    toc.entries.retain(|e| !e.tag_is("parts_am"));
    toc.header.version = FormatVersion::V1_14;
    toc.to_bytes().unwrap();
    toc.header.compression = Algorithm::Zstd;
    assert!(matches!(toc.to_bytes(), Err(ArchiveError::CannotSay { needed: FormatVersion::V1_15, .. })));
}

#[test]
fn other_files_are_refused_with_what_to_use_instead() {
    let error = |bytes: &[u8]| read_toc_at(&bytes).unwrap_err().to_string();
    assert!(error(b"-- PostgreSQL database dump\n").contains("psql"));
    assert!(error(b"\x1f\x8b\x08\0\0\0\0").contains("gzip -d"));
    assert!(error(b"").contains("cut off"));
    let bytes = fixture("pg14-gzip");
    let with = |at: usize, byte: u8| {
        let mut b = bytes.clone();
        b[at] = byte;
        error(&b)
    };
    assert!(with(6, 17).contains("update pgkeep"), "{}", with(6, 17));
    assert!(with(6, 11).contains("1.11"));
    assert!(with(8, 8).contains("4 and 8"));
    assert!(with(10, 5).contains("format byte 5"));
}
