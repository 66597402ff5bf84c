//! Local state in SQLite: runs, recovery points, marks. The stores are the truth; this file can be deleted at any time.

mod points;
mod runs;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::error::{Result, ServeError};
pub use runs::RunFilter;

/// The layout's version. A file of another one is deleted and begun anew: nothing in it is missed for long.
const LAYOUT: i64 = 1;

/// The longest wait for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

const TABLES: &str = "
    CREATE TABLE runs (
        id TEXT PRIMARY KEY, task TEXT NOT NULL, kind TEXT NOT NULL, database TEXT, cause TEXT NOT NULL, who TEXT,
        scheduled INTEGER NOT NULL, attempt INTEGER NOT NULL, state TEXT NOT NULL, started INTEGER, finished INTEGER,
        exit_code INTEGER, error_kind TEXT, error TEXT, backup TEXT, result TEXT, command TEXT NOT NULL, log TEXT
    ) STRICT;
    CREATE INDEX runs_by_task ON runs (task, scheduled);
    CREATE INDEX runs_by_time ON runs (scheduled);
    CREATE TABLE points (
        name TEXT NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL, started INTEGER NOT NULL, finished INTEGER NOT NULL,
        size INTEGER NOT NULL, row_count INTEGER NOT NULL, proven INTEGER, drill_failed INTEGER, held INTEGER NOT NULL,
        stores TEXT NOT NULL, missing TEXT NOT NULL, PRIMARY KEY (name, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX points_by_age ON points (name, started);
    CREATE TABLE marks (name TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

/// The state. One connection, used in turn.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl History {
    /// Opens the file, or makes it. One that is damaged or of another layout is put aside as `<file>.broken`.
    ///
    /// # Errors
    /// What keeps it from being made.
    pub fn open(path: &Path) -> Result<History> {
        let failed = |why: String| ServeError::State { path: path.to_owned(), why };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| failed(e.to_string()))?;
        }
        let connection = match open(path) {
            Ok(connection) => connection,
            Err(_) if path.exists() => {
                put_aside(path).map_err(|e| failed(e.to_string()))?;
                open(path).map_err(|e| failed(e.to_string()))?
            }
            Err(e) => return Err(failed(e.to_string())),
        };
        Ok(History { path: path.to_owned(), connection: Mutex::new(connection) })
    }

    /// Opens the file of a daemon that may run, to read it.
    ///
    /// # Errors
    /// SQLite's.
    pub fn read(path: &Path) -> Result<History> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags)
            .and_then(|connection| connection.busy_timeout(BUSY).map(|()| connection));
        match opened {
            Ok(connection) => Ok(History { path: path.to_owned(), connection: Mutex::new(connection) }),
            Err(e) => Err(ServeError::State { path: path.to_owned(), why: e.to_string() }),
        }
    }

    /// Puts the file back where somebody has deleted it under the daemon, with all that was in it.
    ///
    /// # Errors
    /// What keeps it from being made.
    pub(crate) fn put_back(&self) -> Result<()> {
        if self.path.exists() || self.path.as_os_str() == ":memory:" {
            return Ok(());
        }
        let failed = |why: String| ServeError::State { path: self.path.clone(), why };
        let mut connection = self.lock();
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| failed(e.to_string()))?;
        }
        for end in ["-wal", "-shm"] {
            // What a file that is gone has left would be taken for the new one's.
            let _ = std::fs::remove_file(with_end(&self.path, end));
        }
        // Its space is still there while it is open.
        let copied = connection.execute("VACUUM INTO ?1", params![self.path.to_string_lossy()]);
        let opened = copied.and_then(|_| open(&self.path));
        *connection = opened.map_err(|e| failed(e.to_string()))?;
        Ok(())
    }

    /// State that ends with the process.
    ///
    /// # Errors
    /// SQLite's.
    pub fn in_memory() -> Result<History> {
        let path = PathBuf::from(":memory:");
        match open(&path) {
            Ok(connection) => Ok(History { path, connection: Mutex::new(connection) }),
            Err(e) => Err(ServeError::State { path, why: e.to_string() }),
        }
    }

    /// When something that is named was done last, such as `schedule:shop/backup`.
    ///
    /// # Errors
    /// SQLite's.
    pub fn mark(&self, name: &str) -> Result<Option<Timestamp>> {
        let at: rusqlite::Result<Option<i64>> = self
            .lock()
            .query_row("SELECT at FROM marks WHERE name = ?1", params![name], |row| row.get(0))
            .optional();
        Ok(self.told(at)?.and_then(|ms| Timestamp::from_millisecond(ms).ok()))
    }

    /// Notes when it was done.
    ///
    /// # Errors
    /// SQLite's.
    pub fn set_mark(&self, name: &str, at: Timestamp) -> Result<()> {
        let done = self.lock().execute(
            "INSERT INTO marks (name, at) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET at = excluded.at",
            params![name, at.as_millisecond()],
        );
        self.told(done).map(drop)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told<T>(&self, done: rusqlite::Result<T>) -> Result<T> {
        done.map_err(|e| ServeError::State { path: self.path.clone(), why: e.to_string() })
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(path)?;
    // The state can be lost without harm, so that a commit need not reach the disk at once.
    connection.busy_timeout(BUSY)?;
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
    let layout: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (layout, tables) {
        (LAYOUT, _) => {}
        (0, 0) => {
            let transaction = connection.transaction()?;
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", LAYOUT)?;
            transaction.commit()?;
        }
        _ => return Err(rusqlite::Error::InvalidQuery),
    }
    Ok(connection)
}

fn put_aside(path: &Path) -> std::io::Result<()> {
    for end in ["-wal", "-shm"] {
        match std::fs::remove_file(with_end(path, end)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    std::fs::rename(path, with_end(path, ".broken"))
}

/// The path of a file that belongs to this one.
fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}
