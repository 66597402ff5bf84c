//! A run's process: cleared with other daemons, started, listened to, stopped.

mod clear;
mod listen;
mod process;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pgkeep_keep::Lease;

use crate::fleet::Member;
use crate::orders::{Orders, Word};
use crate::run::{Run, RunId};
use crate::shared::Shared;
use crate::supervisor::{End, Outcome};
pub(crate) use process::Processes;

/// Starts runs.
pub(crate) struct Runner {
    program: PathBuf,
    config: Option<PathBuf>,
    logs: PathBuf,
    shared: Arc<Shared>,
    orders: Orders,
}

impl Runner {
    /// Runs this program with this configuration, and keeps what it says in `logs`.
    pub(crate) fn new(
        program: PathBuf,
        config: Option<PathBuf>,
        logs: PathBuf,
        shared: Arc<Shared>,
    ) -> Runner {
        let orders = shared.orders.clone();
        Runner { program, config, logs, shared, orders }
    }

    /// Where the log of a run is.
    pub(crate) fn log_of(&self, run: &RunId) -> PathBuf {
        self.logs.join(format!("{run}.log"))
    }

    /// Asks the task's first store whether another daemon does this run or has done it. The answer is reported.
    pub(crate) fn clear(&self, run: &Run, member: Option<&Member>) {
        let (run, member, orders) = (run.clone(), member.cloned(), self.orders.clone());
        std::thread::spawn(move || {
            let answer = clear::clear(&run, member.as_ref());
            orders.report(Word::Cleared(run.id, answer));
        });
    }

    /// Starts the process. Its end is reported.
    ///
    /// Must be called by a thread that lives as long as the daemon: the process is told when that thread ends.
    pub(crate) fn start(&self, run: &Run, words: &[String], lease: Option<Lease>, processes: &mut Processes) {
        let begun =
            process::Process::start(&self.program, self.config.as_deref(), run, words, &self.log_of(&run.id));
        match begun {
            Ok((process, pipes)) => {
                processes.add(run.id.clone(), process.clone());
                let (run, shared, orders) = (run.clone(), self.shared.clone(), self.orders.clone());
                std::thread::spawn(move || {
                    let keeper = lease.map(clear::Keeper::start);
                    let end = listen::listen(&run.id, &process, pipes, &shared.live);
                    if let (Some(keeper), Some(began), Some(0)) = (&keeper, run.started, end.exit_code) {
                        keeper.done(began);
                    }
                    drop(keeper);
                    orders.report(Word::Ended(run.id, Outcome::Ended(end)));
                });
            }
            Err(e) => {
                let end = End::failed("not-started", format!("starting {}: {e}", self.program.display()));
                self.orders.report(Word::Ended(run.id.clone(), Outcome::Ended(end)));
            }
        }
    }

    /// Deletes logs that are older than so many days.
    pub(crate) fn forget_logs(&self, days: u32) {
        let oldest = std::time::SystemTime::now() - std::time::Duration::from_secs(u64::from(days) * 86_400);
        let is_old = |path: &Path| {
            path.extension().is_some_and(|e| e == "log")
                && std::fs::metadata(path).and_then(|m| m.modified()).is_ok_and(|m| m < oldest)
        };
        let files = std::fs::read_dir(&self.logs).into_iter().flatten().flatten();
        for path in files.map(|f| f.path()).filter(|p| is_old(p)) {
            // What can't be deleted today is tried again tomorrow.
            let _ = std::fs::remove_file(path);
        }
    }
}
