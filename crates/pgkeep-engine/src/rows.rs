//! The statements that read a table's rows, whole or by ranges of blocks; the same for dump and proof, as rows have
//! one text form only if they are asked for in one way.

/// Heap blocks `[from, to)`; `None` leaves the range open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Blocks {
    pub(crate) from: u64,
    pub(crate) to: Option<u64>,
}

/// `count` ranges that cover a table of so many blocks. The last is open: what lies beyond the measured end was added
/// after the snapshot and is not seen, but a wrong measure must not lose rows.
pub(crate) fn ranges(blocks: u64, count: u64) -> Vec<Blocks> {
    let at = |i: u64| {
        u64::try_from(u128::from(blocks) * u128::from(i) / u128::from(count.max(1))).unwrap_or(blocks)
    };
    (0..count).map(|i| Blocks { from: at(i), to: (i + 1 < count).then(|| at(i + 1)) }).collect()
}

/// The `COPY … TO STDOUT` for a table or a range of it, as pg_dump's dumpTableData_copy
/// (src/bin/pg_dump/pg_dump.c) would write it. `table` is the qualified, quoted name, `columns` the list without
/// parentheses. `plain` says that it is a relation that COPY reads by itself. `filter` is SQL behind the table's name
/// that ends with a condition, which with `blocks` must bind as closely as `AND` or closer.
pub(crate) fn copy_statement(
    table: &[u8],
    plain: bool,
    columns: &[u8],
    filter: Option<&[u8]>,
    blocks: Option<Blocks>,
) -> Vec<u8> {
    let mut sql = b"COPY ".to_vec();
    // COPY of a relation reads it alone; only what COPY cannot say (a condition, a foreign table, no columns)
    // needs a query.
    if plain && blocks.is_none() && filter.is_none() && !columns.is_empty() {
        sql.extend_from_slice(table);
        sql.extend_from_slice(b" (");
        sql.extend_from_slice(columns);
        sql.extend_from_slice(b") TO STDOUT");
        return sql;
    }
    sql.extend_from_slice(b"(SELECT ");
    sql.extend_from_slice(columns);
    sql.extend_from_slice(b" FROM ONLY ");
    sql.extend_from_slice(table);
    if let Some(filter) = filter {
        sql.push(b' ');
        sql.extend_from_slice(filter);
    }
    if let Some(Blocks { from, to }) = blocks {
        let joint = if filter.is_some() { "AND" } else { "WHERE" };
        sql.extend_from_slice(format!(" {joint} ctid >= '({from},0)'::pg_catalog.tid").as_bytes());
        if let Some(to) = to {
            sql.extend_from_slice(format!(" AND ctid < '({to},0)'::pg_catalog.tid").as_bytes());
        }
    }
    sql.extend_from_slice(b") TO STDOUT");
    sql
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_cover_every_block_once(blocks in 0u64..u64::MAX / 2, count in 1u64..5000) {
            let ranges = ranges(blocks, count);
            prop_assert_eq!(ranges.len() as u64, count);
            prop_assert_eq!(ranges[0].from, 0);
            prop_assert_eq!(ranges[ranges.len() - 1].to, None);
            for pair in ranges.windows(2) {
                prop_assert_eq!(pair[0].to, Some(pair[1].from));
                prop_assert!(pair[0].from <= pair[1].from);
            }
        }
    }

    #[test]
    fn plain_tables_are_copied_and_the_rest_is_queried() {
        let text = |plain, columns: &str, filter: Option<&str>, blocks| {
            let filter = filter.map(str::as_bytes);
            String::from_utf8(copy_statement(b"s.t", plain, columns.as_bytes(), filter, blocks)).unwrap()
        };
        assert_eq!(text(true, "a", None, None), "COPY s.t (a) TO STDOUT");
        assert_eq!(
            text(true, "a", None, Some(Blocks { from: 5, to: Some(9) })),
            "COPY (SELECT a FROM ONLY s.t WHERE ctid >= '(5,0)'::pg_catalog.tid AND ctid < '(9,0)'::pg_catalog.tid) \
             TO STDOUT"
        );
        assert_eq!(text(true, "", None, None), "COPY (SELECT  FROM ONLY s.t) TO STDOUT");
        assert_eq!(
            text(false, "a", Some("WHERE x"), None),
            "COPY (SELECT a FROM ONLY s.t WHERE x) TO STDOUT"
        );
        assert_eq!(
            text(true, "a", Some("AS t WHERE (x)"), Some(Blocks { from: 0, to: None })),
            "COPY (SELECT a FROM ONLY s.t AS t WHERE (x) AND ctid >= '(0,0)'::pg_catalog.tid) TO STDOUT"
        );
    }
}
