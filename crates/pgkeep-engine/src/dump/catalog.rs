//! What the planner must know about tables, asked of the catalog under the snapshot.

use std::collections::HashMap;

use crate::conn::{Client, oid_array};
use crate::error::Result;

/// A table's qualified, quoted name in the session's client encoding.
#[derive(Debug, Clone)]
pub(super) struct TableName {
    pub(super) quoted: Vec<u8>,
    pub(super) schema: Vec<u8>,
    pub(super) name: Vec<u8>,
    /// `pg_class.relkind`: r, p, f …
    pub(super) kind: u8,
}

/// Sizes and ways of reading.
#[derive(Debug, Clone, Default)]
pub(super) struct TableFacts {
    /// Access method is `heap`, so that a tuple id is a place in the file.
    pub(super) heap: bool,
    /// Blocks of the main fork.
    pub(super) blocks: u64,
    /// `pg_table_size`: heap, TOAST, maps.
    pub(super) bytes: u64,
    /// Condition of an extension's configuration table (`pg_extension.extcondition`), as SQL after the name.
    pub(super) filter: Option<Vec<u8>>,
}

/// Names by oid. Reads `pg_class` alone and so waits for no lock.
pub(super) fn names(client: &mut Client, oids: &[u32]) -> Result<HashMap<u32, TableName>> {
    let mut names = HashMap::with_capacity(oids.len());
    client
        .query_each(
            format!(
                "SELECT c.oid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), \
                        n.nspname, c.relname, c.relkind \
                 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE c.oid = ANY ({})",
                oid_array(oids)
            ),
            |row| {
                let text = |i| row.bytes(i).unwrap_or_default().to_vec();
                let oid = row.parse(0).unwrap_or(0);
                let kind = text(4).first().copied().unwrap_or(b'r');
                names.insert(oid, TableName { quoted: text(1), schema: text(2), name: text(3), kind });
                Ok(())
            },
        )
        .map_err(|e| e.during("reading the names of tables"))?;
    Ok(names)
}

/// Facts by oid. The tables must be locked: the size functions lock, too.
pub(super) fn facts(client: &mut Client, oids: &[u32]) -> Result<HashMap<u32, TableFacts>> {
    let mut facts = HashMap::with_capacity(oids.len());
    client
        .query_each(
            format!(
                "SELECT c.oid, coalesce(a.amname = 'heap', false), \
                        coalesce(pg_catalog.pg_relation_size(c.oid), 0) \
                          / pg_catalog.current_setting('block_size')::int8, \
                        coalesce(pg_catalog.pg_table_size(c.oid), 0) \
                 FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam \
                 WHERE c.relkind IN ('r', 'm') AND c.oid = ANY ({})",
                oid_array(oids)
            ),
            |row| {
                facts.insert(
                    row.parse(0).unwrap_or(0),
                    TableFacts {
                        heap: row.bool(1),
                        blocks: row.parse(2).unwrap_or(0),
                        bytes: row.parse(3).unwrap_or(0),
                        filter: None,
                    },
                );
                Ok(())
            },
        )
        .map_err(|e| e.during("reading the sizes of tables"))?;
    client
        .query_each(
            "SELECT t, c FROM pg_catalog.pg_extension e, \
             LATERAL ROWS FROM (pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition)) AS u(t, c) \
             WHERE c <> ''",
            |row| {
                if let Some(filter) = row.bytes(1) {
                    facts.entry(row.parse(0).unwrap_or(0)).or_default().filter = Some(filter.to_vec());
                }
                Ok(())
            },
        )
        .map_err(|e| e.during("reading the extensions' configuration tables"))?;
    Ok(facts)
}

/// Bytes of all large objects, pages included; readable by everybody.
pub(super) fn large_object_bytes(client: &mut Client) -> Result<u64> {
    let row = client.query_one("SELECT pg_catalog.pg_table_size('pg_catalog.pg_largeobject')")?;
    Ok(row.parse(0).unwrap_or(0))
}

/// Whether there is anything that was not made by initdb (`FirstNormalObjectId`, src/include/access/transam.h).
pub(super) fn has_objects(client: &mut Client) -> Result<bool> {
    let row = client.query_one(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid >= 16384) \
             OR EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)",
    )?;
    Ok(row.bool(0))
}
