//! What an entry's owner owns (`_getObjectDescription`, src/bin/pg_dump/pg_backup_archiver.c).

use super::identifier::format_identifier;
use crate::Entry;

/// `TABLE public.t`, as it stands after ALTER; `None` for kinds without an owner of their own. Entries with a drop
/// statement alone are objects that can be owned.
pub fn owned_object(entry: &Entry) -> Option<Vec<u8>> {
    let drop = entry.drop.as_ref().filter(|d| !d.is_empty())?;
    let desc = entry.desc.as_ref()?.as_slice();
    let tag = entry.tag.as_ref().map_or(b"".as_slice(), |t| t.as_slice());
    match desc {
        b"COLLATION"
        | b"CONVERSION"
        | b"DOMAIN"
        | b"FOREIGN TABLE"
        | b"MATERIALIZED VIEW"
        | b"SEQUENCE"
        | b"STATISTICS"
        | b"TABLE"
        | b"TEXT SEARCH DICTIONARY"
        | b"TEXT SEARCH CONFIGURATION"
        | b"TYPE"
        | b"VIEW"
        | b"DATABASE"
        | b"PROCEDURAL LANGUAGE"
        | b"SCHEMA"
        | b"EVENT TRIGGER"
        | b"FOREIGN DATA WRAPPER"
        | b"SERVER"
        | b"PUBLICATION"
        | b"SUBSCRIPTION" => Some([desc, b" ", &qualified(entry)].concat()),
        // Their tag is a number and no name.
        b"BLOB" => tag.iter().all(u8::is_ascii_digit).then(|| [b"LARGE OBJECT ".as_slice(), tag].concat()),
        // Arguments and access methods stand in the drop statement alone.
        b"AGGREGATE" | b"FUNCTION" | b"OPERATOR" | b"OPERATOR CLASS" | b"OPERATOR FAMILY" | b"PROCEDURE" => {
            let mut text = drop.strip_prefix(b"DROP ")?;
            while let [head @ .., b'\n' | b';'] = text {
                text = head;
            }
            Some(text.to_vec())
        }
        _ => None,
    }
}

/// `schema.name`, or `name` for what is in no schema (`fmtQualifiedId`).
pub(super) fn qualified(entry: &Entry) -> Vec<u8> {
    let tag = format_identifier(entry.tag.as_ref().map_or(b"", |t| t.as_slice()));
    match entry.namespace.as_ref().filter(|n| !n.is_empty()) {
        Some(schema) => [format_identifier(schema).as_slice(), b".", &tag].concat(),
        None => tag,
    }
}
