//! What retention goes by.

use std::fmt;

use jiff::Timestamp;

use crate::id::BackupId;
use crate::manifest::{DatabaseIdentity, DumpReport};
use crate::sidecar::Sidecars;

/// One backup as retention sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: BackupId,
    /// The moment whose state it holds: its snapshot's time.
    pub taken: Timestamp,
    /// The database that it is of.
    pub identity: Identity,
    /// What it holds of it.
    pub content: Content,
    /// Holds and drills.
    pub sidecars: Sidecars,
    /// Until when the store itself refuses to delete it, where it has such locks.
    pub locked_until: Option<Timestamp>,
}

/// Which database a backup is of. Backups with different identities never push each other out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identity {
    /// The cluster told its system identifier.
    Known {
        /// `system_identifier` of the cluster.
        cluster: String,
        /// OID in `pg_database`: a database that was dropped and made anew is another.
        oid: Option<u32>,
        /// Database name.
        database: String,
    },
    /// It did not; then all that is known must agree.
    Unknown {
        /// Database name.
        database: String,
        /// OID in `pg_database`.
        oid: Option<u32>,
        /// Host and port that the dump connected to.
        place: Option<(String, u16)>,
    },
}

impl Identity {
    /// The identity in a manifest.
    pub fn of(database: &DatabaseIdentity) -> Identity {
        let (name, oid) = (database.name.clone(), database.oid);
        match &database.system_identifier {
            Some(cluster) => Identity::Known { cluster: cluster.clone(), oid, database: name },
            None => {
                Identity::Unknown { database: name, oid, place: database.host.clone().zip(database.port) }
            }
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identity::Known { cluster, database, .. } => write!(f, "database {database}, cluster {cluster}"),
            Identity::Unknown { database, place: Some((host, port)), .. } => {
                write!(f, "database {database} on {host}:{port}, unknown cluster")
            }
            Identity::Unknown { database, place: None, .. } => {
                write!(f, "database {database}, unknown cluster")
            }
        }
    }
}

/// What a backup holds of its database.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Content {
    /// All of it.
    Full,
    /// Less, or changed: what it lacks, in words. Such a backup never stands in for a full one, nor for one that lacks
    /// something else.
    Partial(String),
}

impl Content {
    /// The content of a dump.
    pub fn of(dump: &DumpReport) -> Content {
        dump.partial().map_or(Content::Full, Content::Partial)
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Full => f.write_str("full"),
            Content::Partial(words) => write!(f, "partial: {words}"),
        }
    }
}
