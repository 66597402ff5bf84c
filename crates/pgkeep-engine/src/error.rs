//! What went wrong, on which object, why as far as known, and what to do next.

use std::fmt;

use pgkeep_archive::ArchiveError;
use pgkeep_store::StoreError;

/// The class of a failure: what a caller may decide by, apart from the words for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A connection string or option that makes no sense.
    Config,
    /// The server could not be reached, or refused the connection.
    Connect,
    /// A pooler that hands sessions around stands before the server.
    Pooler,
    /// The server did not accept the user, the password or the certificate.
    Authentication,
    /// The user may not read or do something.
    Permission,
    /// A connection that worked was lost.
    ConnectionLost,
    /// A lock could not be had in time.
    LockTimeout,
    /// The server reported any other error.
    Server,
    /// No fitting `pg_dump` on this machine, or it failed.
    ClientTool,
    /// The archive is damaged or of an unknown make.
    Archive,
    /// The store failed.
    Store,
    /// Restored rows differ from dumped rows.
    Differs,
    /// The user or the system asked to stop.
    Cancelled,
    /// Anything else.
    Other,
}

/// An error as people meet it: what failed, why, and what to do next.
#[derive(Debug, Clone)]
pub struct EngineError {
    /// The class, for decisions.
    pub kind: ErrorKind,
    /// What was being done, and on which object.
    pub what: String,
    /// Why it failed, as far as known.
    pub why: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The server's SQLSTATE where the server gave one.
    pub sqlstate: Option<String>,
}

/// Result of everything in this crate.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

impl EngineError {
    /// A new error without a hint.
    pub fn new(kind: ErrorKind, what: impl Into<String>, why: impl Into<String>) -> Self {
        EngineError { kind, what: what.into(), why: why.into(), hint: None, sqlstate: None }
    }

    /// The same error with a next step for the reader.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error, told as having happened during `what`. A wish to stop has nothing to do with what was done.
    #[must_use]
    pub fn during(mut self, what: impl fmt::Display) -> Self {
        if self.kind == ErrorKind::Cancelled {
            return self;
        }
        self.what = if self.what.is_empty() { what.to_string() } else { format!("{what}: {}", self.what) };
        self
    }

    /// The run was asked to stop.
    pub fn cancelled() -> Self {
        EngineError::new(ErrorKind::Cancelled, "stopped", "the run was asked to stop")
    }

    /// Whether a standby ended what a session read to go on with its replay; sessions that only read meet these codes
    /// for no other reason (`ProcessRecoveryConflictInterrupt`, src/backend/tcop/postgres.c). Another try under the same
    /// snapshot may succeed, unless the snapshot itself was in the way.
    pub fn is_recovery_conflict(&self) -> bool {
        matches!(self.sqlstate.as_deref(), Some("40001" | "40P01"))
    }

    /// Whether the same work on a new connection may succeed.
    pub fn is_connection_lost(&self) -> bool {
        self.kind == ErrorKind::ConnectionLost
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.what.is_empty() {
            write!(f, "{}: ", self.what)?;
        }
        write!(f, "{}", self.why)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for EngineError {}

impl From<ArchiveError> for EngineError {
    fn from(e: ArchiveError) -> Self {
        EngineError::new(ErrorKind::Archive, "archive", e.to_string())
    }
}

impl From<StoreError> for EngineError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::Stopped(_) => EngineError::cancelled(),
            e => EngineError::new(ErrorKind::Store, "", e.to_string()),
        }
    }
}
