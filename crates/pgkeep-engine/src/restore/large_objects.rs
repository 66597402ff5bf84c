//! Large objects: creating them, giving them to their owners, filling them.

use bstr::ByteSlice;
use pgkeep_archive::Entry;

use super::entry::{bytes, tag};
use crate::conn::{Client, quote_ident};
use crate::error::Result;

/// Bytes sent by one `lo_put`; as text they are twice as many.
pub(super) const PUT: usize = 512 << 10;

/// The oids of a BLOB METADATA entry (17 and later): one a line.
pub(super) fn oids_of(entry: &Entry) -> Vec<u32> {
    bytes(&entry.definition).lines().filter_map(|line| line.to_str().ok()?.trim().parse().ok()).collect()
}

/// Statements that create the entry's objects and, if wanted, give them to their owner.
pub(super) fn create(entry: &Entry, with_owner: bool) -> Vec<Vec<u8>> {
    let oids = oids_of(entry);
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
    let owner = bytes(&entry.owner);
    if with_owner && !owner.is_empty() && !bytes(&entry.drop).is_empty() {
        statements.push(for_each(
            &oids,
            b"ALTER LARGE OBJECT ",
            &[b" OWNER TO ".as_slice(), &quote_ident(owner)].concat(),
        ));
    }
    statements
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

/// Whether the entry's GRANTs stand for every object of a group (`ACL` with the tag `LARGE OBJECTS a..b`, 17 and
/// later).
pub(super) fn is_group_acl(entry: &Entry) -> bool {
    super::entry::desc(entry) == b"ACL" && tag(entry).starts_with(b"LARGE OBJECTS")
}

/// The group's GRANTs written out for each of its objects (`IssueACLPerBlob`, src/bin/pg_dump/pg_backup_db.c): the
/// archive has them once, for the first.
pub(super) fn group_acl(sql: &[u8], oids: &[u32]) -> Vec<u8> {
    const MARK: &[u8] = b"LARGE OBJECT ";
    let mut out = Vec::new();
    let (mut start, mut quoted, mut i) = (0, false, 0);
    // End of "LARGE OBJECT " and of the oid after it.
    let mut number: Option<(usize, usize)> = None;
    while i < sql.len() {
        match sql[i] {
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b';' => {
                if let Some((from, to)) = number.take() {
                    out.extend_from_slice(&for_each(oids, &sql[start..from], &sql[to..i]));
                } else {
                    out.extend_from_slice(&sql[start..=i]);
                }
                start = i + 1;
            }
            b'L' if number.is_none() && sql[i..].starts_with(MARK) => {
                let from = i + MARK.len();
                let digits = sql[from..].iter().take_while(|b| b.is_ascii_digit()).count();
                number = Some((from, from + digits));
                i = from + digits;
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    out.extend_from_slice(&sql[start..]);
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_for_the_first_object_become_grants_for_each() {
        let sql = b"GRANT SELECT ON LARGE OBJECT 7 TO \"x; LARGE OBJECT 9\";\nREVOKE ALL ON LARGE OBJECT 7 FROM b;\n";
        let out = String::from_utf8(group_acl(sql, &[7, 8])).unwrap();
        for oid in [7, 8] {
            assert!(
                out.contains(&format!("GRANT SELECT ON LARGE OBJECT {oid} TO \"x; LARGE OBJECT 9\";")),
                "{out}"
            );
            assert!(out.contains(&format!("REVOKE ALL ON LARGE OBJECT {oid} FROM b;")), "{out}");
        }
    }
}
