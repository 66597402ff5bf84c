//! `ALTER … OWNER TO` for each kind of object (`_getObjectDescription`, src/bin/pg_dump/pg_backup_archiver.c).

use pgkeep_archive::Entry;

use super::entry::{bytes, desc, qualified, tag};
use crate::conn::quote_ident;

/// The statement that gives the object to its owner; `None` for kinds without an owner of their own. Entries with
/// a drop statement alone are objects that can be owned.
pub(super) fn alter_owner(entry: &Entry) -> Option<Vec<u8>> {
    let owner = bytes(&entry.owner);
    if owner.is_empty() || bytes(&entry.drop).is_empty() {
        return None;
    }
    let mut sql = b"ALTER ".to_vec();
    sql.extend_from_slice(&object(entry)?);
    sql.extend_from_slice(b" OWNER TO ");
    sql.extend_from_slice(&quote_ident(owner));
    Some(sql)
}

fn object(entry: &Entry) -> Option<Vec<u8>> {
    match desc(entry) {
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
        | b"SUBSCRIPTION" => Some([desc(entry), b" ", &qualified(entry)].concat()),
        // Their tag is a number and no name.
        b"BLOB" => tag(entry)
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| [b"LARGE OBJECT ".as_slice(), tag(entry)].concat()),
        // Arguments and access methods stand in the drop statement alone.
        b"AGGREGATE" | b"FUNCTION" | b"OPERATOR" | b"OPERATOR CLASS" | b"OPERATOR FAMILY" | b"PROCEDURE" => {
            let mut text = bytes(&entry.drop).strip_prefix(b"DROP ")?;
            while let [head @ .., b'\n' | b';'] = text {
                text = head;
            }
            Some(text.to_vec())
        }
        _ => None,
    }
}
