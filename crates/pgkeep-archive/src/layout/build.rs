//! From stock entries and pieces to the TOC of the segmented archive.

use std::collections::HashMap;

use super::order::Node;
use super::{Layout, OffsetMode, Piece, Placed};
use crate::{Algorithm, Compression, Container, DumpId, Entry, FormatVersion, Offset, Section, Toc};

/// Sets container, compression and the lowest version that can say it all.
pub(super) fn retarget(mut toc: Toc, target: Compression, mode: OffsetMode) -> Toc {
    toc.header.version = lowest_version(&toc, target.algorithm);
    toc.header.compression = target.algorithm;
    toc.header.level = target.level();
    toc.header.offset_size = 8;
    toc.header.container = if mode == OffsetMode::Files { Container::Directory } else { Container::Custom };
    toc
}

/// The lowest version, so that the most clients can read it: 1.14 by all that are still supported, 1.15 from
/// `pg_restore` 16, 1.16 from 17.
fn lowest_version(toc: &Toc, algorithm: Algorithm) -> FormatVersion {
    if toc.entries.iter().any(|e| e.desc_is("BLOB METADATA") || e.is_partitioned_with_am()) {
        FormatVersion::V1_16
    } else if matches!(algorithm, Algorithm::Lz4 | Algorithm::Zstd) {
        FormatVersion::V1_15
    } else {
        FormatVersion::V1_14
    }
}

/// What is still open while a TOC is built.
struct Filling<'p> {
    /// Where each piece stands, or nothing if it does not stand yet.
    places: Option<&'p [Placed]>,
    /// Uncut entries that were run again, under their new ids.
    renamed: HashMap<DumpId, DumpId>,
    /// Offsets of gates and of the sentinel.
    gates: HashMap<DumpId, u64>,
}

impl Layout {
    /// The TOC with no offset set.
    pub(super) fn unplaced(&self) -> Toc {
        let in_order: Vec<usize> = (0..self.pieces.len()).collect();
        let filling = Filling { places: None, renamed: HashMap::new(), gates: HashMap::new() };
        self.build(&in_order, &filling)
    }

    /// The TOC of a file of `end` bytes; `places` has every piece, by its index.
    pub(super) fn placed(&self, places: &[Placed], end: u64) -> Toc {
        let mut file_order: Vec<usize> = (0..places.len()).collect();
        file_order.sort_by_key(|i| places[*i].offset);
        let whole = self.pieces.iter().zip(places).filter(|(piece, _)| piece.of == 1);
        let renamed =
            whole.filter(|(piece, p)| piece.id != p.id).map(|(piece, p)| (piece.id, p.id)).collect();
        let filling = Filling { places: Some(places), renamed, gates: self.gate_offsets(places, end) };
        self.build(&file_order, &filling)
    }

    /// Offsets that ascend from the end of the file, each gate's by its table's bytes.
    fn gate_offsets(&self, places: &[Placed], end: u64) -> HashMap<DumpId, u64> {
        let mut offsets = HashMap::new();
        let mut at = end;
        for entry in self.toc.entries.iter().filter(|e| self.is_gate(e.id)) {
            offsets.insert(entry.id, at);
            let bytes: u64 = self.pieces_of(entry.id).iter().map(|p| places[p.index].len).sum();
            at = at.saturating_add(bytes);
        }
        offsets.extend(self.sentinel.map(|id| (id, at)));
        offsets
    }

    fn build(&self, file_order: &[usize], filling: &Filling<'_>) -> Toc {
        let (order, sentinel_at) = self.order(file_order);
        let mut entries: Vec<Entry> = order
            .into_iter()
            .map(|node| match node {
                Node::Stock(i) => self.stock(&self.toc.entries[i], filling),
                Node::Piece(p) => self.piece(&self.pieces[p], filling),
            })
            .collect();
        let gates_end = sentinel_at;
        if let Some(id) = self.sentinel {
            entries.insert(gates_end, self.sentinel_entry(id, filling));
        }
        Toc { header: self.toc.header.clone(), entries }
    }

    fn piece(&self, piece: &Piece, filling: &Filling<'_>) -> Entry {
        let stock = &self.toc.entries[self.by_id[&piece.entry]];
        let mut entry = self.renamed(stock, filling);
        entry.id = filling.id_of(piece);
        entry.offset = match filling.places {
            None => Offset::NotSet,
            Some(places) => Offset::At(places[piece.index].offset),
        };
        entry.file = (self.mode == OffsetMode::Files).then(|| self.file_of(piece).into());
        entry
    }

    fn stock(&self, stock: &Entry, filling: &Filling<'_>) -> Entry {
        let mut entry = self.renamed(stock, filling);
        let segments = self.pieces_of(stock.id);
        if segments.len() > 1 {
            entry.has_data = false;
            entry.copy = None;
            entry.dependencies.extend(segments.iter().map(|p| filling.id_of(p)));
            entry.offset = self.gate_offset(stock.id, filling);
        } else {
            entry.offset = Offset::NoData;
        }
        entry.file = None;
        entry
    }

    fn gate_offset(&self, id: DumpId, filling: &Filling<'_>) -> Offset {
        match self.mode {
            OffsetMode::Unknown | OffsetMode::Files => Offset::NoData,
            OffsetMode::Known => filling.gates.get(&id).map_or(Offset::NoData, |at| Offset::At(*at)),
        }
    }

    /// The entry, with dependencies on whatever was run again under another id put right.
    fn renamed(&self, stock: &Entry, filling: &Filling<'_>) -> Entry {
        let mut entry = stock.clone();
        for dependency in &mut entry.dependencies {
            if let Some(new) = filling.renamed.get(dependency) {
                *dependency = *new;
            }
        }
        entry
    }

    /// An entry that no reader does anything with: it has no data, no SQL and no dependencies. Its offset gives the
    /// last gate its length, and its copy statement, which is never read, takes up the slack.
    fn sentinel_entry(&self, id: DumpId, filling: &Filling<'_>) -> Entry {
        let grown = self.growth(filling);
        Entry {
            id,
            has_data: false,
            table_oid: Some("0".into()),
            oid: Some("0".into()),
            tag: Some("end of segmented data".into()),
            desc: Some("TABLE DATA".into()),
            section: Section::Data,
            definition: Some("".into()),
            drop: Some("".into()),
            copy: Some(vec![b' '; self.slack.saturating_sub(grown)].into()),
            namespace: None,
            tablespace: None,
            table_am: None,
            relkind: None,
            owner: Some("".into()),
            with_oids: Some("false".into()),
            dependencies: Vec::new(),
            offset: self.gate_offset(id, filling),
            file: None,
        }
    }

    /// By how many bytes dependency lists grew over those of the unplaced TOC.
    fn growth(&self, filling: &Filling<'_>) -> usize {
        let grown = |dependency: &DumpId| {
            let new = filling.renamed.get(dependency)?;
            Some(new.digits().saturating_sub(dependency.digits()))
        };
        let of = |entry: &Entry| -> usize {
            let copies = match self.pieces_of(entry.id).len() {
                n @ 2.. => n + 1,
                _ => 1,
            };
            copies * entry.dependencies.iter().filter_map(grown).sum::<usize>()
        };
        if filling.renamed.is_empty() { 0 } else { self.toc.entries.iter().map(of).sum() }
    }
}

impl Filling<'_> {
    /// The id that the piece stands under.
    fn id_of(&self, piece: &Piece) -> DumpId {
        self.places.map_or(piece.id, |places| places[piece.index].id)
    }
}
