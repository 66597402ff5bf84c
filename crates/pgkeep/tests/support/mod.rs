//! Shared by the tests of the program: running it, and stock tools on what it wrote.
#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod digest;
pub mod memory;
pub mod shop;
pub mod stock;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pgkeep_testbed::{Database, Server, secret_in};
use serde_json::Value;
use tempfile::TempDir;

/// The program, with every major's client programs at hand and nothing of the user's own settings.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgkeep"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", "/nonexistent").env("PGKEEP_PG_BIN", client_folders());
    // Daemons of several tests would have the same port.
    command.env("PGKEEP_LISTEN", "none");
    command
}

/// The folders with `pg_dump` 14 to 18, as in `PATH`.
pub fn client_folders() -> std::ffi::OsString {
    let folders = Server::MAJORS.map(|major| Server::major(major).bin_dir().to_owned());
    std::env::join_paths(folders).unwrap()
}

/// Runs the program to its end.
pub fn pgkeep<S: AsRef<OsStr>>(args: &[S]) -> Output {
    output(program().args(args))
}

/// Runs a command to its end. What pgkeep prints must never hold a secret.
#[track_caller]
pub fn output(command: &mut Command) -> Output {
    let out = command.output().unwrap();
    if command.get_program() == env!("CARGO_BIN_EXE_pgkeep") {
        for text in [&out.stdout, &out.stderr] {
            let told = || String::from_utf8_lossy(text).into_owned();
            assert_eq!(secret_in(text), None, "{command:?} prints a secret: {}", told());
        }
    }
    out
}

/// Runs it and expects success; gives its standard output.
#[track_caller]
pub fn succeed(command: &mut Command) -> Vec<u8> {
    let out = output(command);
    let said = String::from_utf8_lossy(&out.stderr);
    let printed = || String::from_utf8_lossy(&out.stdout[..out.stdout.len().min(4000)]).into_owned();
    assert!(out.status.success(), "{command:?}: {}\n{said}\n{}", out.status, printed());
    out.stdout
}

/// `pgkeep backup --json` into a store; gives what it printed.
#[track_caller]
pub fn backup(database: &Database, store: &str, extra: &[&str]) -> Value {
    backup_with(database, store, extra, &[])
}

/// The same with further environment: the keys of a bucket.
#[track_caller]
pub fn backup_with(database: &Database, store: &str, extra: &[&str], env: &[(&str, String)]) -> Value {
    let mut command = program();
    command.envs(env.iter().map(|(name, value)| (name, value)));
    command.args(["backup", &database.url(), "--to", store, "--json"]).args(extra);
    serde_json::from_slice(&succeed(&mut command)).unwrap()
}

/// `pgkeep restore --json` of anything that it restores; gives what it printed.
#[track_caller]
pub fn restore(what: &str, into: &Database, extra: &[&str]) -> Value {
    let mut command = program();
    command.args(["restore", what, "--into", &into.url(), "--json"]).args(extra);
    serde_json::from_slice(&succeed(&mut command)).unwrap()
}

/// A backup in a folder of its own.
pub struct Backup {
    pub result: Value,
    dir: TempDir,
}

impl Backup {
    /// Backs up with further arguments.
    #[track_caller]
    pub fn of(database: &Database, extra: &[&str]) -> Backup {
        let dir = tempfile::tempdir().unwrap();
        let result = backup(database, dir.path().to_str().unwrap(), extra);
        Backup { result, dir }
    }

    /// The archive's file.
    pub fn path(&self) -> PathBuf {
        path_of(&self.result, "url")
    }

    /// The archive's file as an argument.
    pub fn file(&self) -> String {
        self.path().to_str().unwrap().to_owned()
    }

    /// The folder that it is in.
    pub fn store(&self) -> &Path {
        self.dir.path()
    }

    /// Its manifest.
    pub fn manifest(&self) -> Value {
        let text = std::fs::read(path_of(&self.result, "manifest_url")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// The pieces that a table was read in, by the manifest.
    pub fn segments(&self, table: &str) -> u64 {
        let manifest = self.manifest();
        let tables = manifest["dump"]["tables"].as_array().unwrap();
        let found = tables.iter().find(|t| t["table"] == table);
        found.unwrap_or_else(|| panic!("no table {table}"))["segments"].as_u64().unwrap()
    }
}

fn path_of(result: &Value, field: &str) -> PathBuf {
    let url = result[field].as_str().unwrap();
    url.strip_prefix("file://").unwrap_or_else(|| panic!("{url} is no file")).into()
}
