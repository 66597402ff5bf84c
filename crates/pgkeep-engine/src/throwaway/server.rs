//! Making, starting, stopping and removing the server.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::leftovers;
use super::programs::ServerPrograms;
use super::run_as::RunAs;
use crate::cancel::Cancel;
use crate::conn::ConnInfo;
use crate::error::{EngineError, ErrorKind, Result};

/// How its folder's name begins.
pub(super) const PREFIX: &str = "pgkeep-throwaway-";
/// Locked for as long as the run lives.
pub(super) const LOCK: &str = "lock";
/// Says that the server was left on purpose.
pub(super) const KEPT: &str = "kept";

/// Its superuser.
const USER: &str = "postgres";
/// Bytes that a Unix socket's path may have on every system (`sun_path`, unix(7); 104 on BSD and macOS), less those of
/// `/.s.PGSQL.5432`.
const LONGEST_FOLDER: usize = 104 - 15;

/// Nothing of it needs to outlive a crash. Locks are for pg_dump, which takes one for each table.
const SETTINGS: &str = "listen_addresses = ''
port = 5432
unix_socket_permissions = 0700
max_connections = 100
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 2GB
checkpoint_timeout = 1h
max_locks_per_transaction = 1024
max_logical_replication_workers = 0
jit = off
";

/// A running server; stopped and removed with this value.
#[derive(Debug)]
pub struct Throwaway {
    programs: ServerPrograms,
    run_as: RunAs,
    dir: PathBuf,
    info: ConnInfo,
    /// Folders of servers that killed runs had left, and that were removed.
    pub removed: Vec<PathBuf>,
    kept: bool,
    _lock: File,
}

/// How to go on with a server that was left running.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Connects to a database of it.
    pub psql: String,
    /// Stops and removes it.
    pub remove: String,
}

impl Throwaway {
    /// Makes and starts a server in a new folder below `parent`, and removes what killed runs left there.
    ///
    /// # Errors
    /// `Config` for a folder that cannot be used, `ClientTool` for what `initdb` or the server said.
    pub fn start(programs: ServerPrograms, parent: &Path, cancel: &Cancel) -> Result<Throwaway> {
        let run_as = RunAs::choose()?;
        let removed = leftovers::remove(parent, &programs.folder.join("pg_ctl"), &run_as);
        let failed = |e: std::io::Error| {
            EngineError::new(
                ErrorKind::Config,
                format!("making a folder for a throwaway server in {}", parent.display()),
                e.to_string(),
            )
            .hint("--work-dir names another place with room for the whole database")
        };
        let parent = parent.canonicalize().map_err(failed)?;
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent).map_err(failed)?;
        if dir.path().as_os_str().len() > LONGEST_FOLDER {
            let why = "its name is too long for a Unix socket in it";
            return Err(EngineError::new(ErrorKind::Config, parent.display().to_string(), why)
                .hint("--work-dir names another place; a short link to it will not do"));
        }
        let lock = File::create(dir.path().join(LOCK)).map_err(failed)?;
        lock.lock().map_err(failed)?;
        run_as.give(dir.path()).map_err(failed)?;
        let info = ConnInfo::by_socket(dir.path(), USER)?;
        let server = Throwaway { programs, run_as, dir: dir.keep(), info, removed, kept: false, _lock: lock };
        server.make()?;
        cancel.check()?;
        server.run()?;
        Ok(server)
    }

    /// Its superuser's connection, to the database `postgres`.
    pub fn info(&self) -> &ConnInfo {
        &self.info
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Version of the server.
    pub fn version(&self) -> &str {
        &self.programs.version
    }

    /// Leaves it running.
    pub fn keep(mut self, database: &str) -> Result<Kept> {
        let mark = File::create(self.dir.join(KEPT));
        mark.map_err(|e| self.failed("keeping", &e.to_string()))?;
        self.kept = true;
        let own = self.programs.folder.join("psql");
        let psql = if own.is_file() { own.display().to_string() } else { "psql".into() };
        let dir = self.dir.display();
        let pg_ctl = self.programs.folder.join("pg_ctl");
        Ok(Kept {
            psql: format!("{psql} -h {dir} -U {USER} {database}"),
            remove: format!(
                "{}{} -D {dir}/data -m immediate stop && rm -r {dir}",
                self.run_as.prefix(),
                pg_ctl.display()
            ),
        })
    }

    fn make(&self) -> Result<()> {
        let mut initdb = self.run_as.command(&self.programs.folder.join("initdb"));
        initdb.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username", USER]);
        let out =
            initdb.arg("-D").arg(self.data()).output().map_err(|e| self.failed("initdb", &e.to_string()))?;
        if !out.status.success() {
            let said = String::from_utf8_lossy(&out.stderr).trim().replace('\n', "; ");
            return Err(self.failed("initdb", &said));
        }
        let settings = format!("{SETTINGS}unix_socket_directories = '{}'\n", self.dir.display());
        // Read after postgresql.conf, and so stronger.
        std::fs::write(self.data().join("postgresql.auto.conf"), settings)
            .map_err(|e| self.failed("writing its settings", &e.to_string()))
    }

    fn run(&self) -> Result<()> {
        let log = self.dir.join("log");
        let mut pg_ctl = quiet(self.run_as.command(&self.programs.folder.join("pg_ctl")));
        let started =
            pg_ctl.args(["-w", "-t", "120", "-D"]).arg(self.data()).arg("-l").arg(&log).arg("start");
        match started.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => {
                let said = std::fs::read(&log).unwrap_or_default();
                let said =
                    String::from_utf8_lossy(&said).lines().rev().take(3).collect::<Vec<_>>().join("; ");
                Err(self.failed("starting it", &said))
            }
            Err(e) => Err(self.failed("starting it", &e.to_string())),
        }
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn failed(&self, what: &str, why: &str) -> EngineError {
        let server = format!("throwaway server {} in {}", self.programs.version, self.dir.display());
        EngineError::new(ErrorKind::ClientTool, format!("{server}: {what}"), why)
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        if !self.kept {
            stop(&self.data(), &self.programs.folder.join("pg_ctl"), &self.run_as);
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// Stops the server in this data directory, if there is one.
pub(super) fn stop(data: &Path, pg_ctl: &Path, run_as: &RunAs) {
    if data.join("postmaster.pid").exists() {
        let mut pg_ctl = quiet(run_as.command(pg_ctl));
        let _ = pg_ctl.args(["-w", "-t", "60", "-m", "immediate", "-D"]).arg(data).arg("stop").status();
    }
}

/// pg_ctl hands its output on to the server, which would keep a pipe open for ever.
fn quiet(mut command: Command) -> Command {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}
