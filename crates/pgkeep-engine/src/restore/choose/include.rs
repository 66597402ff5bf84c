//! `--table` and `--schema`: what was named, what is a part of it, and what that cannot be made without.

use std::collections::HashSet;

use super::super::entry::{bytes, desc};
use super::graph::{Graph, is_about, is_relation};
use super::pattern::Pattern;
use crate::error::{EngineError, ErrorKind, Result};

/// What was chosen, and what the user should know about it.
pub(super) struct Included {
    pub(super) entries: HashSet<usize>,
    /// Those that were not named and are no part of what was.
    pub(super) needed: HashSet<usize>,
    pub(super) notes: Vec<String>,
}

/// Chooses by name. With `only_named` nothing that was not named comes along, as in pg_restore.
pub(super) fn include(
    graph: &Graph<'_>,
    schemas: &[Pattern],
    tables: &[Pattern],
    only_named: bool,
) -> Result<Included> {
    let named = named(graph, schemas, tables)?;
    if only_named {
        return Ok(Included { entries: strictly(graph, &named), needed: HashSet::new(), notes: Vec::new() });
    }
    let mut closure = Closure {
        graph,
        entries: HashSet::new(),
        needed: HashSet::new(),
        bare: Vec::new(),
        notes: Vec::new(),
    };
    for &i in &named {
        closure.whole(i);
    }
    if tables.is_empty() {
        for i in 0..graph.entries.len() {
            if graph.is_schema(i, |name| schemas.iter().any(|p| p.is_of_schema(name))) {
                closure.entries.insert(i);
                closure.needed.insert(i);
                closure.entries.extend(graph.words_about(i));
            }
        }
    }
    closure.without_what_reaches_out();
    closure.with_what_is_needed();
    closure.without_contents_of_nothing();
    Ok(Included { entries: closure.entries, needed: closure.needed, notes: closure.notes })
}

/// The entries that the patterns name. Every pattern names something.
fn named(graph: &Graph<'_>, schemas: &[Pattern], tables: &[Pattern]) -> Result<Vec<usize>> {
    let in_schema = |i: usize| {
        schemas.is_empty() || schemas.iter().any(|p| p.is_of_schema(bytes(&graph.entries[i].namespace)))
    };
    let by_name = |p: &Pattern, i: usize| is_relation(&graph.entries[i]) && p.is_of_entry(&graph.entries[i]);
    let all = 0..graph.entries.len();
    for p in tables {
        if !all.clone().any(|i| in_schema(i) && by_name(p, i)) {
            return Err(nothing("table, view or sequence", p));
        }
    }
    for p in schemas {
        let has = |i: usize| p.is_of_schema(bytes(&graph.entries[i].namespace));
        if !all.clone().any(|i| has(i) || graph.is_schema(i, |name| p.is_of_schema(name))) {
            return Err(nothing("schema", p));
        }
    }
    let wanted = |i: usize| tables.is_empty() || tables.iter().any(|p| by_name(p, i));
    Ok(all.filter(|&i| in_schema(i) && wanted(i)).collect())
}

pub(super) fn nothing(what: &str, pattern: &Pattern) -> EngineError {
    EngineError::new(
        ErrorKind::Config,
        format!("pattern {}", pattern.text()),
        format!("the archive has no {what} of that name"),
    )
    .hint("`pgkeep restore … --list` shows what it has")
}

/// As pg_restore: the named entries with their rows and what is said about them (`_tocEntryRequired`,
/// src/bin/pg_dump/pg_backup_archiver.c).
fn strictly(graph: &Graph<'_>, named: &[usize]) -> HashSet<usize> {
    let mut entries: HashSet<usize> = named.iter().copied().collect();
    for &i in named {
        let rows = graph
            .parts(i)
            .filter(|p| matches!(desc(&graph.entries[*p]), b"TABLE DATA" | b"MATERIALIZED VIEW DATA"));
        entries.extend(rows);
        entries.extend(graph.words_about(i));
    }
    entries
}

struct Closure<'g> {
    graph: &'g Graph<'g>,
    entries: HashSet<usize>,
    needed: HashSet<usize>,
    /// Tables that are made without rows, since something needs them.
    bare: Vec<usize>,
    notes: Vec<String>,
}

impl Closure<'_> {
    /// An entry with all that is a part of it or says something about it.
    fn whole(&mut self, i: usize) {
        if !self.entries.insert(i) {
            return;
        }
        let graph = self.graph;
        let along: Vec<usize> =
            graph.words_about(i).chain(graph.parts(i)).chain(graph.partitions(i)).collect();
        for part in along {
            self.whole(part);
        }
    }

    /// Takes out what ties the chosen to something that is not: foreign keys, memberships in publications, and
    /// attachments to a parent.
    fn without_what_reaches_out(&mut self) {
        let graph = self.graph;
        for i in 0..graph.entries.len() {
            let entry = &graph.entries[i];
            let missing = || graph.needs(i).find(|d| !self.entries.contains(d));
            match desc(entry) {
                // A parent's attachments come with the partitions.
                b"TABLE ATTACH" | b"INDEX ATTACH" if missing().is_none() => {
                    self.entries.insert(i);
                }
                b"TABLE ATTACH"
                | b"INDEX ATTACH"
                | b"PUBLICATION TABLE"
                | b"PUBLICATION TABLES IN SCHEMA"
                    if missing().is_some() =>
                {
                    self.entries.remove(&i);
                }
                b"FK CONSTRAINT" => {
                    let other = missing().filter(|_| self.entries.contains(&i));
                    if let Some(other) = other {
                        self.notes.push(format!(
                            "left out: {}, as {} is not restored",
                            graph.name(i),
                            graph.name(other)
                        ));
                        self.take_out(i);
                    }
                }
                _ => {}
            }
        }
    }

    fn take_out(&mut self, i: usize) {
        self.entries.remove(&i);
        for about in self.graph.words_about(i).collect::<Vec<_>>() {
            self.entries.remove(&about);
        }
    }

    /// Brings what the chosen cannot be made without: schemas, types, functions, extensions, and the bare definitions of
    /// tables that views look at.
    fn with_what_is_needed(&mut self) {
        let graph = self.graph;
        let mut open: Vec<usize> = self.entries.iter().copied().collect();
        open.sort_unstable();
        while let Some(i) = open.pop() {
            for need in graph.needs(i).collect::<Vec<_>>() {
                // A comment on an index waits for it, and nothing more.
                if is_about(&graph.entries[i]) || !self.entries.insert(need) {
                    continue;
                }
                open.push(need);
                self.needed.insert(need);
                self.entries.extend(
                    graph
                        .words_about(need)
                        .filter(|about| !matches!(desc(&graph.entries[*about]), b"SEQUENCE OWNED BY")),
                );
                if matches!(desc(&graph.entries[need]), b"TABLE" | b"MATERIALIZED VIEW" | b"FOREIGN TABLE") {
                    self.bare.push(need);
                    self.notes.push(format!(
                        "{} is made without rows and indexes, as {} needs it",
                        graph.name(need),
                        graph.name(i)
                    ));
                }
            }
        }
    }

    /// A materialized view is not filled from tables without rows: it would look as if there had been none.
    fn without_contents_of_nothing(&mut self) {
        if self.bare.is_empty() {
            return;
        }
        let graph = self.graph;
        let is_fill = |i: &usize| desc(&graph.entries[*i]) == b"MATERIALIZED VIEW DATA";
        let mut fills: Vec<usize> = self.entries.iter().copied().filter(is_fill).collect();
        fills.sort_unstable();
        for fill in fills {
            let (mut seen, mut open) = (HashSet::new(), vec![fill]);
            while let Some(i) = open.pop() {
                open.extend(graph.needs(i).filter(|d| seen.insert(*d)));
            }
            if self.bare.iter().any(|table| seen.contains(table)) {
                self.entries.remove(&fill);
                self.notes.push(format!(
                    "left out: {}, as tables that it reads are restored without rows",
                    graph.name(fill)
                ));
            }
        }
    }
}
