//! What rules must know of tables, columns, inheritance and constraints, in the session's encoding.

use std::collections::HashMap;

use crate::conn::{Client, Row, oid_array};
use crate::error::Result;

/// A relation that has rows, or looks like one.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub(super) schema: Vec<u8>,
    pub(super) name: Vec<u8>,
    /// Qualified and quoted.
    pub(super) quoted: Vec<u8>,
    /// `pg_class.relkind`.
    pub(super) kind: u8,
    /// Whether an extension has it dumped, by a condition of its own.
    pub(super) of_extension: bool,
    /// Relations whose rows are also its own.
    pub(super) parents: Vec<u32>,
}

impl Relation {
    /// Whether it has rows that a backup can hold.
    pub(super) fn is_table(&self) -> bool {
        matches!(self.kind, b'r' | b'p' | b'f')
    }

    /// Its name for people.
    pub(super) fn display(&self) -> String {
        String::from_utf8_lossy(&self.quoted).into_owned()
    }
}

/// A column of a table with rules.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: Vec<u8>,
    pub(super) quoted: Vec<u8>,
    pub(super) number: i16,
    /// Its type with everything, for people.
    pub(super) type_name: String,
    /// The same as SQL.
    pub(super) type_sql: Vec<u8>,
    /// The type itself, of a domain the one below it.
    pub(super) base: String,
    /// `pg_type.typcategory` of that.
    pub(super) category: u8,
    /// Characters that it holds at most.
    pub(super) length: Option<u32>,
    pub(super) not_null: bool,
    /// Computed of other columns.
    pub(super) generated: bool,
    /// GENERATED ALWAYS AS IDENTITY.
    pub(super) identity: bool,
}

impl Column {
    pub(super) fn is_text(&self) -> bool {
        self.category == b'S'
    }
}

/// Relations by oid; those of the system are left out.
pub(super) fn relations(client: &mut Client) -> Result<HashMap<u32, Relation>> {
    let mut relations = HashMap::new();
    client
        .query_each(
            "SELECT c.oid, n.nspname, c.relname, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), \
                    c.relkind, EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE c.oid = ANY (e.extconfig)) \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND n.nspname !~ '^pg_(catalog|toast|temp)'",
            |row| {
                let relation = Relation {
                    schema: bytes(&row, 1),
                    name: bytes(&row, 2),
                    quoted: bytes(&row, 3),
                    kind: bytes(&row, 4).first().copied().unwrap_or(b'r'),
                    of_extension: row.bool(5),
                    parents: Vec::new(),
                };
                relations.insert(row.parse(0).unwrap_or(0), relation);
                Ok(())
            },
        )
        .map_err(|e| e.during("reading the names of tables"))?;
    client
        .query_each("SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits", |row| {
            if let (Some(child), Some(parent)) = (row.parse::<u32>(0), row.parse(1))
                && let Some(child) = relations.get_mut(&child)
            {
                child.parents.push(parent);
            }
            Ok(())
        })
        .map_err(|e| e.during("reading which tables inherit"))?;
    Ok(relations)
}

/// A table's columns in order.
pub(super) fn columns(client: &mut Client, table: u32) -> Result<Vec<Column>> {
    let sql = format!(
        "SELECT a.attname, pg_catalog.quote_ident(a.attname), a.attnum, \
                pg_catalog.format_type(a.atttypid, a.atttypmod), b.typname, b.typcategory, \
                CASE WHEN b.typname IN ('varchar', 'bpchar') AND below.modifier > 4 THEN below.modifier - 4 END, \
                a.attnotnull OR t.typnotnull, a.attgenerated <> '', a.attidentity = 'a' \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         CROSS JOIN LATERAL ( \
             WITH RECURSIVE below(type, modifier) AS ( \
                 SELECT a.atttypid, a.atttypmod UNION ALL \
                 SELECT d.typbasetype, d.typtypmod FROM below JOIN pg_catalog.pg_type d ON d.oid = below.type \
                 WHERE d.typtype = 'd') \
             SELECT type, modifier FROM below) below \
         JOIN pg_catalog.pg_type b ON b.oid = below.type AND b.typtype <> 'd' \
         WHERE a.attrelid = {table} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    );
    let mut columns = Vec::new();
    client
        .query_each(sql, |row| {
            columns.push(Column {
                name: bytes(&row, 0),
                quoted: bytes(&row, 1),
                number: row.parse(2).unwrap_or(0),
                type_name: row.text(3),
                type_sql: bytes(&row, 3),
                base: row.text(4),
                category: bytes(&row, 5).first().copied().unwrap_or(b'U'),
                length: row.parse(6),
                not_null: row.bool(7),
                generated: row.bool(8),
                identity: row.bool(9),
            });
            Ok(())
        })
        .map_err(|e| e.during("reading the columns of tables"))?;
    Ok(columns)
}

/// The columns by which these tables are partitioned.
pub(super) fn partition_keys(client: &mut Client, tables: &[u32]) -> Result<Vec<Vec<u8>>> {
    let rows = client
        .query(format!(
            "SELECT a.attname FROM pg_catalog.pg_partitioned_table p \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = ANY (p.partattrs) \
             WHERE p.partrelid = ANY ({})",
            oid_array(tables)
        ))
        .map_err(|e| e.during("reading how tables are partitioned"))?;
    Ok(rows.iter().map(|row| bytes(row, 0)).collect())
}

/// A constraint or a unique index that reads a column.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) name: String,
    /// `pg_constraint.contype`; `i` for a unique index without one.
    pub(super) kind: u8,
    pub(super) table: u32,
    pub(super) columns: Vec<i16>,
    /// Of a foreign key what it refers to, column by column.
    pub(super) refers_to: Option<(u32, Vec<i16>)>,
}

/// Keys and checks on these tables or referring to them. What partitions have of their parents is left out.
pub(super) fn keys(client: &mut Client, tables: &[u32]) -> Result<Vec<Key>> {
    let tables = oid_array(tables);
    let sql = format!(
        "SELECT conname, contype, conrelid, conkey, confrelid, confkey FROM pg_catalog.pg_constraint \
         WHERE conparentid = 0 AND contype IN ('p', 'u', 'x', 'c', 'f') \
           AND (conrelid = ANY ({tables}) OR confrelid = ANY ({tables})) \
         UNION ALL \
         SELECT c.relname, 'i', i.indrelid, i.indkey::pg_catalog.int2[], 0, NULL \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         WHERE i.indisunique AND NOT c.relispartition AND i.indrelid = ANY ({tables}) \
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conindid = i.indexrelid AND conrelid = i.indrelid) \
         ORDER BY 1, 3"
    );
    let mut keys = Vec::new();
    client
        .query_each(sql, |row| {
            let kind = bytes(&row, 1).first().copied().unwrap_or(0);
            keys.push(Key {
                name: row.text(0),
                kind,
                table: row.parse(2).unwrap_or(0),
                columns: numbers(&row.text(3)),
                refers_to: (kind == b'f').then(|| (row.parse(4).unwrap_or(0), numbers(&row.text(5)))),
            });
            Ok(())
        })
        .map_err(|e| e.during("reading constraints"))?;
    Ok(keys)
}

/// `{1,2}`.
fn numbers(array: &str) -> Vec<i16> {
    let list = array.rsplit('=').next().unwrap_or_default();
    list.trim_matches(['{', '}']).split(',').filter_map(|n| n.parse().ok()).collect()
}

fn bytes(row: &Row, i: usize) -> Vec<u8> {
    row.bytes(i).unwrap_or_default().to_vec()
}
