//! One piece of work: a table, a range of a table, or a group of large objects.

use super::catalog::TableName;
use super::plan::Blocks;
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

/// The `COPY … TO STDOUT` for a table or a range of it, as pg_dump's dumpTableData_copy
/// (src/bin/pg_dump/pg_dump.c) would write it. `columns` is the list without parentheses.
pub(super) fn copy_statement(
    table: &TableName,
    columns: &[u8],
    filter: Option<&[u8]>,
    blocks: Option<Blocks>,
) -> Vec<u8> {
    let mut sql = b"COPY ".to_vec();
    // COPY of a relation reads it alone; only what COPY cannot say (a condition, a foreign table, no columns)
    // needs a query.
    if blocks.is_none() && filter.is_none() && table.kind != b'f' && !columns.is_empty() {
        sql.extend_from_slice(&table.quoted);
        sql.extend_from_slice(b" (");
        sql.extend_from_slice(columns);
        sql.extend_from_slice(b") TO STDOUT");
        return sql;
    }
    sql.extend_from_slice(b"(SELECT ");
    sql.extend_from_slice(columns);
    sql.extend_from_slice(b" FROM ONLY ");
    sql.extend_from_slice(&table.quoted);
    if let Some(filter) = filter {
        sql.push(b' ');
        sql.extend_from_slice(filter);
    }
    if let Some(Blocks { from, to }) = blocks {
        sql.extend_from_slice(format!(" WHERE ctid >= '({from},0)'::pg_catalog.tid").as_bytes());
        if let Some(to) = to {
            sql.extend_from_slice(format!(" AND ctid < '({to},0)'::pg_catalog.tid").as_bytes());
        }
    }
    sql.extend_from_slice(b") TO STDOUT");
    sql
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

    fn table(kind: u8) -> TableName {
        TableName { quoted: b"s.t".to_vec(), schema: b"s".to_vec(), name: b"t".to_vec(), kind }
    }

    fn text(sql: Vec<u8>) -> String {
        String::from_utf8(sql).unwrap()
    }

    #[test]
    fn columns_come_from_the_statement_whatever_the_names() {
        assert_eq!(columns_of(b"COPY public.t (a, b) FROM stdin;\n").unwrap(), b"a, b");
        assert_eq!(columns_of(b"COPY \"o(dd\".\"t (x\" (\"a)\", b) FROM stdin;\n").unwrap(), b"\"a)\", b");
        assert_eq!(columns_of(b"COPY public.none  FROM stdin;\n").unwrap(), b"");
        assert!(columns_of(b"INSERT INTO x").is_err());
        assert_eq!(split_columns(b"a, \"b, \"\"c\", d"), [b"a".to_vec(), b"b, \"c".to_vec(), b"d".to_vec()]);
        assert!(split_columns(b"").is_empty());
    }

    #[test]
    fn plain_tables_are_copied_and_the_rest_is_queried() {
        assert_eq!(text(copy_statement(&table(b'r'), b"a", None, None)), "COPY s.t (a) TO STDOUT");
        assert_eq!(
            text(copy_statement(&table(b'r'), b"a", None, Some(Blocks { from: 5, to: Some(9) }))),
            "COPY (SELECT a FROM ONLY s.t WHERE ctid >= '(5,0)'::pg_catalog.tid AND ctid < '(9,0)'::pg_catalog.tid) TO STDOUT"
        );
        assert_eq!(
            text(copy_statement(&table(b'r'), b"", None, None)),
            "COPY (SELECT  FROM ONLY s.t) TO STDOUT"
        );
        assert_eq!(
            text(copy_statement(&table(b'f'), b"a", Some(b"WHERE x"), None)),
            "COPY (SELECT a FROM ONLY s.t WHERE x) TO STDOUT"
        );
    }
}
