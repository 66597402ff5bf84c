//! Rows alone go into tables that have their foreign keys already: what is referred to must go first.

use std::collections::{HashMap, HashSet};

use pgkeep_archive::{DumpId, Entry, Toc};

use super::super::entry::{desc, is_table_data};
use super::graph::is_named_for;

/// By table: the tables that it refers to.
pub(super) struct References(HashMap<DumpId, Vec<DumpId>>);

impl References {
    /// As the archive's foreign keys tell.
    pub(super) fn of(entries: &[Entry]) -> References {
        let tables: HashMap<DumpId, &Entry> =
            entries.iter().filter(|e| desc(e) == b"TABLE").map(|e| (e.id, e)).collect();
        let mut references: HashMap<DumpId, Vec<DumpId>> = HashMap::new();
        for entry in entries.iter().filter(|e| desc(e) == b"FK CONSTRAINT") {
            let named: Vec<&Entry> =
                entry.dependencies.iter().filter_map(|d| tables.get(d).copied()).collect();
            if let Some(own) = named.iter().find(|table| is_named_for(entry, table)) {
                let others = named.iter().map(|table| table.id).filter(|other| *other != own.id);
                references.entry(own.id).or_default().extend(others);
            }
        }
        References(references)
    }

    /// Puts the entries with rows in such an order, else as they are. Tables that refer to each other in a circle have
    /// none.
    pub(super) fn sort(&self, toc: &mut Toc) {
        let is_rows = |e: &Entry| is_table_data(e);
        let mut depths: HashMap<DumpId, usize> = HashMap::new();
        for table in toc.entries.iter().filter(|e| is_rows(e)).filter_map(|e| e.dependencies.first()) {
            self.depth(*table, &mut depths);
        }
        let depth = |e: &Entry| e.dependencies.first().and_then(|t| depths.get(t)).copied().unwrap_or(0);
        let places: Vec<usize> =
            toc.entries.iter().enumerate().filter(|(_, e)| is_rows(e)).map(|(i, _)| i).collect();
        let mut rows: Vec<Entry> = places.iter().map(|i| toc.entries[*i].clone()).collect();
        rows.sort_by_key(depth);
        for (place, entry) in places.into_iter().zip(rows) {
            toc.entries[place] = entry;
        }
    }

    /// How long the longest chain of references from a table on is. Steps of its own on a list, as an archive's chains
    /// may be longer than a stack.
    fn depth(&self, table: DumpId, depths: &mut HashMap<DumpId, usize>) {
        let mut begun = HashSet::new();
        let mut open = vec![table];
        while let Some(&last) = open.last() {
            if depths.contains_key(&last) {
                open.pop();
                continue;
            }
            let referred = self.0.get(&last).map(Vec::as_slice).unwrap_or_default();
            if begun.insert(last) {
                open.extend(referred.iter().filter(|t| !begun.contains(t) && !depths.contains_key(t)));
            } else {
                let deepest = referred.iter().filter_map(|t| depths.get(t)).max();
                depths.insert(last, deepest.map_or(0, |d| d + 1));
                open.pop();
            }
        }
    }
}
