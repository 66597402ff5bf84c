//! The process itself, and the signals to it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::fleet::TaskKind;
use crate::run::{Run, RunId, RunTrigger};

/// A process that was started.
#[derive(Clone)]
pub(super) struct Process(Arc<Mutex<Child>>);

/// What it says, and where that is kept.
pub(super) struct Pipes {
    pub(super) out: ChildStdout,
    pub(super) err: ChildStderr,
    pub(super) log: File,
}

impl Process {
    /// Starts a run's command.
    pub(super) fn start(
        program: &Path,
        config: Option<&Path>,
        run: &Run,
        words: &[String],
        log: &Path,
    ) -> io::Result<(Process, Pipes)> {
        if let Some(folder) = log.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut log = File::options().create(true).append(true).mode(0o600).open(log)?;
        writeln!(log, "{} {} (run {}, try {})", jiff::Timestamp::now(), run.command, run.id, run.attempt)?;
        let mut command = Command::new(program);
        if let Some(config) = config {
            command.arg("--config").arg(config);
        }
        command.args(words).arg("--json");
        // `prune` has nothing to measure itself by.
        if run.kind != TaskKind::Prune {
            command.args(["--progress", "json"]);
        }
        // Another try for the same time finds the snapshot that the first has begun.
        if run.kind == TaskKind::Rds && matches!(run.trigger, RunTrigger::Schedule | RunTrigger::Retry) {
            command.args(["--at", &run.scheduled.to_string()]);
        }
        command.env("PGKEEP_DAEMON", std::process::id().to_string()).env("PGKEEP_RUN", &run.id.0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: what a terminal sends to the daemon is not meant for its runs.
        let mut child = command.process_group(0).spawn()?;
        match (child.stdout.take(), child.stderr.take()) {
            (Some(out), Some(err)) => Ok((Process(Arc::new(Mutex::new(child))), Pipes { out, err, log })),
            _ => Err(io::Error::other("no pipes")),
        }
    }

    /// Waits for a process that has closed its output.
    pub(super) fn wait(&self) -> io::Result<ExitStatus> {
        self.lock().wait()
    }

    /// Asks it to end, or its whole group to be gone at once.
    fn signal(&self, kill: bool) {
        let mut child = self.lock();
        // A process that has ended is gone from the system only when it was waited for, under the same lock.
        if let (Ok(None), Some(pid)) = (child.try_wait(), Pid::from_raw(child.id().cast_signed())) {
            let _ = match kill {
                true => kill_process_group(pid, Signal::KILL),
                false => kill_process(pid, Signal::TERM),
            };
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Child> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The processes that run, each with when it was asked to end.
#[derive(Default)]
pub(crate) struct Processes(HashMap<RunId, (Process, Option<Instant>)>);

impl Processes {
    pub(super) fn add(&mut self, run: RunId, process: Process) {
        self.0.insert(run, (process, None));
    }

    /// Forgets one that has ended.
    pub(crate) fn ended(&mut self, run: &RunId) {
        self.0.remove(run);
    }

    /// Asks a run's process to end, which it does without leaving anything.
    pub(crate) fn stop(&mut self, run: &RunId) {
        if let Some((process, asked)) = self.0.get_mut(run) {
            process.signal(false);
            *asked = Some(Instant::now());
        }
    }

    /// Ends those at once that were asked so long ago.
    pub(crate) fn kill_unheeding(&self, after: Duration) {
        for (process, _) in self.0.values().filter(|(_, asked)| asked.is_some_and(|a| a.elapsed() > after)) {
            process.signal(true);
        }
    }
}
