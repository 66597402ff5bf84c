//! Whether constraints and indexes of the restored database are valid.

use pgkeep_archive::Toc;
use pgkeep_keep::drill::Finding;

use crate::conn::Client;
use crate::error::Result;

/// What was looked at, and what is not valid.
pub(super) struct Validity {
    pub(super) constraints: u64,
    pub(super) indexes: u64,
    pub(super) failures: Vec<Finding>,
}

const USERS: &str = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// Looks at every constraint and index. What the archive itself has as NOT VALID or NOT ENFORCED is as it should be.
pub(super) fn look(client: &mut Client, toc: &Toc) -> Result<Validity> {
    // Constraints of partitions that follow their parent's are not in an archive by themselves.
    let enforced = if client.server_major() >= 18 { "c.conenforced" } else { "true" };
    let rows = client
        .query(format!(
            "SELECT c.convalidated OR NOT {enforced}, coalesce(r.relname, t.typname), c.conname, \
                    coalesce(r.oid::pg_catalog.regclass::pg_catalog.text, t.oid::pg_catalog.regtype::pg_catalog.text) \
             FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace \
             LEFT JOIN pg_catalog.pg_class r ON r.oid = c.conrelid LEFT JOIN pg_catalog.pg_type t ON t.oid = c.contypid \
             WHERE {USERS} AND c.conparentid = 0 AND (c.conislocal OR c.contypid <> 0)"
        ))
        .map_err(|e| e.during("looking at constraints"))?;
    let mut failures = Vec::new();
    for row in rows.iter().filter(|row| !row.bool(0)) {
        let tag = [row.bytes(1).unwrap_or_default(), b" ", row.bytes(2).unwrap_or_default()].concat();
        let meant = toc.entries.iter().any(|e| {
            e.tag.as_ref().is_some_and(|t| t.as_slice() == tag)
                && e.definition
                    .as_ref()
                    .is_some_and(|d| bstr::ByteSlice::contains_str(d.as_slice(), "NOT VALID"))
        });
        if !meant {
            let object = format!("constraint {} of {}", row.text(2), row.text(3));
            failures.push(Finding::new(object, "it is not validated"));
        }
    }
    let constraints = (rows.len() - failures.len()) as u64;
    // A partitioned index is not valid until each partition has its own, which may be so in the original.
    let rows = client
        .query(format!(
            "SELECT i.indisvalid AND i.indisready, c.oid::pg_catalog.regclass \
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {USERS} AND c.relkind = 'i'"
        ))
        .map_err(|e| e.during("looking at indexes"))?;
    let bad: Vec<_> = rows.iter().filter(|row| !row.bool(0)).collect();
    let indexes = (rows.len() - bad.len()) as u64;
    failures.extend(bad.iter().map(|row| Finding::new(format!("index {}", row.text(1)), "it is not valid")));
    Ok(Validity { constraints, indexes, failures })
}
