//! Fixtures, and a writer that rewrites one as a segmented archive.
#![allow(dead_code, unreachable_pub)]

use std::io::Read;

use pgkeep_archive::*;

/// Every archive under `tests/fixtures`.
pub const FIXTURES: [&str; 11] = [
    "pg14-gzip",
    "pg14-gzip-piped",
    "pg14-none",
    "pg16-lz4",
    "pg16-zstd",
    "pg17-gzip",
    "pg17-lz4-piped",
    "pg17-data-only",
    "pg18-gzip-statistics",
    "pg18-none-piped",
    "pg18-zstd",
];

pub fn file(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

pub fn fixture(name: &str) -> Vec<u8> {
    file(&format!("{name}.dump"))
}

pub fn toc(bytes: &[u8]) -> (Toc, u64) {
    read_toc_at(&bytes).unwrap()
}

/// The offset of an entry's block, from the TOC or by a scan.
pub fn offset_of(bytes: &[u8], toc: &Toc, data: u64, entry: &Entry) -> u64 {
    let _ = toc;
    match entry.offset {
        Offset::At(at) => at,
        _ => scan_blocks(&bytes, data).unwrap().iter().find(|b| b.id == entry.id).unwrap().offset,
    }
}

pub fn find<'t>(toc: &'t Toc, desc: &str, tag: &str) -> &'t Entry {
    toc.entries.iter().find(|e| e.desc_is(desc) && e.tag_is(tag)).unwrap()
}

/// A block's content, unpacked: rows, or large objects by oid.
pub enum Content {
    Rows(Vec<u8>),
    Blobs(Vec<(u32, Vec<u8>)>),
}

pub fn content(bytes: &[u8], offset: u64, algorithm: Algorithm) -> Content {
    let mut block = BlockReader::open_at(RangeReader::new(bytes, offset), offset).unwrap();
    let unpack = |r: &mut dyn Read| {
        let mut out = Vec::new();
        decoder(algorithm, r).unwrap().read_to_end(&mut out).unwrap();
        out
    };
    if block.kind() == BlockKind::Data {
        return Content::Rows(unpack(&mut block));
    }
    let mut blobs = Vec::new();
    while let Some(oid) = block.next_blob().unwrap() {
        blobs.push((oid, unpack(&mut block)));
    }
    Content::Blobs(blobs)
}

pub fn rows(bytes: &[u8], offset: u64, algorithm: Algorithm) -> Vec<u8> {
    match content(bytes, offset, algorithm) {
        Content::Rows(rows) => rows,
        Content::Blobs(_) => panic!("large objects at {offset}"),
    }
}

/// The block of one piece.
pub fn block(piece: &Piece, id: DumpId, content: &Content, compressor: &mut Compressor) -> Vec<u8> {
    let mut out = Vec::new();
    begin_block(piece.kind, id, &mut out);
    let mut pack = |bytes: &[u8], out: &mut Vec<u8>| {
        let mut packed = Vec::new();
        compressor.write(bytes, &mut packed).unwrap();
        compressor.finish(&mut packed).unwrap();
        push_chunk(out, &packed);
    };
    match content {
        Content::Rows(rows) => {
            pack(&segment(rows, piece.segment, piece.of), &mut out);
            end_block(&mut out);
        }
        Content::Blobs(blobs) => {
            for (oid, bytes) in blobs {
                push_blob_start(&mut out, *oid);
                pack(bytes, &mut out);
                push_blob_end(&mut out);
            }
            end_blobs(&mut out);
        }
    }
    out
}

/// What pg_dump writes after the rows.
pub const END_OF_ROWS: &[u8] = b"\\.\n\n\n";

/// Every n-th row, and the end marker.
fn segment(rows: &[u8], segment: usize, of: usize) -> Vec<u8> {
    let rows = rows.strip_suffix(END_OF_ROWS).expect("rows end with an end marker");
    let lines = rows.split_inclusive(|b| *b == b'\n').enumerate();
    let mut out: Vec<u8> = lines.filter(|(n, _)| n % of == segment).flat_map(|(_, l)| l).copied().collect();
    out.extend_from_slice(END_OF_ROWS);
    out
}

/// How a fixture is rewritten.
pub struct Rewrite {
    pub segments: usize,
    pub target: &'static str,
    pub mode: OffsetMode,
    /// Writes pieces in reverse, as workers that finish out of order would.
    pub reverse: bool,
    /// Writes each piece twice, the second time under a spare id.
    pub retry: bool,
}

/// Rewrites an archive with every table cut, and checks the head's length on the way.
pub fn rewrite(source: &[u8], how: &Rewrite) -> Vec<u8> {
    let (toc, data) = toc(source);
    let plan: Vec<SegmentPlan> = toc
        .entries
        .iter()
        .filter(|e| e.has_data && e.desc_is("TABLE DATA"))
        .map(|e| SegmentPlan { entry: e.id, segments: how.segments })
        .collect();
    let target: Compression = how.target.parse().unwrap();
    let mut layout = Layout::new(toc.clone(), &plan, 50, target, how.mode).unwrap();
    let mut compressor = Compressor::new(target).unwrap();
    let mut out = vec![0; usize::try_from(layout.head_len()).unwrap()];
    let mut pieces = layout.pieces().to_vec();
    if how.reverse {
        pieces.reverse();
    }
    let mut placed = Vec::new();
    for piece in &pieces {
        let entry = toc.entry(piece.entry).unwrap();
        let content = content(source, offset_of(source, &toc, data, entry), toc.header.compression);
        let mut id = piece.id;
        if how.retry {
            out.extend(block(piece, id, &content, &mut compressor));
            id = layout.spare_id().unwrap();
        }
        let offset = out.len() as u64;
        out.extend(block(piece, id, &content, &mut compressor));
        placed.push(Placed { piece: piece.index, id, offset, len: out.len() as u64 - offset });
    }
    let head_len = layout.head_len();
    let end = out.len() as u64;
    let head = match how.mode {
        OffsetMode::Known => layout.finish(&placed, end).unwrap(),
        OffsetMode::Unknown | OffsetMode::Files => layout.head_unplaced().unwrap(),
    };
    assert_eq!(head.len() as u64, head_len, "the head has the length that was foretold");
    out[..head.len()].copy_from_slice(&head);
    out
}

/// A whole archive of one cut table and the large objects in some 2 KiB, for tests that change every bit of it.
pub fn tiny(target: &'static str) -> Vec<u8> {
    let source = fixture("pg17-gzip");
    let (mut toc, data) = toc(&source);
    let compression = toc.header.compression;
    toc.entries.retain(|e| ["parts_north", "ENCODING"].iter().any(|t| e.tag_is(t)) || e.desc_is("BLOBS"));
    let table = find(&toc, "TABLE DATA", "parts_north").id;
    let target: Compression = target.parse().unwrap();
    let plan = [SegmentPlan { entry: table, segments: 2 }];
    let layout = Layout::new(toc.clone(), &plan, 0, target, OffsetMode::Known).unwrap();
    let mut compressor = Compressor::new(target).unwrap();
    let mut out = vec![0; layout.head_len() as usize];
    let mut placed = Vec::new();
    for piece in layout.pieces() {
        let entry = toc.entry(piece.entry).unwrap();
        let mut content = content(&source, offset_of(&source, &toc, data, entry), compression);
        if let Content::Blobs(blobs) = &mut content {
            blobs.iter_mut().for_each(|(_, bytes)| bytes.truncate(20));
        }
        let (offset, bytes) = (out.len() as u64, block(piece, piece.id, &content, &mut compressor));
        placed.push(Placed { piece: piece.index, id: piece.id, offset, len: bytes.len() as u64 });
        out.extend(bytes);
    }
    let head = layout.finish(&placed, out.len() as u64).unwrap();
    out[..head.len()].copy_from_slice(&head);
    out
}
