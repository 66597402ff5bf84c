//! Failures that are told as notes: what only a superuser or an owner may set, and the database does without.

use std::collections::BTreeMap;

use bstr::ByteSlice;
use pgkeep_archive::Entry;

use super::entry::{bytes, desc, tag};
use crate::error::{EngineError, ErrorKind};

/// Whether the restored database holds and does all the same without an entry of this kind: words about objects, rights, and what
/// concerns the server more than its database. On managed servers nobody may make some of it.
pub(super) fn tolerated(kind: &[u8], error: &EngineError) -> bool {
    let denied = error.kind == ErrorKind::Permission;
    match kind {
        b"COMMENT" | b"ACL" | b"ACL LANGUAGE" | b"DEFAULT ACL" | b"SECURITY LABEL" | b"EVENT TRIGGER"
        | b"PUBLICATION" | b"SUBSCRIPTION" => denied,
        // 42704: its publication was denied.
        b"PUBLICATION TABLE" | b"PUBLICATION TABLES IN SCHEMA" => {
            denied || error.sqlstate.as_deref() == Some("42704") && error.why.contains("publication ")
        }
        // A setting that this version does not know.
        b"DATABASE PROPERTIES" => {
            denied
                || error.sqlstate.as_deref() == Some("42704") && error.why.contains("configuration parameter")
        }
        _ => false,
    }
}

/// Objects that could not be given to their owners, by owner.
#[derive(Debug, Default)]
pub(super) struct NotGiven(BTreeMap<String, (u64, String)>);

impl NotGiven {
    pub(super) fn add(&mut self, entry: &Entry) {
        let owner = bytes(&entry.owner).to_str_lossy().into_owned();
        let first = || (0, format!("{} {}", desc(entry).to_str_lossy(), tag(entry).to_str_lossy()));
        self.0.entry(owner).or_insert_with(first).0 += 1;
    }

    /// A line for each owner.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().map(|(owner, (count, first))| {
            format!(
                "{count} objects, such as {first}, belong to the role that restores: it may not give them to {owner}"
            )
        })
    }
}
