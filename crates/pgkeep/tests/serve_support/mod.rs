//! A daemon's home: its configuration, its store, its state.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use pgkeep_serve::{History, Run, RunFilter, RunState};
use pgkeep_testbed::{Database, FaultProxy, Server};
use serde_json::Value;
use tempfile::TempDir;

use crate::failures_support::data::noise;
use crate::failures_support::program::{Ran, Running, pgkeep, run};
use crate::failures_support::wait_until;

/// A folder with a configuration, a store and the state of a daemon.
pub struct Home(TempDir);

impl Home {
    pub fn new(databases: &str) -> Home {
        let home = Home(tempfile::tempdir().unwrap());
        home.configure(databases);
        home
    }

    pub fn configure(&self, databases: &str) {
        let (store, state) = (self.path("store"), self.path("state"));
        let text = format!(
            "store = '{}'\n[defaults]\nstate = '{}'\nretry_wait = '1s'\njobs = 1\n{databases}",
            store.display(),
            state.display()
        );
        std::fs::write(self.path("pgkeep.toml"), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = pgkeep(arguments);
        command.env("PGKEEP_CONFIG", self.path("pgkeep.toml")).env("PGKEEP_LISTEN", "none");
        command
    }

    pub fn serve(&self, more: &[&str]) -> Running {
        Running::start(&mut self.command(&[&["serve"], more].concat()))
    }

    pub fn ran(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments))
    }

    pub fn status(&self) -> Value {
        self.ran(&["status", "--json"]).json()
    }

    /// Lets a task's times count as settled up to long ago: so one is due at the next start.
    pub fn forget(&self, state: &str, task: &str) {
        std::fs::create_dir_all(self.path(state)).unwrap();
        let history = History::open(&self.path(state).join("state.sqlite")).unwrap();
        let long_ago = Timestamp::now() - SignedDuration::from_hours(24 * 40);
        history.set_mark(&format!("schedule:{task}"), long_ago).unwrap();
    }

    pub fn history(&self) -> Option<History> {
        History::read(&self.path("state/state.sqlite")).ok()
    }

    /// All runs of a task, the oldest first.
    pub fn runs(&self, task: &str) -> Vec<Run> {
        let filter = RunFilter { task: Some(task), ..RunFilter::default() };
        let mut runs = self.history().and_then(|h| h.runs(&filter).ok()).unwrap_or_default();
        runs.sort_by_key(|run| (run.scheduled, run.attempt, run.started));
        runs
    }

    /// Waits until a task's last run is in this state.
    #[track_caller]
    pub fn wait_for(&self, task: &str, state: RunState) -> Run {
        let last = || self.runs(task).pop().filter(|run| run.state == state);
        wait_until(&format!("{task} is {state:?}"), || last().is_some());
        last().unwrap()
    }

    /// Ids of the backups of a name, by `pgkeep list`.
    pub fn backups(&self, name: &str) -> Vec<String> {
        let listed = self.ran(&["list", name, "--json"]).ok();
        let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
        listed.stdout.lines().map(id).collect()
    }

    /// Every file in the store that is no finished backup's.
    pub fn leftovers(&self) -> Vec<String> {
        let found = Command::new("find").arg(self.path("store")).args(["-type", "f"]).output().unwrap();
        let files = String::from_utf8(found.stdout).unwrap();
        let whole = |file: &&str| {
            let stem = file.split(".dump").next().unwrap().split(".manifest").next().unwrap();
            std::path::Path::new(&format!("{stem}.manifest.json")).exists()
        };
        files.lines().filter(|file| !whole(file)).map(str::to_owned).collect()
    }
}

pub fn entry(name: &str, url: &str, schedule: &str) -> String {
    format!("[databases.{name}]\nurl = '{url}'\n{schedule}\n")
}

pub fn hourly(name: &str, url: &str) -> String {
    entry(name, url, "schedule = 'rate(1 hour)'")
}

/// A database behind a proxy that lets so few rows through that a backup of it runs until it is told otherwise.
pub fn slow() -> (Database, FaultProxy) {
    let database = noise(&Server::major(17), 60_000);
    let proxy = FaultProxy::to(("127.0.0.1", database.server().port()));
    proxy.throttle(200_000);
    (database, proxy)
}
