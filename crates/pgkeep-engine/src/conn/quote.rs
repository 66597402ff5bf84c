//! Quoting for SQL text.

/// An identifier in double quotes.
pub fn quote_ident(name: &[u8]) -> Vec<u8> {
    quote(name, b'"')
}

/// A string literal in single quotes; `standard_conforming_strings` is on in every session of pgkeep.
pub fn quote_literal(text: &[u8]) -> Vec<u8> {
    quote(text, b'\'')
}

/// An array of oids as an SQL expression.
pub(crate) fn oid_array(oids: &[u32]) -> String {
    let list: Vec<String> = oids.iter().map(u32::to_string).collect();
    format!("'{{{}}}'::pg_catalog.oid[]", list.join(","))
}

fn quote(text: &[u8], mark: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    out.push(mark);
    for &b in text {
        if b == mark {
            out.push(mark);
        }
        out.push(b);
    }
    out.push(mark);
    out
}
