//! `--exclude-table`, `--exclude-schema`: what is left out, and what cannot be made without it.

use std::collections::HashSet;

use super::super::entry::{bytes, desc};
use super::graph::{Graph, is_about, is_relation};
use super::pattern::Pattern;

/// Takes out of `chosen` what the patterns name, and what needs that; the latter is told.
pub(super) fn exclude(
    graph: &Graph<'_>,
    schemas: &[Pattern],
    tables: &[Pattern],
    chosen: &mut HashSet<usize>,
) -> Vec<String> {
    let mut gone = HashSet::new();
    for (i, entry) in graph.entries.iter().enumerate() {
        let schema = bytes(&entry.namespace);
        let by_schema =
            schemas.iter().any(|p| p.is_of_schema(schema) || graph.is_schema(i, |name| p.is_of_schema(name)));
        let by_table = is_relation(entry) && tables.iter().any(|p| p.is_of_entry(entry));
        if by_schema || by_table {
            take(graph, i, &mut gone);
        }
    }
    let mut open: Vec<usize> = gone.iter().copied().collect();
    open.sort_unstable();
    let mut notes = Vec::new();
    while let Some(i) = open.pop() {
        for dependent in graph.needed_by(i).collect::<Vec<_>>() {
            if gone.contains(&dependent) {
                continue;
            }
            let entry = &graph.entries[dependent];
            // That a partition which is left out is not attached goes without saying.
            let telling = !is_about(entry) && !matches!(desc(entry), b"TABLE ATTACH" | b"INDEX ATTACH");
            if chosen.contains(&dependent) && telling {
                notes.push(format!(
                    "left out: {}, as {} is not restored",
                    graph.name(dependent),
                    graph.name(i)
                ));
            }
            let before: HashSet<usize> = gone.clone();
            take(graph, dependent, &mut gone);
            open.extend(gone.difference(&before));
        }
    }
    chosen.retain(|i| !gone.contains(i));
    notes.sort();
    notes
}

/// An entry with its parts.
fn take(graph: &Graph<'_>, i: usize, gone: &mut HashSet<usize>) {
    if gone.insert(i) {
        for part in graph.parts(i).chain(graph.words_about(i)).collect::<Vec<_>>() {
            take(graph, part, gone);
        }
    }
}
