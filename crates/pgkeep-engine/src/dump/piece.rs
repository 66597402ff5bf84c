//! One piece of work: a table, a range of a table, or a group of large objects.

use super::catalog::TableName;
use crate::error::{EngineError, ErrorKind, Result};

/// Where a piece's rows come from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// Rows of a table by this `COPY … TO STDOUT`.
    Table { table: TableName, sql: Vec<u8> },
    /// Large objects by oid.
    LargeObjects { oids: Vec<u32> },
}

/// A piece of work, by its index in the layout's list of pieces.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) index: usize,
    /// Index into the report's tables; `None` for large objects.
    pub(super) table: Option<usize>,
    pub(super) source: Source,
    /// Whether rules change its rows.
    pub(super) ruled: bool,
    /// Whether the end mark comes after its rows: in an archive always, in a script after a table's last segment.
    pub(super) end_mark: bool,
    /// Guess at its bytes of COPY text.
    pub(super) bytes: u64,
}

impl Piece {
    pub(super) fn display(&self) -> String {
        match &self.source {
            Source::Table { table, .. } => format!("table {}", String::from_utf8_lossy(&table.quoted)),
            Source::LargeObjects { oids } => format!("{} large objects", oids.len()),
        }
    }
}

/// The column list out of an archive's copy statement, `COPY public.t (a, "b c") FROM stdin;\n` → `a, "b c"`. The
/// table's name in it is not used: for partitions loaded through their root it is the root's.
///
/// # Errors
/// `Archive` where the statement has another form.
pub(super) fn columns_of(copy: &[u8]) -> Result<Vec<u8>> {
    let strange = || {
        let text = String::from_utf8_lossy(copy).into_owned();
        EngineError::new(ErrorKind::Archive, "reading a copy statement", format!("unknown form: {text}"))
    };
    let rest = copy.strip_prefix(b"COPY ").ok_or_else(strange)?;
    let mut quoted = false;
    let mut open = None;
    for (i, b) in rest.iter().enumerate() {
        match b {
            b'"' => quoted = !quoted,
            b'(' if !quoted => {
                open = Some(i);
                break;
            }
            _ => {}
        }
    }
    let Some(open) = open else {
        return if rest.ends_with(b" FROM stdin;\n") { Ok(Vec::new()) } else { Err(strange()) };
    };
    let list = rest[open + 1..].strip_suffix(b") FROM stdin;\n").ok_or_else(strange)?;
    Ok(list.to_vec())
}

/// The names in a column list, unquoted: `a, "b ""c"` → `a`, `b "c`.
pub(super) fn split_columns(list: &[u8]) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    let mut name = Vec::new();
    let mut quoted = false;
    let mut bytes = list.iter().copied().peekable();
    while let Some(b) = bytes.next() {
        match b {
            b'"' if quoted && bytes.next_if_eq(&b'"').is_some() => name.push(b'"'),
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                names.push(std::mem::take(&mut name));
                bytes.next_if_eq(&b' ');
            }
            b => name.push(b),
        }
    }
    if !list.is_empty() {
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_from_the_statement_whatever_the_names() {
        assert_eq!(columns_of(b"COPY public.t (a, b) FROM stdin;\n").unwrap(), b"a, b");
        assert_eq!(columns_of(b"COPY \"o(dd\".\"t (x\" (\"a)\", b) FROM stdin;\n").unwrap(), b"\"a)\", b");
        assert_eq!(columns_of(b"COPY public.none  FROM stdin;\n").unwrap(), b"");
        assert!(columns_of(b"INSERT INTO x").is_err());
        assert_eq!(split_columns(b"a, \"b, \"\"c\", d"), [b"a".to_vec(), b"b, \"c".to_vec(), b"d".to_vec()]);
        assert!(split_columns(b"").is_empty());
    }
}
