//! What of an archive is restored: names, sections, and lists as pg_restore has them.

mod contents;
mod exclude;
mod foreign_keys;
mod graph;
mod include;
mod list;
mod pattern;

use std::collections::HashSet;

use bstr::ByteSlice;
use pgkeep_archive::{DumpId, Entry, Section, Toc};

use super::copy_statement::CopyStatement;
use super::entry::{bytes, desc, is_database, is_setting, is_via_root, qualified, tag};
use crate::error::{EngineError, ErrorKind, Result};
use crate::select::{Kind, Preset, drop_owned};
use foreign_keys::References;
pub(super) use graph::Graph;
use include::nothing;
pub(super) use pattern::Pattern;

pub use contents::Contents;
pub use list::{list, read_list};

/// What to restore; by itself everything. Names are patterns as pg_dump's, which pg_restore's names are too.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Only these tables, views and sequences.
    pub tables: Vec<String>,
    /// Only these schemas.
    pub schemas: Vec<String>,
    /// Not these tables, nor what cannot be made without them.
    pub exclude_tables: Vec<String>,
    /// Not these schemas, nor what cannot be made without them.
    pub exclude_schemas: Vec<String>,
    /// These tables without their rows.
    pub exclude_table_data: Vec<String>,
    /// Only these indexes.
    pub indexes: Vec<String>,
    /// Only these triggers.
    pub triggers: Vec<String>,
    /// Only these functions and procedures, with or without arguments: `f`, `f(integer)`.
    pub functions: Vec<String>,
    /// Of `tables` and `schemas` nothing but what is named, as pg_restore does it: no types, indexes, constraints.
    pub only_named: bool,
    /// Only these sections; empty for all.
    pub sections: Vec<Section>,
    /// No rows, large objects and values of sequences.
    pub schema_only: bool,
    /// Nothing but those.
    pub data_only: bool,
    /// Only these entries, in this order: a list as [`list`] prints it.
    pub list: Option<Vec<DumpId>>,
    /// Not what a managed service owns.
    pub preset: Option<&'static Preset>,
}

impl Choice {
    /// Whether anything is left out by it.
    pub fn is_partial(&self) -> bool {
        self.names_something()
            || [&self.exclude_tables, &self.exclude_schemas, &self.exclude_table_data]
                .iter()
                .any(|patterns| !patterns.is_empty())
            || !self.sections.is_empty()
            || self.schema_only
            || self.data_only
            || self.list.is_some()
            || self.preset.is_some()
    }

    /// Whether objects are chosen by their names.
    pub fn names_something(&self) -> bool {
        [&self.tables, &self.schemas, &self.indexes, &self.triggers, &self.functions]
            .iter()
            .any(|patterns| !patterns.is_empty())
    }
}

/// What a choice came to.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// What was not named and comes along, since the named needs it.
    pub needed: HashSet<DumpId>,
    /// What the user should know about it.
    pub notes: Vec<String>,
}

/// Takes out of the table of contents what is not to be restored.
///
/// # Errors
/// `Config` for a pattern that makes no sense or names nothing, and for a choice that leaves nothing.
pub fn choose(toc: &mut Toc, choice: &Choice) -> Result<Chosen> {
    if !choice.is_partial() {
        return Ok(Chosen::default());
    }
    if let Some(ids) = &choice.list {
        list::order(toc, ids)?;
    }
    let mut result = Chosen::default();
    result.notes.extend(choice.preset.iter().flat_map(|preset| drop_owned(toc, preset)));
    let chosen = by_name(&toc.entries, choice, &mut result)?;
    let references = References::of(&toc.entries);
    let without_rows = Pattern::parse_all(&choice.exclude_table_data)?;
    let mut section = Section::PreData;
    let mut index = 0;
    toc.entries.retain(|entry| {
        let named = chosen.contains(&index);
        index += 1;
        if entry.section != Section::None {
            section = entry.section;
        }
        always(entry)
            || named
                && (choice.sections.is_empty() || choice.sections.contains(&section))
                && !(choice.schema_only && is_content(entry))
                && (!choice.data_only || is_content(entry))
                && !(is_rows(entry) && without_rows.iter().any(|p| p.is_of_entry(entry)))
    });
    partitions_without_their_root(toc);
    if choice.list.is_none() && !toc.entries.iter().any(|e| desc(e) == b"TABLE") {
        references.sort(toc);
    }
    if toc.entries.iter().all(always) {
        return Err(EngineError::new(ErrorKind::Config, "choosing what to restore", "nothing is left")
            .hint("`pgkeep restore … --list` with the same options shows what they choose"));
    }
    Ok(result)
}

/// Rows that go in through the root of their partitions go into the partition itself where there is no root.
fn partitions_without_their_root(toc: &mut Toc) {
    let tables: HashSet<(Vec<u8>, Vec<u8>)> = toc
        .entries
        .iter()
        .filter(|e| desc(e) == b"TABLE")
        .map(|e| (bytes(&e.namespace).to_vec(), tag(e).to_vec()))
        .collect();
    let is_made = |schema: &[u8], table: &[u8]| tables.contains(&(schema.to_vec(), table.to_vec()));
    for entry in toc.entries.iter_mut().filter(|e| desc(e) == b"TABLE DATA" && is_via_root(e)) {
        let Some(copy) = CopyStatement::parse(bytes(&entry.copy)) else { continue };
        let schema = copy.schema.clone().unwrap_or_else(|| bytes(&entry.namespace).to_vec());
        if is_made(bytes(&entry.namespace), tag(entry)) && !is_made(&schema, &copy.table) {
            let own = copy.for_table(&qualified(entry));
            entry.copy = Some(own.into());
            entry.definition = None;
        }
    }
}

/// Indexes of the entries that names choose.
fn by_name(entries: &[Entry], choice: &Choice, result: &mut Chosen) -> Result<HashSet<usize>> {
    let graph = Graph::new(entries);
    let (schemas, tables) = (Pattern::parse_all(&choice.schemas)?, Pattern::parse_all(&choice.tables)?);
    let mut chosen = if !choice.names_something() {
        (0..entries.len()).collect()
    } else {
        let mut chosen = single(&graph, choice, &schemas)?;
        let single_only = tables.is_empty() && !chosen.is_empty();
        if !single_only {
            let included = include::include(&graph, &schemas, &tables, choice.only_named)?;
            // What is made and not made is no matter where nothing is made.
            if !choice.data_only {
                result.notes.extend(included.notes);
            }
            result.needed = included.needed.iter().map(|i| entries[*i].id).collect();
            chosen.extend(included.entries);
        }
        chosen
    };
    let mut without = Pattern::parse_all(&choice.exclude_schemas)?;
    if let Some(preset) = choice.preset {
        for owned in preset.of(Kind::Schema) {
            without.push(Pattern::parse(owned.name)?);
            let is_it = |e: &Entry| e.desc_is("SCHEMA") && tag(e) == owned.name.as_bytes();
            if chosen.iter().any(|i| is_it(&entries[*i])) {
                let (preset, schema) = (preset.name, owned.name);
                result
                    .notes
                    .push(format!("left out by preset {preset}: SCHEMA {schema} and all that is in it"));
            }
        }
    }
    let exclude_tables = Pattern::parse_all(&choice.exclude_tables)?;
    result.notes.extend(exclude::exclude(&graph, &without, &exclude_tables, &mut chosen));
    Ok(chosen)
}

/// Entries of `--index`, `--trigger` and `--function`, with what is said about them; as pg_restore, without what they
/// need.
fn single(graph: &Graph<'_>, choice: &Choice, schemas: &[Pattern]) -> Result<HashSet<usize>> {
    let mut chosen = HashSet::new();
    let mut add = |patterns: &[String], descs: &[&[u8]], what: &str| -> Result<()> {
        for pattern in Pattern::parse_all(patterns)? {
            let before = chosen.len();
            for (i, entry) in graph.entries.iter().enumerate().filter(|(_, e)| descs.contains(&desc(e))) {
                let schema = bytes(&entry.namespace);
                let in_schema = schemas.is_empty() || schemas.iter().any(|p| p.is_of_schema(schema));
                if in_schema && (pattern.is_of_entry(entry) || pattern.is_of(schema, short_name(entry))) {
                    chosen.insert(i);
                    chosen.extend(graph.words_about(i));
                }
            }
            if chosen.len() == before {
                return Err(nothing(what, &pattern));
            }
        }
        Ok(())
    };
    add(&choice.indexes, &[b"INDEX"], "index")?;
    add(&choice.triggers, &[b"TRIGGER", b"EVENT TRIGGER"], "trigger")?;
    add(&choice.functions, &[b"FUNCTION", b"PROCEDURE", b"AGGREGATE"], "function")?;
    Ok(chosen)
}

/// A trigger's name without its table's, which begins its tag; a function's without its arguments.
fn short_name(entry: &Entry) -> &[u8] {
    let tag = tag(entry);
    match desc(entry) {
        b"TRIGGER" => tag.find_byte(b' ').map_or(tag, |at| &tag[at + 1..]),
        _ => tag.find_byte(b'(').map_or(tag, |at| &tag[..at]),
    }
}

/// What every restore needs to read the others; [`super::entry::is_wanted`] decides about the database's own.
pub(super) fn always(entry: &Entry) -> bool {
    is_setting(entry) || is_database(entry) || desc(entry) == b"WARNING"
}

fn is_rows(entry: &Entry) -> bool {
    matches!(desc(entry), b"TABLE DATA" | b"MATERIALIZED VIEW DATA")
}

/// Rows, values of sequences, large objects with all that is said about them (`_tocEntryRequired`,
/// src/bin/pg_dump/pg_backup_archiver.c).
fn is_content(entry: &Entry) -> bool {
    match desc(entry) {
        b"TABLE DATA" | b"SEQUENCE SET" | b"BLOB" | b"BLOB METADATA" | b"BLOBS" | b"BLOB COMMENTS" => true,
        b"ACL" | b"COMMENT" | b"SECURITY LABEL" => tag(entry).starts_with(b"LARGE OBJECT"),
        _ => false,
    }
}
