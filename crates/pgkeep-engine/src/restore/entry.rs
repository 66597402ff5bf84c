//! Reading archive entries: what an entry is called, when it is restored, what it holds.

use bstr::{BStr, BString, ByteSlice};
use pgkeep_archive::Entry;

use crate::conn::quote_ident;

/// The bytes of an optional string; NULL and empty mean the same to pg_restore nearly everywhere.
pub(super) fn bytes(text: &Option<BString>) -> &[u8] {
    text.as_ref().map_or(b"", |t| t.as_slice())
}

pub(super) fn desc(entry: &Entry) -> &[u8] {
    bytes(&entry.desc)
}

pub(super) fn tag(entry: &Entry) -> &[u8] {
    bytes(&entry.tag)
}

/// `INDEX public.foo_idx (entry 1234)`, as errors name it.
pub(super) fn display(entry: &Entry) -> String {
    let mut name = Vec::new();
    if !bytes(&entry.namespace).is_empty() {
        name.extend_from_slice(bytes(&entry.namespace));
        name.push(b'.');
    }
    name.extend_from_slice(tag(entry));
    let shown: String =
        BStr::new(&name).to_str_lossy().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{} {shown} (entry {})", desc(entry).to_str_lossy(), entry.id.0)
}

/// `"schema"."name"`, or `"name"` for what is in no schema.
pub(super) fn qualified(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::new();
    if !bytes(&entry.namespace).is_empty() {
        out.extend_from_slice(&quote_ident(bytes(&entry.namespace)));
        out.push(b'.');
    }
    out.extend_from_slice(&quote_ident(tag(entry)));
    out
}

/// Session settings that the archive carries as entries.
pub(super) fn is_setting(entry: &Entry) -> bool {
    matches!(desc(entry), b"ENCODING" | b"STDSTRINGS" | b"SEARCHPATH")
}

pub(super) fn is_database(entry: &Entry) -> bool {
    matches!(desc(entry), b"DATABASE" | b"DATABASE PROPERTIES")
}

/// Whether these options restore the entry at all (`_tocEntryRequired`).
pub(super) fn is_wanted(entry: &Entry, options: &super::RestoreOptions) -> bool {
    match desc(entry) {
        b"ENCODING" | b"STDSTRINGS" | b"SEARCHPATH" | b"WARNING" => false,
        b"DATABASE" | b"DATABASE PROPERTIES" => options.create,
        b"<Init>" if tag(entry) == b"Max OID" => false,
        b"ACL" | b"ACL LANGUAGE" | b"DEFAULT ACL" if options.no_privileges => false,
        b"ACL" | b"COMMENT" | b"SECURITY LABEL" | b"STATISTICS DATA"
            if tag(entry).starts_with(b"DATABASE ") =>
        {
            options.create
        }
        _ => true,
    }
}

/// Marks rows that go in through the partition root (`is_load_via_partition_root`).
const VIA_ROOT: &[u8] = b"-- load via partition root ";

/// The SQL that creates the object, if there is any.
pub(super) fn definition(entry: &Entry) -> Option<&[u8]> {
    let text = bytes(&entry.definition);
    (!text.is_empty() && !text.starts_with(VIA_ROOT)).then_some(text)
}

/// Whether the entry's rows go into another table than the one that it is named for.
pub(super) fn is_via_root(entry: &Entry) -> bool {
    if bytes(&entry.definition).starts_with(VIA_ROOT) {
        return true;
    }
    let Some(copy) = super::copy_statement::CopyStatement::parse(bytes(&entry.copy)) else { return false };
    copy.table != tag(entry) || copy.schema.is_some_and(|s| s != bytes(&entry.namespace))
}

pub(super) fn is_table_data(entry: &Entry) -> bool {
    desc(entry) == b"TABLE DATA"
}
