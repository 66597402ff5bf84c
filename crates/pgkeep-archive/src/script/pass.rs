//! The rounds of a restore.

use crate::{Entry, Section};

/// The three rounds of a restore (`RestorePass`, src/bin/pg_dump/pg_backup_archiver.h): privileges come after all
/// objects, and what runs user code under these privileges comes after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Pass {
    /// Everything else.
    #[default]
    Main,
    /// GRANT and REVOKE.
    Privileges,
    /// Event triggers, contents of materialized views.
    AfterPrivileges,
}

impl Pass {
    /// The round that an entry belongs to (`_tocEntryRestorePass`).
    pub fn of(entry: &Entry) -> Pass {
        let tag = entry.tag.as_ref().map_or(b"".as_slice(), |t| t.as_slice());
        match entry.desc.as_ref().map_or(b"".as_slice(), |d| d.as_slice()) {
            b"ACL" | b"ACL LANGUAGE" | b"DEFAULT ACL" => Pass::Privileges,
            b"EVENT TRIGGER" | b"MATERIALIZED VIEW DATA" => Pass::AfterPrivileges,
            b"COMMENT" | b"SECURITY LABEL" if tag.starts_with(b"EVENT TRIGGER ") => Pass::AfterPrivileges,
            b"STATISTICS DATA" if entry.section == Section::PostData => Pass::AfterPrivileges,
            _ => Pass::Main,
        }
    }
}
