//! What is to be read, piece by piece, and where in the archive it goes: all that is decided before the first row.

use std::collections::{HashMap, HashSet};

use bstr::ByteSlice;
use pgkeep_archive::{BlockKind, Compression, DumpId, Entry, Layout, OffsetMode, SegmentPlan, Toc};

use super::catalog::{self, TableFacts, TableName};
use super::coordinator::Coordinator;
use super::piece::{Piece, Source, columns_of, split_columns};
use super::{DumpOptions, Format, large_objects, plan};
use crate::error::{EngineError, ErrorKind, Result};
use crate::fingerprint::Fingerprint;
use crate::report::{TableReport, name_text};
use crate::rows::{Blocks, copy_statement};
use crate::rules::Rules;

/// Everything that is known before the first row is read.
pub(super) struct Work {
    pub(super) layout: Layout,
    pub(super) pieces: Vec<Piece>,
    pub(super) tables: Vec<TableReport>,
    /// Aimed size of a segment.
    pub(super) segment_size: u64,
}

pub(super) fn lay_out(
    toc: Toc,
    names: &HashMap<u32, TableName>,
    rules: &Rules,
    coordinator: &mut Coordinator,
    options: &DumpOptions,
    compression: Compression,
    mode: OffsetMode,
) -> Result<Work> {
    let server_major = coordinator.client.server_major();
    let oids: Vec<u32> = names.keys().copied().collect();
    let facts = catalog::facts(&mut coordinator.client, &oids)?;
    let blobs = large_objects::by_entry(&toc.entries);
    let all_blobs: usize = blobs.values().map(Vec::len).sum();
    let blob_bytes = if all_blobs > 0 { catalog::large_object_bytes(&mut coordinator.client)? } else { 0 };
    let total: u64 = facts.values().map(|f| f.bytes).sum();
    let segment = options.segment_size.unwrap_or_else(|| plan::segment_size(total, options.jobs));

    let mut cuts: HashMap<DumpId, Vec<Blocks>> = HashMap::new();
    if options.segments {
        let made: HashSet<DumpId> = toc.entries.iter().map(|e| e.id).collect();
        // Into a table that is there already (data only), a segment would not bring all that its rows refer to.
        let is_made = |e: &&Entry| e.dependencies.first().is_some_and(|table| made.contains(table));
        let data = toc.entries.iter().filter(|e| e.has_data && e.desc_is("TABLE DATA"));
        for entry in data.filter(is_made) {
            let Some(facts) = oid_of(entry).and_then(|oid| facts.get(&oid)) else { continue };
            let ranges = plan::cut(facts, server_major, segment);
            if !ranges.is_empty() {
                cuts.insert(entry.id, ranges);
            }
        }
    }
    let segment_plan: Vec<SegmentPlan> = toc
        .entries
        .iter()
        .filter_map(|e| Some(SegmentPlan { entry: e.id, segments: cuts.get(&e.id)?.len() }))
        .collect();
    // One spare id for every retry that is still allowed; lost connections are few or the run is lost.
    let layout = Layout::new(toc, &segment_plan, 64, compression, mode)?;

    let data: HashMap<DumpId, &Entry> =
        layout.toc().entries.iter().filter(|e| e.has_data).map(|e| (e.id, e)).collect();
    let mut tables: Vec<TableReport> = Vec::new();
    let mut of_entry: HashMap<DumpId, usize> = HashMap::new();
    let mut pieces = Vec::with_capacity(layout.pieces().len());
    for p in layout.pieces() {
        let entry = data.get(&p.entry).ok_or_else(|| no_such(p.entry))?;
        if p.kind == BlockKind::Blobs {
            let oids = blobs.get(&p.entry).cloned().unwrap_or_default();
            let bytes = blob_bytes * oids.len() as u64 / all_blobs.max(1) as u64;
            let source = Source::LargeObjects { oids };
            pieces.push(Piece { index: p.index, table: None, source, ruled: false, end_mark: false, bytes });
            continue;
        }
        let oid = oid_of(entry).ok_or_else(|| no_such(p.entry))?;
        let table = names.get(&oid).ok_or_else(|| {
            EngineError::new(
                ErrorKind::Server,
                entry.display().to_string(),
                "the table is not in the catalog any more",
            )
            .hint("it was dropped while the backup began; run it again")
        })?;
        let default = TableFacts::default();
        let facts = facts.get(&oid).unwrap_or(&default);
        let columns = columns_of(entry.copy.as_ref().map_or(b"".as_slice(), |c| c.as_slice()))?;
        let column_names = split_columns(&columns);
        let blocks = cuts.get(&p.entry).map(|ranges| ranges[p.segment]);
        let report = *of_entry.entry(p.entry).or_insert_with(|| {
            tables.push(TableReport {
                schema: name_text(&table.schema),
                table: name_text(&table.name),
                columns: column_names.iter().map(|c| name_text(c)).collect(),
                filter: facts.filter.as_ref().map(|f| name_text(f)),
                segments: p.of as u32,
                fingerprint: Fingerprint::default(),
            });
            tables.len() - 1
        });
        let plain = table.kind != b'f';
        let (selected, filter) = match rules.of(oid) {
            Some(rules) => (rules.columns(&column_names), Some(rules.clause())),
            None => (columns, facts.filter.clone()),
        };
        let sql = copy_statement(&table.quoted, plain, &selected, filter.as_deref(), blocks);
        pieces.push(Piece {
            index: p.index,
            table: Some(report),
            source: Source::Table { table: table.clone(), sql },
            ruled: rules.of(oid).is_some(),
            end_mark: options.format != Format::Plain || p.segment + 1 == p.of,
            bytes: facts.bytes / p.of.max(1) as u64,
        });
    }
    if mode != OffsetMode::Unknown {
        pieces.sort_by_key(|p| std::cmp::Reverse(p.bytes));
    }
    Ok(Work { layout, pieces, tables, segment_size: segment })
}

fn no_such(id: DumpId) -> EngineError {
    EngineError::new(ErrorKind::Archive, "planning", format!("entry {id} has data and no table"))
}

pub(super) fn oid_of(entry: &Entry) -> Option<u32> {
    entry.oid.as_ref()?.to_str().ok()?.parse().ok()
}
