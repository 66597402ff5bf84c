//! What holds for every segmented archive.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::{HashMap, HashSet};

use pgkeep_archive::*;
use support::*;

const ALL: [Rewrite; 6] = [
    Rewrite { segments: 3, target: "zstd", mode: OffsetMode::Known, reverse: false, retry: false },
    Rewrite { segments: 2, target: "gzip", mode: OffsetMode::Known, reverse: true, retry: false },
    Rewrite { segments: 4, target: "lz4", mode: OffsetMode::Known, reverse: true, retry: true },
    Rewrite { segments: 1, target: "none", mode: OffsetMode::Known, reverse: true, retry: true },
    Rewrite { segments: 3, target: "none", mode: OffsetMode::Unknown, reverse: false, retry: false },
    Rewrite { segments: 1, target: "gzip", mode: OffsetMode::Unknown, reverse: false, retry: false },
];

fn each(mut check: impl FnMut(&str, &Rewrite, &Toc, &Toc, &[u8])) {
    for name in FIXTURES {
        let source = fixture(name);
        let stock = toc(&source).0;
        for how in &ALL {
            let bytes = rewrite(&source, how);
            check(name, how, &stock, &toc(&bytes).0, &bytes);
        }
    }
}

#[test]
fn every_row_is_in_the_archive_once() {
    for name in FIXTURES {
        let source = fixture(name);
        let (stock, stock_data) = toc(&source);
        for how in &ALL {
            let bytes = rewrite(&source, how);
            let (ours, data) = toc(&bytes);
            for entry in stock.entries.iter().filter(|e| e.desc_is("TABLE DATA")) {
                let expected =
                    rows(&source, offset_of(&source, &stock, stock_data, entry), stock.header.compression);
                let parts =
                    ours.entries.iter().filter(|e| e.has_data && e.oid == entry.oid && e.tag == entry.tag);
                let mut got = Vec::new();
                for part in parts {
                    let part = rows(&bytes, offset_of(&bytes, &ours, data, part), ours.header.compression);
                    got.extend(
                        part.strip_suffix(END_OF_ROWS)
                            .unwrap()
                            .split_inclusive(|b| *b == b'\n')
                            .map(<[u8]>::to_vec),
                    );
                }
                let expected = expected.strip_suffix(END_OF_ROWS).unwrap().split_inclusive(|b| *b == b'\n');
                let mut expected: Vec<Vec<u8>> = expected.map(<[u8]>::to_vec).collect();
                got.sort();
                expected.sort();
                assert!(got == expected, "{name}: {}", entry.display());
            }
        }
    }
}

#[test]
fn nothing_of_the_stock_toc_is_lost_or_out_of_order() {
    each(|name, how, stock, ours, _| {
        let stock_ids: HashSet<DumpId> = stock.entries.iter().map(|e| e.id).collect();
        // What is run again comes back under another id; that has a test of its own.
        for entry in stock.entries.iter().filter(|_| !how.retry) {
            let now = ours.entry(entry.id);
            let mut now = now.unwrap_or_else(|| panic!("{name}: {} is lost", entry.display())).clone();
            if entry.desc_is("TABLE DATA") && how.segments > 1 {
                assert_eq!((now.has_data, &now.copy), (false, &None));
                now.has_data = true;
                now.copy.clone_from(&entry.copy);
                now.dependencies.truncate(entry.dependencies.len());
            }
            // Only format 1.16 has it.
            now.relkind = entry.relkind;
            now.offset = entry.offset;
            assert_eq!(&now, entry, "{name}");
        }
        let rest = |toc: &Toc| -> Vec<DumpId> {
            let rest = toc.entries.iter().filter(|e| e.section != Section::Data && !e.desc_is("BLOBS"));
            rest.map(|e| e.id).filter(|id| stock_ids.contains(id)).collect()
        };
        assert_eq!(rest(ours), rest(stock), "{name}: what is not data keeps its order");
    });
}

#[test]
fn fresh_ids_are_above_all_others_and_of_one_width() {
    each(|_, how, stock, ours, _| {
        let stock_ids: HashSet<DumpId> = stock.entries.iter().map(|e| e.id).collect();
        let fresh: Vec<DumpId> =
            ours.entries.iter().map(|e| e.id).filter(|id| !stock_ids.contains(id)).collect();
        assert!(fresh.len() >= how.segments - 1);
        let width = |id: &DumpId| id.to_string().len();
        assert!(fresh.iter().all(|id| *id > stock.max_id() && width(id) == width(&fresh[0])), "{fresh:?}");
        let unique: HashSet<DumpId> = ours.entries.iter().map(|e| e.id).collect();
        assert_eq!(unique.len(), ours.entries.len());
    });
}

#[test]
fn every_entry_stands_after_what_it_depends_on() {
    each(|name, how, stock, ours, _| {
        let place: HashMap<DumpId, usize> = ours.entries.iter().enumerate().map(|(i, e)| (e.id, i)).collect();
        let gates: HashSet<DumpId> = stock
            .entries
            .iter()
            .filter(|e| e.desc_is("TABLE DATA") && how.segments > 1)
            .map(|e| e.id)
            .collect();
        let stock_place: HashMap<DumpId, usize> =
            stock.entries.iter().enumerate().map(|(i, e)| (e.id, i)).collect();
        for (i, entry) in ours.entries.iter().enumerate() {
            for on in &entry.dependencies {
                let ok_in_stock =
                    stock_place.get(&entry.id).zip(stock_place.get(on)).is_none_or(|(e, on)| on < e);
                // A gate does nothing itself: its segments count, and the gate depends on them.
                if gates.contains(on) && entry.has_data {
                    let gate = ours.entry(*on).unwrap();
                    assert!(gate.dependencies.iter().all(|s| place.get(s).is_none_or(|s| *s < i)), "{name}");
                } else if ok_in_stock {
                    assert!(place.get(on).is_none_or(|on| *on < i), "{name}: {}", entry.display());
                }
            }
        }
    });
}

#[test]
fn gates_depend_first_on_their_table_and_then_on_all_segments() {
    each(|name, how, stock, ours, _| {
        for entry in stock.entries.iter().filter(|e| e.desc_is("TABLE DATA") && how.segments > 1) {
            let gate = ours.entry(entry.id).unwrap();
            let (stock_part, segments) = gate.dependencies.split_at(entry.dependencies.len());
            assert_eq!(stock_part, entry.dependencies, "{name}");
            assert_eq!(segments.len(), how.segments);
            for id in segments {
                let segment = ours.entry(*id).unwrap();
                assert!(segment.has_data && segment.copy == entry.copy && segment.oid == entry.oid);
                assert_eq!(segment.dependencies, entry.dependencies);
            }
        }
    });
}

#[test]
fn pg_restore_sees_a_gate_as_large_as_its_table() {
    each(|name, how, stock, ours, bytes| {
        let lengths = stock_lengths(ours, bytes.len() as u64);
        if how.segments == 1 {
            return;
        }
        for entry in stock.entries.iter().filter(|e| e.desc_is("TABLE DATA")) {
            let gate = ours.entry(entry.id).unwrap();
            if how.mode == OffsetMode::Unknown {
                assert_eq!(gate.offset, Offset::NoData);
                continue;
            }
            let blocks = scan_blocks(&bytes, toc(bytes).1).unwrap();
            let segments = &gate.dependencies[entry.dependencies.len()..];
            let bytes: u64 = blocks.iter().filter(|b| segments.contains(&b.id)).map(|b| b.len).sum();
            assert_eq!(lengths[&gate.id], bytes, "{name}");
        }
    });
}

/// Data lengths as `_PrepParallelRestore` of pg_backup_custom.c works them out.
fn stock_lengths(toc: &Toc, end: u64) -> HashMap<DumpId, u64> {
    let with_offset: Vec<(DumpId, u64)> = toc
        .entries
        .iter()
        .filter_map(|e| if let Offset::At(at) = e.offset { Some((e.id, at)) } else { None })
        .collect();
    let next = with_offset.iter().skip(1).map(|(_, at)| *at).chain([end]);
    with_offset.iter().zip(next).map(|((id, at), next)| (*id, next.saturating_sub(*at))).collect()
}

#[test]
fn the_last_table_data_entry_of_each_table_is_its_gate() {
    each(|name, how, stock, ours, _| {
        for entry in stock.entries.iter().filter(|e| e.desc_is("TABLE DATA") && how.segments > 1) {
            let table = entry.dependencies.first();
            let last =
                ours.entries.iter().rfind(|e| e.desc_is("TABLE DATA") && e.dependencies.first() == table);
            assert_eq!(last.map(|e| e.id), Some(entry.id), "{name}");
        }
    });
}

#[test]
fn the_lowest_version_that_can_say_it_is_written() {
    let version = |name, target: &str| {
        let stock = toc(&fixture(name)).0;
        let layout = Layout::new(stock, &[], 0, target.parse().unwrap(), OffsetMode::Known).unwrap();
        layout.toc().header.version
    };
    for (name, target, expected) in [
        ("pg14-gzip", "gzip", FormatVersion::V1_14),
        ("pg14-gzip", "zstd:1", FormatVersion::V1_15),
        ("pg16-zstd", "none", FormatVersion::V1_14),
        ("pg16-zstd", "lz4", FormatVersion::V1_15),
        ("pg17-gzip", "gzip", FormatVersion::V1_16),
        ("pg17-gzip", "zstd", FormatVersion::V1_16),
    ] {
        assert_eq!(version(name, target), expected, "{name} as {target}");
    }
    let mut without = toc(&fixture("pg17-gzip")).0;
    without.entries.retain(|e| !e.desc_is("BLOB METADATA") && !e.desc_is("BLOBS") && !e.tag_is("parts_am"));
    let layout = Layout::new(without, &[], 0, Algorithm::Gzip.into(), OffsetMode::Known).unwrap();
    assert_eq!(layout.toc().header.version, FormatVersion::V1_14);
    assert_eq!(layout.toc().header.level, 6);
}

#[test]
fn tables_that_foreign_keys_point_to_are_loaded_first_whatever_the_file_order() {
    let stock = toc(&fixture("pg17-data-only")).0;
    let (accounts, history) =
        (find(&stock, "TABLE DATA", "accounts").id, find(&stock, "TABLE DATA", "history").id);
    let plan = [accounts, history].map(|entry| SegmentPlan { entry, segments: 3 });
    let layout = Layout::new(stock, &plan, 0, Algorithm::None.into(), OffsetMode::Known).unwrap();
    assert!(layout.pieces().iter().any(|p| p.entry == history && p.after == [accounts]));
    let bytes = rewrite(&fixture("pg17-data-only"), &ALL[1]);
    let ours = toc(&bytes).0;
    let place = |table| ours.entries.iter().positions_of(table);
    assert!(place("accounts").last() < place("history").first());
}

trait PositionsOf {
    fn positions_of(self, table: &str) -> Vec<usize>;
}

impl<'e, I: Iterator<Item = &'e Entry>> PositionsOf for I {
    fn positions_of(self, table: &str) -> Vec<usize> {
        self.enumerate().filter(|(_, e)| e.has_data && e.tag_is(table)).map(|(i, _)| i).collect()
    }
}

#[test]
fn an_uncut_table_that_is_run_again_takes_its_dependents_along_without_changing_the_heads_length() {
    let (mut stock, _) = toc(&fixture("pg14-gzip"));
    let table = find(&stock, "TABLE DATA", "accounts").id;
    // Ids of 1 digit against spares of 4: each mention grows by 3.
    let small = DumpId(7);
    assert!(stock.entry(small).is_none());
    for entry in &mut stock.entries {
        if entry.id == table {
            entry.id = small;
        }
        if entry.desc_is("INDEX") || entry.desc_is("SEQUENCE SET") {
            entry.dependencies.push(small);
        }
    }
    for spares in 0..3 {
        let new = |spares| {
            Layout::new(stock.clone(), &[], spares, Algorithm::None.into(), OffsetMode::Known).unwrap()
        };
        let mut layout = new(spares);
        let spare = layout.spare_id();
        assert_eq!(spare.is_some(), spares > 0);
        let (head_len, mut at) = (layout.head_len(), layout.head_len());
        let placed: Vec<Placed> = layout
            .pieces()
            .iter()
            .map(|p| {
                let id = spare.filter(|_| p.entry == small).unwrap_or(p.id);
                at += 10;
                Placed { piece: p.index, id, offset: at - 10, len: 10 }
            })
            .collect();
        let head = layout.finish(&placed, at).unwrap();
        assert_eq!(head.len() as u64, head_len);
        let ours = toc(&head).0;
        let index = ours.entries.iter().find(|e| e.desc_is("INDEX")).unwrap();
        assert!(index.dependencies.contains(&spare.unwrap_or(small)));
        assert!(ours.entry(spare.unwrap_or(small)).unwrap().has_data);
    }
}

#[test]
fn a_toc_without_data_is_laid_out_as_it_is() {
    let (mut stock, _) = toc(&fixture("pg14-none"));
    stock.entries.retain(|e| e.section == Section::PreData);
    let layout = Layout::new(stock.clone(), &[], 10, Algorithm::None.into(), OffsetMode::Known).unwrap();
    assert!(layout.pieces().is_empty());
    let len = layout.head_len();
    assert_eq!(layout.finish(&[], len).unwrap(), stock.to_bytes().unwrap());
}

#[test]
fn an_unplanned_layout_differs_from_stock_in_offsets_alone() {
    let source = fixture("pg16-zstd");
    let (stock, _) = toc(&source);
    let bytes = rewrite(&source, &Rewrite { segments: 1, target: "zstd", ..ALL[0] });
    let strip = |toc: &Toc| -> Vec<Entry> {
        let mut entries = toc.entries.clone();
        entries.iter_mut().for_each(|e| e.offset = Offset::NoData);
        entries.sort_by_key(|e| e.id);
        entries
    };
    assert_eq!(strip(&toc(&bytes).0), strip(&stock));
}

#[test]
fn wrong_plans_and_placements_are_refused() {
    let stock = toc(&fixture("pg14-gzip")).0;
    let table = find(&stock, "TABLE DATA", "accounts").id;
    let index = stock.entries.iter().find(|e| e.desc_is("INDEX")).unwrap().id;
    let new =
        |plan: &[SegmentPlan]| Layout::new(stock.clone(), plan, 2, Algorithm::None.into(), OffsetMode::Known);
    let plan = |entry, segments| SegmentPlan { entry, segments };
    for bad in [vec![plan(DumpId(1), 2)], vec![plan(index, 2)], vec![plan(table, 0)], vec![plan(table, 2); 2]]
    {
        assert!(matches!(new(&bad), Err(ArchiveError::BadPlan { .. })), "{bad:?}");
    }
    assert!(matches!(new(&[plan(table, usize::MAX)]), Err(ArchiveError::IdsExhausted { .. })));

    let layout = new(&[plan(table, 2)]).unwrap();
    let head = layout.head_len();
    let place = |p: &Piece| Placed { piece: p.index, id: p.id, offset: head + 10 * p.index as u64, len: 10 };
    let good: Vec<Placed> = layout.pieces().iter().map(place).collect();
    let end = head + 10 * good.len() as u64;
    assert!(layout.clone().finish(&good, end).is_ok());
    let changed = |change: &dyn Fn(&mut Vec<Placed>)| {
        let mut bad = good.clone();
        change(&mut bad);
        layout.clone().finish(&bad, end).unwrap_err().to_string()
    };
    assert!(changed(&|p| p.truncate(p.len() - 1)).contains("never written"));
    assert!(changed(&|p| p.push(p[0])).contains("twice"));
    assert!(changed(&|p| p[1].id = p[0].id).contains("not given out"));
    assert!(changed(&|p| p[0].offset = 5).contains("inside of the head"));
    assert!(changed(&|p| p[1].offset -= 1).contains("overlaps"));
    assert!(changed(&|p| p[0].len = u64::MAX).contains("do not fit"));
    assert!(changed(&|p| p[0].piece = 1_000).contains("no such piece"));
    assert!(matches!(layout.head_unplaced(), Err(ArchiveError::WrongMode { .. })));
}
