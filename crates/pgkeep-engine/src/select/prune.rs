//! What pg_dump has no flag for: entries that are dropped from the TOC before it is laid out.

use std::collections::HashSet;

use bstr::{BString, ByteSlice};
use pgkeep_archive::{DumpId, Entry, Toc};
use pgkeep_keep::Selection;

use super::preset::{Kind, Preset, preset};
use crate::production;

/// Drops what the selection leaves out, and says what was dropped.
pub(crate) fn prune(toc: &mut Toc, selection: &Selection) -> Vec<String> {
    if selection.no_owner {
        toc.entries.iter_mut().for_each(|e| e.owner = Some(BString::default()));
    }
    if selection.changes_rows() {
        // A copy of production for others to work with is none itself.
        let is_mark = |e: &Entry| e.desc_is("COMMENT") && bytes(&e.definition).contains_str(production::MARK);
        toc.entries.retain(|e| !(is_mark(e) && bytes(&e.tag).starts_with(b"DATABASE ")));
    }
    match selection.preset.as_deref().and_then(preset) {
        None => Vec::new(),
        Some(preset) => drop_owned(toc, preset),
    }
}

pub(crate) fn drop_owned(toc: &mut Toc, preset: &Preset) -> Vec<String> {
    let mut notes = Vec::new();
    let mut dropped: HashSet<DumpId> = HashSet::new();
    for entry in &toc.entries {
        if is_owned(entry, preset) {
            dropped.insert(entry.id);
            notes.push(format!("left out by preset {}: {}", preset.name, entry.display()));
        }
    }
    // What says something about a dropped object goes with it.
    let about = |e: &Entry| ["COMMENT", "ACL", "SECURITY LABEL"].iter().any(|desc| e.desc_is(desc));
    toc.entries.retain(|e| {
        let goes_along = about(e) && e.dependencies.iter().any(|d| dropped.contains(d));
        !dropped.contains(&e.id) && !goes_along
    });
    notes
}

fn is_owned(entry: &Entry, preset: &Preset) -> bool {
    let tag = bytes(&entry.tag);
    match bytes(&entry.desc) {
        b"EXTENSION" => preset.owns(Kind::Extension, tag),
        b"EVENT TRIGGER" => preset.owns(Kind::EventTrigger, tag),
        b"PUBLICATION" => preset.owns(Kind::Publication, tag),
        // The tag is the publication's name, a space and the table's or schema's.
        b"PUBLICATION TABLE" | b"PUBLICATION TABLES IN SCHEMA" => {
            tag.find_byte(b' ').is_some_and(|end| preset.owns(Kind::Publication, &tag[..end]))
        }
        b"DEFAULT ACL" => preset.owns(Kind::Role, bytes(&entry.owner)),
        // Only an extension's owner may comment on it, and that is the service; CREATE EXTENSION comments by itself.
        b"COMMENT" => tag.starts_with(b"EXTENSION "),
        _ => false,
    }
}

fn bytes(text: &Option<BString>) -> &[u8] {
    text.as_ref().map_or(b"", |t| t.as_slice())
}

/// Whether no entry is an object of the database: pg_dump always writes a few about the database itself.
pub(crate) fn holds_nothing(toc: &Toc) -> bool {
    const ALWAYS: [&str; 5] = ["ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE", "DATABASE PROPERTIES"];
    toc.entries.iter().all(|e| {
        ALWAYS.iter().any(|desc| e.desc_is(desc))
            || bytes(&e.tag).starts_with(b"DATABASE ") && bytes(&e.namespace).is_empty()
    })
}
