//! Large objects: creating them, giving them to their owners, filling them.

use pgkeep_archive::{Entry, object_oids};

use super::entry::bytes;
use crate::conn::{Client, quote_ident};
use crate::error::Result;

/// Bytes sent by one `lo_put`; as text they are twice as many.
pub(super) const PUT: usize = 512 << 10;

/// Statements that create the entry's objects.
pub(super) fn create(entry: &Entry) -> Vec<Vec<u8>> {
    let oids = object_oids(entry);
    let mut statements = Vec::new();
    for group in oids.chunks(1000) {
        let list: Vec<String> = group.iter().map(u32::to_string).collect();
        statements.push(
            format!(
                "SELECT pg_catalog.count(pg_catalog.lo_create(o)) FROM pg_catalog.unnest('{{{}}}'::pg_catalog.oid[]) AS u(o)",
                list.join(",")
            )
            .into_bytes(),
        );
    }
    statements
}

/// The statement that gives the entry's objects to their owner.
pub(super) fn alter_owner(entry: &Entry) -> Option<Vec<u8>> {
    let owner =
        Some(bytes(&entry.owner)).filter(|owner| !owner.is_empty() && !bytes(&entry.drop).is_empty())?;
    let after = [b" OWNER TO ".as_slice(), &quote_ident(owner)].concat();
    Some(for_each(&object_oids(entry), b"ALTER LARGE OBJECT ", &after))
}

/// One statement for each object, sent together.
fn for_each(oids: &[u32], before: &[u8], after: &[u8]) -> Vec<u8> {
    let mut sql = Vec::with_capacity(oids.len() * (before.len() + after.len() + 12));
    for oid in oids {
        sql.extend_from_slice(before);
        sql.extend_from_slice(oid.to_string().as_bytes());
        sql.extend_from_slice(after);
        sql.extend_from_slice(b";\n");
    }
    sql
}

/// Writes bytes into an object at a place. Through `decode` the text means the same whatever
/// `standard_conforming_strings` is.
pub(super) fn put(client: &mut Client, oid: u32, offset: u64, bytes: &[u8]) -> Result<()> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut sql = format!("SELECT pg_catalog.lo_put({oid}, {offset}, pg_catalog.decode('").into_bytes();
    sql.reserve(bytes.len() * 2 + 16);
    for b in bytes {
        sql.push(DIGITS[usize::from(b >> 4)]);
        sql.push(DIGITS[usize::from(b & 15)]);
    }
    sql.extend_from_slice(b"', 'hex'))");
    client.execute(sql)
}
