//! Restoring beside the living: into another schema, or a table under another name.

mod rewrite;

use std::collections::{HashMap, HashSet};

use bstr::{BString, ByteSlice};
use pgkeep_archive::{DumpId, Entry, Offset, Section, Toc};

use super::choose::{Graph, Pattern};
use super::entry::{bytes, desc, tag};
use crate::conn::quote_ident;
use crate::error::{EngineError, ErrorKind, Result};
use crate::report::name_text;
use rewrite::{Name, Names, token};

/// Where to put what was chosen.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// Everything that was chosen goes into this schema.
    pub schema: Option<String>,
    /// Tables by pattern, and their new names.
    pub renames: Vec<(String, String)>,
}

/// What was put elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Moved {
    /// Old and new schema and name of tables and sequences, as [`name_text`] writes them.
    pub names: HashMap<(String, String), (String, String)>,
    /// What the user should know about it.
    pub notes: Vec<String>,
}

/// Rewrites the table of contents. A schema that is to be made is added to `needed`.
///
/// # Errors
/// `Config` for a table that is not among the chosen, and for two objects that would have one name.
pub fn put_beside(toc: &mut Toc, beside: &Beside, needed: &mut HashSet<DumpId>) -> Result<Moved> {
    if beside.schema.is_none() && beside.renames.is_empty() {
        return Ok(Moved::default());
    }
    let mut moved = Moved { notes: leave_out(toc, beside), ..Moved::default() };
    let names = new_names(&toc.entries, beside)?;
    for entry in &mut toc.entries {
        rename(entry, &names, &mut moved);
    }
    if let Some(schema) = &beside.schema {
        let entry = schema_entry(toc.max_id(), schema);
        needed.insert(entry.id);
        let at = toc.entries.iter().position(|e| e.section == Section::PreData && desc(e) != b"DATABASE");
        toc.entries.insert(at.unwrap_or(toc.entries.len()), entry);
    }
    Ok(moved)
}

/// Kinds that a copy is made of, and whose names are looked for in the others' definitions.
fn is_movable(entry: &Entry) -> bool {
    matches!(
        desc(entry),
        b"TABLE"
            | b"VIEW"
            | b"MATERIALIZED VIEW"
            | b"SEQUENCE"
            | b"TYPE"
            | b"DOMAIN"
            | b"FUNCTION"
            | b"PROCEDURE"
            | b"INDEX"
            | b"CONSTRAINT"
            | b"STATISTICS"
    )
}

/// Takes out what would act on the living: triggers and rules, publications, rights to be given by default. What is of
/// other kinds is not copied; the target's own is used.
fn leave_out(toc: &mut Toc, beside: &Beside) -> Vec<String> {
    let mut notes = Vec::new();
    let mut gone = HashSet::new();
    for entry in &toc.entries {
        let acts = matches!(
            desc(entry),
            b"TRIGGER"
                | b"RULE"
                | b"EVENT TRIGGER"
                | b"PUBLICATION"
                | b"PUBLICATION TABLE"
                | b"PUBLICATION TABLES IN SCHEMA"
                | b"SUBSCRIPTION"
                | b"DEFAULT ACL"
        );
        let is_part = matches!(
            desc(entry),
            b"TABLE DATA"
                | b"MATERIALIZED VIEW DATA"
                | b"DEFAULT"
                | b"CHECK CONSTRAINT"
                | b"FK CONSTRAINT"
                | b"POLICY"
                | b"ROW SECURITY"
                | b"SEQUENCE SET"
                | b"SEQUENCE OWNED BY"
                | b"TABLE ATTACH"
                | b"INDEX ATTACH"
                | b"COMMENT"
                | b"ACL"
                | b"SECURITY LABEL"
                | b"STATISTICS DATA"
                | b"EXTENSION"
        );
        let other =
            entry.section != Section::None && !is_movable(entry) && !is_part && !super::choose::always(entry);
        if acts || beside.schema.is_some() && other {
            gone.insert(entry.id);
            if desc(entry) != b"SCHEMA" {
                notes.push(format!("left out of the copy: {}", entry.display()));
            }
        }
    }
    toc.entries.retain(|e| {
        let about = matches!(desc(e), b"COMMENT" | b"ACL" | b"SECURITY LABEL");
        let goes_along = about && e.dependencies.iter().any(|d| gone.contains(d));
        !gone.contains(&e.id) && !goes_along
    });
    for entry in toc.entries.iter().filter(|e| matches!(desc(e), b"FUNCTION" | b"PROCEDURE")) {
        if beside.schema.is_some() && !bytes(&entry.definition).contains_str("BEGIN ATOMIC") {
            notes.push(format!("{}: its body is text and may name the originals", entry.display()));
        }
    }
    notes
}

fn new_names(entries: &[Entry], beside: &Beside) -> Result<Names> {
    let mut names = Names::default();
    if let Some(schema) = &beside.schema {
        for entry in entries.iter().filter(|e| is_movable(e)) {
            let old = name_of(entry);
            let new = (schema.clone().into_bytes(), old.1.clone());
            names.0.insert(old, new);
        }
    }
    let graph = Graph::new(entries);
    for (text, new) in &beside.renames {
        let pattern = Pattern::parse(text)?;
        let tables: Vec<usize> = (0..entries.len())
            .filter(|i| desc(&entries[*i]) == b"TABLE" && pattern.is_of_entry(&entries[*i]))
            .collect();
        let [table] = tables.as_slice() else {
            let why = format!("{} of the chosen tables are of that name, and it must be one", tables.len());
            return Err(EngineError::new(ErrorKind::Config, format!("renaming table {text}"), why)
                .hint("--rename-table schema.table=new"));
        };
        let old = name_of(&entries[*table]);
        let schema = beside.schema.as_ref().map_or(old.0.clone(), |s| s.clone().into_bytes());
        names.0.insert(old.clone(), (schema.clone(), new.clone().into_bytes()));
        // In the same schema the names of its indexes and sequences are taken, too.
        if beside.schema.is_none() {
            for part in graph.parts(*table).map(|i| &entries[i]).filter(|e| is_movable(e)) {
                let (_, part) = name_of(part);
                let end = part
                    .strip_prefix(old.1.as_slice())
                    .map_or_else(|| [b"_", part.as_slice()].concat(), <[u8]>::to_vec);
                names.0.insert((old.0.clone(), part), (schema.clone(), [new.as_bytes(), &end].concat()));
            }
        }
    }
    let mut taken: HashMap<&Name, &Name> = HashMap::new();
    for (old, new) in &names.0 {
        if let Some(other) = taken.insert(new, old) {
            let show = |n: &Name| format!("{}.{}", n.0.to_str_lossy(), n.1.to_str_lossy());
            return Err(EngineError::new(
                ErrorKind::Config,
                format!("restoring into {}", show(new)),
                format!("both {} and {} would have that name", show(old), show(other)),
            )
            .hint("choose fewer objects, or restore one schema at a time"));
        }
    }
    Ok(names)
}

/// Schema and name; a function's without its arguments, a constraint's without its table's.
fn name_of(entry: &Entry) -> Name {
    let tag = tag(entry);
    let own = match desc(entry) {
        b"FUNCTION" | b"PROCEDURE" => tag.find_byte(b'(').map_or(tag, |at| &tag[..at]),
        b"CONSTRAINT" => constraint_name(bytes(&entry.definition)).unwrap_or(tag),
        _ => tag,
    };
    (bytes(&entry.namespace).to_vec(), own.to_vec())
}

/// The `c` of `… ADD CONSTRAINT c …`, as it is written; quoted names keep their quotes off.
fn constraint_name(definition: &[u8]) -> Option<&[u8]> {
    let at = definition.find(b"ADD CONSTRAINT ")? + 15;
    let rest = &definition[at..];
    let word = &rest[..token(rest)];
    Some(word.strip_prefix(b"\"").and_then(|w| w.strip_suffix(b"\"")).unwrap_or(word))
}

fn rename(entry: &mut Entry, names: &Names, moved: &mut Moved) {
    let old = name_of(entry);
    let new = names.0.get(&old).cloned();
    for text in [&mut entry.definition, &mut entry.drop, &mut entry.copy].into_iter().flatten() {
        *text = BString::from(names.rewrite(text));
    }
    // Here they stand without a schema.
    if let Some((_, new)) = new.as_ref().filter(|new| new.1 != old.1)
        && matches!(desc(entry), b"INDEX" | b"CONSTRAINT")
        && let Some(text) = &mut entry.definition
    {
        *text = BString::from(unqualified(text, &old.1, new));
    }
    let Some(new) = new else { return };
    if matches!(desc(entry), b"TABLE DATA" | b"SEQUENCE SET" | b"TABLE" | b"SEQUENCE") {
        let text = |n: &Name| (name_text(&n.0), name_text(&n.1));
        moved.names.insert(text(&old), text(&new));
    }
    entry.namespace = Some(new.0.into());
    match desc(entry) {
        b"FUNCTION" | b"PROCEDURE" | b"CONSTRAINT" => {}
        _ => entry.tag = Some(new.1.into()),
    }
}

/// Replaces `INDEX old` and `CONSTRAINT old`.
fn unqualified(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    for word in [b"INDEX ".as_slice(), b"CONSTRAINT "] {
        for written in [old.to_vec(), quote_ident(old)] {
            let from = [word, &written, b" "].concat();
            out = out.replace(&from, [word, &quote_ident(new), b" "].concat());
        }
    }
    out
}

fn schema_entry(max: DumpId, schema: &str) -> Entry {
    let name = quote_ident(schema.as_bytes());
    Entry {
        id: DumpId(max.0.saturating_add(1)),
        has_data: false,
        table_oid: Some("2615".into()),
        oid: Some("0".into()),
        tag: Some(schema.into()),
        desc: Some("SCHEMA".into()),
        section: Section::PreData,
        definition: Some([b"CREATE SCHEMA ".as_slice(), &name, b";\n"].concat().into()),
        drop: Some([b"DROP SCHEMA ".as_slice(), &name, b";\n"].concat().into()),
        copy: None,
        namespace: None,
        tablespace: None,
        table_am: None,
        relkind: None,
        owner: None,
        with_oids: Some("false".into()),
        dependencies: Vec::new(),
        offset: Offset::NoData,
        file: None,
    }
}
