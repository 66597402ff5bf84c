//! What went wrong with a snapshot.

use std::fmt;

use pgkeep_cloud::{CloudError, CloudErrorKind};

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotErrorKind {
    /// What AWS said.
    Cloud(CloudErrorKind),
    /// It did not begin or end within its window; what AWS does goes on.
    Window,
    /// AWS began it and it failed.
    Failed,
    /// It was there and is gone.
    Gone,
    /// Something of its name is there that pgkeep has not made.
    Foreign,
    /// It makes no sense, or cannot be done in this state.
    Unfit,
    /// The user stopped it; what AWS does goes on.
    Cancelled,
}

/// A failure in words, hints on lines of their own.
#[derive(Debug, Clone)]
pub struct SnapshotError {
    /// The class.
    pub kind: SnapshotErrorKind,
    /// What failed, on what, why, and what to do next.
    pub message: String,
}

/// Result of everything in this crate.
pub type Result<T, E = SnapshotError> = std::result::Result<T, E>;

impl SnapshotError {
    /// A failure of a class, in words.
    #[must_use]
    pub fn new(kind: SnapshotErrorKind, message: impl Into<String>) -> SnapshotError {
        SnapshotError { kind, message: message.into() }
    }

    pub(crate) fn hint(self, hint: &str) -> SnapshotError {
        SnapshotError { message: format!("{}\n  hint: {hint}", self.message), ..self }
    }

    pub(crate) fn is(&self, kind: CloudErrorKind) -> bool {
        self.kind == SnapshotErrorKind::Cloud(kind)
    }

    /// A word for programs (`docs/exit-codes.md`).
    #[must_use]
    pub fn word(&self) -> &'static str {
        use CloudErrorKind as C;
        match self.kind {
            SnapshotErrorKind::Cloud(C::Credentials) => "credentials",
            SnapshotErrorKind::Cloud(C::Denied) => "denied",
            SnapshotErrorKind::Cloud(C::NotFound) => "not-found",
            SnapshotErrorKind::Cloud(C::Busy) => "busy",
            SnapshotErrorKind::Cloud(C::Throttled) => "throttled",
            SnapshotErrorKind::Cloud(C::Quota) => "quota",
            SnapshotErrorKind::Cloud(C::Key) => "kms",
            SnapshotErrorKind::Cloud(C::Exists) | SnapshotErrorKind::Foreign => "exists",
            SnapshotErrorKind::Cloud(C::Unreachable) => "unreachable",
            SnapshotErrorKind::Cloud(C::Unfit) | SnapshotErrorKind::Unfit => "unfit",
            SnapshotErrorKind::Cloud(_) => "aws",
            SnapshotErrorKind::Window => "window",
            SnapshotErrorKind::Failed => "snapshot-failed",
            SnapshotErrorKind::Gone => "gone",
            SnapshotErrorKind::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SnapshotError {}

impl From<CloudError> for SnapshotError {
    fn from(e: CloudError) -> SnapshotError {
        SnapshotError::new(SnapshotErrorKind::Cloud(e.kind), e.to_string())
    }
}
