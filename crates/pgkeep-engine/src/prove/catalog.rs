//! What the restored database has: relations and their columns, by name.

use std::collections::{HashMap, HashSet};

use crate::conn::{Client, Row};
use crate::error::Result;
use crate::report::name_text;

/// Schema and name, as [`name_text`] writes them.
pub(super) type Name = (String, String);

/// A relation of the restored database.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub(super) oid: u32,
    /// Qualified and quoted, in the session's encoding.
    pub(super) quoted: Vec<u8>,
    /// `pg_class.relkind`.
    pub(super) kind: u8,
    /// Access method is `heap`.
    pub(super) heap: bool,
    /// Root of the partition tree that it is a leaf of.
    pub(super) root: Option<u32>,
    /// Condition by which the extension that it belongs to has it dumped.
    pub(super) condition: Option<Vec<u8>>,
}

/// All relations that can hold rows or a sequence's state. Of two names that no [`name_text`] tells apart there is
/// only one: equal text means equal bytes.
pub(super) fn relations(client: &mut Client) -> Result<HashMap<Name, Relation>> {
    let partition_root = if client.server_major() >= 12 {
        "CASE WHEN c.relispartition THEN pg_catalog.pg_partition_root(c.oid)::pg_catalog.oid END"
    } else {
        "NULL"
    };
    let mut relations = HashMap::new();
    client
        .query_each(
            format!(
                "SELECT c.oid, n.nspname, c.relname, \
                        pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), c.relkind, \
                        coalesce(a.amname = 'heap', false), {partition_root}, x.condition \
                 FROM pg_catalog.pg_class c \
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam \
                 LEFT JOIN (SELECT t, condition FROM pg_catalog.pg_extension e, \
                            LATERAL ROWS FROM (pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition)) \
                              AS u(t, condition)) x ON x.t = c.oid \
                 WHERE c.relkind IN ('r', 'm', 'f', 'p', 'S')"
            ),
            |row| {
                let (name, relation) = relation(&row);
                relations.insert(name, relation);
                Ok(())
            },
        )
        .map_err(|e| e.during("reading the names of tables"))?;
    Ok(relations)
}

fn relation(row: &Row) -> (Name, Relation) {
    let name = |i| name_text(row.bytes(i).unwrap_or_default());
    let relation = Relation {
        oid: row.parse(0).unwrap_or(0),
        quoted: row.bytes(3).unwrap_or_default().to_vec(),
        kind: row.bytes(4).and_then(|k| k.first().copied()).unwrap_or(b'r'),
        heap: row.bool(5),
        root: row.parse(6),
        condition: row.bytes(7).filter(|c| !c.is_empty()).map(<[u8]>::to_vec),
    };
    ((name(1), name(2)), relation)
}

/// Quoted columns of these tables by table and [`name_text`].
pub(super) fn columns(
    client: &mut Client,
    tables: &HashSet<u32>,
) -> Result<HashMap<u32, HashMap<String, Vec<u8>>>> {
    let mut columns: HashMap<u32, HashMap<String, Vec<u8>>> = HashMap::new();
    client
        .query_each(
            "SELECT attrelid, attname, pg_catalog.quote_ident(attname) FROM pg_catalog.pg_attribute \
             WHERE attnum > 0 AND NOT attisdropped",
            |row| {
                let table = row.parse(0).unwrap_or(0);
                if tables.contains(&table) {
                    let name = name_text(row.bytes(1).unwrap_or_default());
                    columns.entry(table).or_default().insert(name, row.bytes(2).unwrap_or_default().to_vec());
                }
                Ok(())
            },
        )
        .map_err(|e| e.during("reading the names of columns"))?;
    Ok(columns)
}

/// Blocks of the main fork and bytes with TOAST of these tables.
pub(super) fn sizes(client: &mut Client, tables: &HashSet<u32>) -> Result<HashMap<u32, (u64, u64)>> {
    let mut sizes = HashMap::with_capacity(tables.len());
    let list: Vec<String> = tables.iter().map(u32::to_string).collect();
    client
        .query_each(
            format!(
                "SELECT oid, pg_catalog.pg_relation_size(oid) / pg_catalog.current_setting('block_size')::pg_catalog.int8, \
                        pg_catalog.pg_table_size(oid) \
                 FROM pg_catalog.unnest('{{{}}}'::pg_catalog.oid[]) AS u(oid)",
                list.join(",")
            ),
            |row| {
                sizes.insert(row.parse(0).unwrap_or(0), (row.parse(1).unwrap_or(0), row.parse(2).unwrap_or(0)));
                Ok(())
            },
        )
        .map_err(|e| e.during("reading the sizes of tables"))?;
    Ok(sizes)
}
