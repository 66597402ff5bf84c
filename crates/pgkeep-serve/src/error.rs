//! How the daemon fails.

use std::path::PathBuf;

/// What failed, and on what.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The local state can't be opened, read or written.
    #[error("state in {}: {why}\n  hint: it holds nothing that the stores do not: stop pgkeep, delete it, start again", path.display())]
    State {
        /// The SQLite file.
        path: PathBuf,
        /// What SQLite says.
        why: String,
    },
    /// The configuration makes no sense; in words for people.
    #[error("{0}")]
    Config(String),
    /// The address can't be listened on.
    #[error(
        "listening on {address}: {why}\n  hint: another process may use the port: choose one with --listen"
    )]
    Listen {
        /// Address and port.
        address: String,
        /// The system's words.
        why: String,
    },
    /// Something of the operating system.
    #[error("{what}: {why}")]
    System {
        /// What was tried.
        what: String,
        /// The system's words.
        why: String,
    },
}

/// A result of the daemon.
pub type Result<T, E = ServeError> = std::result::Result<T, E>;
