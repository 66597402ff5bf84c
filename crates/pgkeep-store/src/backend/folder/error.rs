//! The meanings of file system errors.

use std::io;

use crate::error::StoreError;

/// Gives the meaning of `e`, which came up at `url`.
pub(crate) fn meaning(url: &str, e: &io::Error) -> StoreError {
    let (make, hint): (fn(_) -> _, &str) = match e.kind() {
        io::ErrorKind::NotFound => (StoreError::NotFound, ""),
        io::ErrorKind::AlreadyExists => (StoreError::AlreadyExists, ""),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => (
            StoreError::PermissionDenied,
            "check the folder's owner and mode, and that its file system is writable",
        ),
        io::ErrorKind::StorageFull => (
            StoreError::Full,
            "free some space or name a folder on a larger disk; the partial file was removed",
        ),
        io::ErrorKind::QuotaExceeded => {
            (StoreError::Full, "raise the quota or remove old backups; the partial file was removed")
        }
        io::ErrorKind::FileTooLarge => (
            StoreError::TooLarge,
            "the file system or a limit of the process (ulimit -f) allows no larger file",
        ),
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            (StoreError::Other, "a file is where a folder is needed, or the other way round")
        }
        io::ErrorKind::InvalidFilename => (StoreError::InvalidUrl, "the file system takes no such name"),
        io::ErrorKind::StaleNetworkFileHandle | io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable => {
            (StoreError::Unreachable, "check the mount of the network file system")
        }
        _ => (StoreError::Other, "see the system's log for errors of the disk"),
    };
    StoreError::new(make, url, e, hint)
}
