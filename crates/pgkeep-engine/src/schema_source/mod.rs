//! Where the schema part of an archive comes from.

mod client_command;
mod client_tools;
mod pg_dump;

use std::time::Duration;

use pgkeep_archive::Toc;

pub(crate) use client_command::client_command;
pub use client_tools::{ClientTool, find_tools, pick_tool};
pub use pg_dump::PgDump;

use crate::cancel::Cancel;
use crate::conn::ConnInfo;
use crate::error::Result;
use crate::select::Selection;

/// What a schema source is asked for.
pub struct SchemaRequest<'a> {
    /// Where to read.
    pub info: &'a ConnInfo,
    /// Exported snapshot under which to read.
    pub snapshot: &'a str,
    /// What of the database to give.
    pub selection: &'a Selection,
    /// Longest wait for a table's lock; `None` waits for ever.
    pub lock_timeout: Option<Duration>,
    /// Raised to stop.
    pub cancel: &'a Cancel,
}

/// Gives the whole TOC of a database under a snapshot, as `pg_dump -Fc` would write it: pre-data, one TABLE DATA
/// entry for each table with its copy statement, BLOBS, SEQUENCE SET, post-data, all with dependencies.
///
/// The source holds an ACCESS SHARE lock on every table from before it read the table's definition until
/// `while_held` has returned; in `while_held` the caller takes its own locks, so that no DDL comes between the
/// schema and the data.
pub trait SchemaSource {
    /// The make and version of the source, for the manifest.
    fn version(&self) -> String;

    /// Reads the schema.
    ///
    /// # Errors
    /// Those of `while_held` unchanged; else what the source could not read, by object.
    fn read(
        &self,
        request: &SchemaRequest<'_>,
        while_held: &mut dyn FnMut(&Toc) -> Result<()>,
    ) -> Result<Toc>;
}
