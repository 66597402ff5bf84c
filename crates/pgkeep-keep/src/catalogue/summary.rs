//! A manifest without its tables: what lists and retention go by.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Listed;
use crate::error::Result;
use crate::manifest::{DatabaseIdentity, Format, Manifest};
use crate::retention::{Candidate, Content, Identity};

/// What a manifest says of its backup as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The database.
    pub database: DatabaseIdentity,
    /// When the run began.
    pub started: Timestamp,
    /// When the archive was whole.
    pub finished: Timestamp,
    /// Time of the snapshot.
    pub snapshot_time: Timestamp,
    /// Its WAL position, where the server told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_lsn: Option<String>,
    /// Key of the archive, or of the object that leads to its others.
    pub key: String,
    /// Bytes of the archive.
    pub size: u64,
    /// Tables in it.
    pub tables: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of COPY text in them.
    pub bytes: u64,
    /// What a full backup has and this one lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
    /// Whether values were masked.
    #[serde(default)]
    pub masked: bool,
    /// Key of roles and tablespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub globals: Option<String>,
    /// Format of the archive.
    #[serde(default)]
    pub format: Format,
    /// Whether only who has a key can read it.
    pub encrypted: bool,
    /// Codec and level.
    pub compression: String,
    /// Version of the server.
    pub server_version: String,
    /// Whether somebody else made the archive.
    #[serde(default)]
    pub adopted: bool,
}

impl Summary {
    /// The summary of a manifest.
    pub fn of(m: &Manifest) -> Summary {
        let (rows, bytes) = m.dump.totals();
        Summary {
            database: m.dump.database.clone(),
            started: m.started,
            finished: m.finished,
            snapshot_time: m.dump.snapshot_time,
            snapshot_lsn: m.dump.snapshot_lsn.clone(),
            key: m.object.key.clone(),
            size: m.size(),
            tables: m.dump.tables.len() as u64,
            rows,
            bytes,
            partial: m.dump.partial(),
            masked: m.dump.is_masked(),
            globals: m.globals.as_ref().map(|g| g.key.clone()),
            format: m.dump.format,
            encrypted: m.encryption.is_some(),
            compression: m.dump.compression.clone(),
            server_version: m.dump.server_version.clone(),
            adopted: m.adopted.is_some(),
        }
    }

    /// The backup as retention sees it.
    pub fn candidate(&self, listed: &Listed) -> Candidate {
        Candidate {
            id: listed.id.clone(),
            taken: self.snapshot_time,
            identity: Identity::of(&self.database),
            content: self.partial.clone().map_or(Content::Full, Content::Partial),
            sidecars: listed.sidecars,
            locked_until: None,
        }
    }
}

/// The summaries of several backups.
#[derive(Debug)]
pub struct Summaries {
    /// One for each backup, in the order in which they were listed.
    pub found: Vec<Result<Summary>>,
    /// So many manifests had to be read.
    pub read: usize,
}
