//! The SQL of one entry, as `_printTocEntry` (src/bin/pg_dump/pg_backup_archiver.c) would send it.

use pgkeep_archive::{Entry, group_acl, is_group_acl, object_oids};

use super::entry::{definition, desc, tag};
use super::large_objects;
use super::options::RestoreOptions;
use crate::conn::quote_ident;

/// The entry's statements in order, but for its owner; each is sent for itself, so that what one made stays if the next one fails.
/// `metadata` is the BLOB METADATA entry that a group's privileges belong to.
pub(super) fn of(entry: &Entry, metadata: Option<&Entry>, options: &RestoreOptions) -> Vec<Vec<u8>> {
    let mut statements = Vec::new();
    match definition(entry) {
        // Very old archives have an AUTHORIZATION clause in it.
        Some(sql) if options.no_owner && desc(entry) == b"SCHEMA" && !sql.starts_with(b"--") => {
            statements.push([b"CREATE SCHEMA ".as_slice(), &quote_ident(tag(entry))].concat());
        }
        Some(_) if desc(entry) == b"BLOB METADATA" => {
            return large_objects::create(entry);
        }
        Some(sql) if is_group_acl(entry) => {
            let oids = metadata.map(object_oids).unwrap_or_default();
            statements.push(group_acl(sql, &oids));
        }
        Some(sql) => statements.push(sql.to_vec()),
        None => {}
    }
    statements
}
