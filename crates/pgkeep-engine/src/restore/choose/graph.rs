//! How the entries of a table of contents hang together: what needs what, and what belongs to what.

use std::collections::{HashMap, HashSet};

use bstr::ByteSlice;
use pgkeep_archive::{DumpId, Entry};

use super::super::entry::{bytes, desc, tag};

/// Entries are meant by their index.
pub(in crate::restore) struct Graph<'a> {
    pub(super) entries: &'a [Entry],
    by_id: HashMap<DumpId, usize>,
    /// Partitions and their indexes with what they are attached to: pg_dump notes an order between them, but a partition
    /// can be made without its parent.
    attached: HashSet<(usize, usize)>,
    /// By entry: those that depend on it.
    dependents: Vec<Vec<usize>>,
    extensions: Vec<usize>,
}

/// What `--table` means: tables and whatever else holds or shows rows or numbers.
pub(super) fn is_relation(entry: &Entry) -> bool {
    matches!(desc(entry), b"TABLE" | b"VIEW" | b"MATERIALIZED VIEW" | b"FOREIGN TABLE" | b"SEQUENCE")
}

/// Whether the entry says something about another one, and goes along with that.
pub(super) fn is_about(entry: &Entry) -> bool {
    matches!(desc(entry), b"COMMENT" | b"ACL" | b"SECURITY LABEL" | b"SEQUENCE SET" | b"SEQUENCE OWNED BY")
}

/// Whether a constraint, trigger or default is this relation's: its tag is the relation's name, a space and its own.
pub(super) fn is_named_for(part: &Entry, relation: &Entry) -> bool {
    bytes(&part.namespace) == bytes(&relation.namespace)
        && tag(part).strip_prefix(tag(relation)).is_some_and(|rest| rest.starts_with(b" "))
}

impl<'a> Graph<'a> {
    pub(in crate::restore) fn new(entries: &'a [Entry]) -> Graph<'a> {
        let by_id: HashMap<DumpId, usize> = entries.iter().enumerate().map(|(i, e)| (e.id, i)).collect();
        let mut graph = Graph {
            entries,
            by_id,
            attached: HashSet::new(),
            dependents: vec![Vec::new(); entries.len()],
            extensions: Vec::new(),
        };
        for i in 0..entries.len() {
            let needs: Vec<usize> = graph.all_dependencies(i).collect();
            if let Some(child) = graph.attached_by(i) {
                graph.attached.extend(needs.iter().map(|parent| (child, *parent)));
            }
            for need in needs {
                graph.dependents[need].push(i);
            }
        }
        graph.extensions = (0..entries.len()).filter(|i| desc(&entries[*i]) == b"EXTENSION").collect();
        graph
    }

    fn all_dependencies(&self, i: usize) -> impl Iterator<Item = usize> + '_ {
        self.entries[i]
            .dependencies
            .iter()
            .filter_map(|id| self.by_id.get(id).copied())
            .filter(move |d| *d != i)
    }

    /// What this entry cannot be made without, as far as the archive has it.
    pub(super) fn needs(&self, i: usize) -> impl Iterator<Item = usize> + '_ {
        // pg_dump does not note which extension an exclusion constraint has its operator classes from.
        let excludes = desc(&self.entries[i]) == b"CONSTRAINT"
            && bytes(&self.entries[i].definition).contains_str(" EXCLUDE USING ");
        let extensions = self.extensions.iter().copied().filter(move |_| excludes);
        self.all_dependencies(i).filter(move |d| !self.attached.contains(&(i, *d))).chain(extensions)
    }

    /// What cannot be made without this entry.
    pub(super) fn needed_by(&self, i: usize) -> impl Iterator<Item = usize> + '_ {
        self.dependents[i].iter().copied().filter(move |d| !self.attached.contains(&(*d, i)))
    }

    /// What a TABLE ATTACH or INDEX ATTACH attaches: it has its name.
    fn attached_by(&self, i: usize) -> Option<usize> {
        let entry = &self.entries[i];
        let is_child = |d: &usize| {
            tag(&self.entries[*d]) == tag(entry)
                && bytes(&self.entries[*d].namespace) == bytes(&entry.namespace)
        };
        // The index of a constraint is its CONSTRAINT entry, whose tag begins with the table's name.
        let is_constraint = |d: &usize| {
            desc(&self.entries[*d]) == b"CONSTRAINT"
                && tag(&self.entries[*d]).ends_with(&[b" ".as_slice(), tag(entry)].concat())
        };
        match desc(entry) {
            b"TABLE ATTACH" => self.all_dependencies(i).find(is_child),
            b"INDEX ATTACH" => self.all_dependencies(i).find(|d| is_child(d) || is_constraint(d)),
            _ => None,
        }
    }

    /// Partitions of this partitioned table.
    pub(super) fn partitions(&self, table: usize) -> impl Iterator<Item = usize> + '_ {
        self.dependents[table]
            .iter()
            .filter(|d| desc(&self.entries[**d]) == b"TABLE ATTACH")
            .filter_map(|d| self.attached_by(*d))
            .filter(move |child| *child != table)
    }

    /// What is a part of this relation: rows, defaults, indexes, constraints, triggers, policies, and the sequences that
    /// it owns. Foreign keys are among them, whatever they refer to.
    pub(in crate::restore) fn parts(&self, relation: usize) -> impl Iterator<Item = usize> + '_ {
        self.dependents[relation].iter().copied().filter(move |d| self.is_part(*d, relation))
    }

    fn is_part(&self, part: usize, relation: usize) -> bool {
        let entry = &self.entries[part];
        match desc(entry) {
            b"TABLE DATA"
            | b"MATERIALIZED VIEW DATA"
            | b"STATISTICS DATA"
            | b"SEQUENCE"
            | b"INDEX"
            | b"STATISTICS" => true,
            b"DEFAULT" | b"CONSTRAINT" | b"CHECK CONSTRAINT" | b"FK CONSTRAINT" | b"TRIGGER" | b"RULE"
            | b"POLICY" => is_named_for(entry, &self.entries[relation]),
            b"ROW SECURITY" => tag(entry) == tag(&self.entries[relation]),
            _ => false,
        }
    }

    /// What says something about this entry.
    pub(super) fn words_about(&self, i: usize) -> impl Iterator<Item = usize> + '_ {
        self.dependents[i]
            .iter()
            .copied()
            .filter(move |d| is_about(&self.entries[*d]) && self.all_dependencies(*d).next() == Some(i))
    }

    /// `TABLE app.orders`, for notes.
    pub(super) fn name(&self, i: usize) -> String {
        self.entries[i].display().to_string()
    }

    /// The schemas' own entries.
    pub(super) fn is_schema(&self, i: usize, fits: impl Fn(&[u8]) -> bool) -> bool {
        desc(&self.entries[i]) == b"SCHEMA" && fits(tag(&self.entries[i]))
    }
}
