//! Limits of time and disk: whoever drills every night must know that a drill ends.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo};
use crate::error::Result;

/// How often disk and clock are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// What a drill may use.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) time: Option<Duration>,
    pub(super) disk: Option<u64>,
    pub(super) began: Instant,
    pub(super) usage: Usage,
}

/// Where disk is used.
#[derive(Debug)]
pub(super) enum Usage {
    /// Everything in a folder.
    Folder(PathBuf),
    /// Databases whose names begin so; the server's log and WAL are not counted.
    Databases { server: Box<ConnInfo>, begin: String },
}

impl Limits {
    /// Runs `work` and stops it when a limit is reached; then says which.
    pub(super) fn within<T>(
        &self,
        cancel: &Cancel,
        work: impl FnOnce(&Cancel) -> Result<T>,
    ) -> (Result<T>, Option<String>) {
        let stop = cancel.child();
        let over = AtomicBool::new(false);
        let reached: Mutex<Option<String>> = Mutex::new(None);
        let look = || {
            if let Some(why) = self.reached() {
                *reached.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                stop.raise();
                return true;
            }
            false
        };
        let result = thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                while !over.load(Ordering::Relaxed) && !look() {
                    thread::park_timeout(EVERY);
                }
            });
            let result = work(&stop);
            over.store(true, Ordering::Relaxed);
            watcher.thread().unpark();
            result
        });
        // Also what was quicker than the watcher has used what it used.
        look();
        (result, reached.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn reached(&self) -> Option<String> {
        if let Some(time) = self.time.filter(|time| self.began.elapsed() >= *time) {
            return Some(format!("the time limit of {} s was reached", time.as_secs()));
        }
        let disk = self.disk?;
        let used = self.usage.bytes();
        (used > disk).then(|| format!("the disk limit of {disk} bytes was reached: {used} are used"))
    }
}

impl Usage {
    fn bytes(&self) -> u64 {
        match self {
            Usage::Folder(dir) => folder(dir),
            Usage::Databases { server, begin } => databases(server, begin).unwrap_or(0),
        }
    }
}

/// Bytes on disk below a folder. Files come and go while it is walked.
fn folder(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(m) if m.is_dir() => folder(&entry.path()),
            // Units of 512 bytes, whatever the file system's blocks are (stat(2)).
            Ok(m) => m.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

fn databases(server: &ConnInfo, begin: &str) -> Result<u64> {
    let mut client = Client::connect(server, &Cancel::new())?;
    let row = client.query_one(format!(
        "SELECT sum(pg_catalog.pg_database_size(oid)) FROM pg_catalog.pg_database \
         WHERE pg_catalog.starts_with(datname, '{begin}')"
    ))?;
    Ok(row.parse(0).unwrap_or(0))
}
