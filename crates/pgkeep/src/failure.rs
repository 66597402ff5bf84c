//! How a command fails: words for people, a kind for programs, an exit code for scripts.

use pgkeep_cloud::CloudError;
use pgkeep_engine::{EngineError, ErrorKind};
use pgkeep_keep::KeepError;
use pgkeep_lambda::package::PackageError;
use pgkeep_serve::ServeError;
use pgkeep_snapshots::{SnapshotError, SnapshotErrorKind};
use pgkeep_store::StoreError;
use serde::Serialize;

/// The exit codes, documented in `docs/exit-codes.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Failed = 1,
    Usage = 2,
    Differs = 3,
    Database = 4,
    Store = 5,
    ClientTool = 6,
    Rights = 7,
    Clock = 8,
    Overdue = 9,
    Degraded = 10,
    Incomplete = 11,
    Cancelled = 130,
}

/// A failed command.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Failure {
    /// A word for programs: `connect`, `authentication`, `permission`, `store` …
    pub(crate) kind: &'static str,
    /// What failed and why, the next step on lines of their own.
    pub(crate) message: String,
    #[serde(serialize_with = "as_code", rename = "exit_code")]
    pub(crate) exit: Exit,
    /// Whether it is part of a JSON result that was printed already.
    #[serde(skip)]
    pub(crate) told: bool,
}

fn as_code<S: serde::Serializer>(exit: &Exit, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_u8(*exit as u8)
}

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub(crate) fn new(exit: Exit, kind: &'static str, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into(), exit, told: false }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, "usage", message)
    }

    pub(crate) fn differs(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Differs, "differs", message)
    }
}

impl From<EngineError> for Failure {
    fn from(e: EngineError) -> Failure {
        let (exit, kind) = match e.kind {
            ErrorKind::Config => (Exit::Usage, "config"),
            ErrorKind::Connect => (Exit::Database, "connect"),
            ErrorKind::Pooler => (Exit::Database, "pooler"),
            ErrorKind::Authentication => (Exit::Database, "authentication"),
            ErrorKind::Permission => (Exit::Failed, "permission"),
            ErrorKind::ConnectionLost => (Exit::Database, "connection-lost"),
            ErrorKind::LockTimeout => (Exit::Failed, "lock-timeout"),
            ErrorKind::ClientTool => (Exit::ClientTool, "client-tool"),
            ErrorKind::Archive => (Exit::Differs, "archive"),
            ErrorKind::Store => (Exit::Store, "store"),
            ErrorKind::Differs => (Exit::Differs, "differs"),
            ErrorKind::Cancelled => (Exit::Cancelled, "cancelled"),
            ErrorKind::Server => (Exit::Failed, "server"),
            _ => (Exit::Failed, "failed"),
        };
        Failure::new(exit, kind, e.to_string())
    }
}

impl From<SnapshotError> for Failure {
    fn from(e: SnapshotError) -> Failure {
        let exit = if e.kind == SnapshotErrorKind::Cancelled { Exit::Cancelled } else { Exit::Failed };
        Failure::new(exit, e.word(), e.message)
    }
}

impl From<CloudError> for Failure {
    fn from(e: CloudError) -> Failure {
        SnapshotError::from(e).into()
    }
}

impl From<StoreError> for Failure {
    fn from(e: StoreError) -> Failure {
        let exit = match e {
            StoreError::Stopped(_) => return EngineError::cancelled().into(),
            StoreError::InvalidUrl(_) => Exit::Usage,
            _ => Exit::Store,
        };
        Failure::new(exit, "store", e.to_string())
    }
}

impl From<PackageError> for Failure {
    fn from(e: PackageError) -> Failure {
        Failure::new(Exit::Failed, "package", e.to_string())
    }
}

impl From<ServeError> for Failure {
    fn from(e: ServeError) -> Failure {
        match e {
            ServeError::Config(message) => Failure::usage(message),
            other => Failure::new(Exit::Failed, "failed", other.to_string()),
        }
    }
}

impl From<KeepError> for Failure {
    fn from(e: KeepError) -> Failure {
        match e {
            KeepError::Store(e) => e.into(),
            KeepError::Cancelled => Failure::new(Exit::Cancelled, "cancelled", e.to_string()),
            KeepError::Archive { .. } | KeepError::Damaged { .. } | KeepError::Manifest { .. } => {
                Failure::new(Exit::Differs, "damaged", e.to_string())
            }
            KeepError::NoSuchBackup { .. } | KeepError::Ambiguous { .. } => {
                Failure::new(Exit::Failed, "no-such-backup", e.to_string())
            }
            KeepError::Locked { .. } => Failure::new(Exit::Failed, "locked", e.to_string()),
            KeepError::Key { .. } => Failure::new(Exit::Usage, "key", e.to_string()),
            KeepError::DrillRecord { .. } => Failure::new(Exit::Differs, "damaged", e.to_string()),
            KeepError::KeyTemplate { .. } | KeepError::DrillKey { .. } => Failure::usage(e.to_string()),
            KeepError::Busy { .. } => Failure::new(Exit::Failed, "busy", e.to_string()),
            other => Failure::new(Exit::Failed, "failed", other.to_string()),
        }
    }
}
