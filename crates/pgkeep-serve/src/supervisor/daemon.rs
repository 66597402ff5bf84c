//! The daemon: its state, its lock, and what is to be known before its loop begins.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sd_notify::NotifyState;

use super::heart::{Heart, act, beat, notify};
use super::mark_name;
use crate::error::{Result, ServeError};
use crate::fleet::FleetSource;
use crate::history::History;
use crate::orders::{Inbox, Order, Orders, Word};
use crate::runner::Runner;
use crate::shared::Shared;
use crate::status::lock;
use crate::survey::Surveyor;
use crate::watch::Watchers;

/// How a daemon runs.
#[derive(Debug, Clone)]
pub struct DaemonOptions {
    /// The program that runs are made of: this one.
    pub program: PathBuf,
    /// The configuration file that it is given.
    pub config: Option<PathBuf>,
    /// Folder of the local state: history, logs.
    pub state: PathBuf,
    /// At the end: how long runs may go on before they are stopped.
    pub stop_grace: Duration,
    /// How often all stores are looked at.
    pub survey_every: Duration,
}

/// A daemon that has read its configuration and opened its state.
pub struct Daemon {
    options: DaemonOptions,
    source: Box<dyn FleetSource>,
    shared: Arc<Shared>,
    inbox: Inbox,
    _lock: File,
}

impl Daemon {
    /// Reads the configuration, makes and opens the state.
    ///
    /// # Errors
    /// What is wrong with either; another daemon on the same state.
    pub fn open(options: DaemonOptions, source: Box<dyn FleetSource>) -> Result<Daemon> {
        let fleet = source.load()?;
        let logs = options.state.join("logs");
        DirBuilder::new().recursive(true).mode(0o700).create(&logs).map_err(|e| ServeError::System {
            what: format!("making the state folder {}", logs.display()),
            why: e.to_string(),
        })?;
        let lock = lock(&options.state)?;
        let history = History::open(&options.state.join("state.sqlite"))?;
        let (orders, inbox) = Orders::new();
        let shared = Arc::new(Shared::new(history, orders, fleet, Timestamp::now()));
        Ok(Daemon { options, source, shared, inbox, _lock: lock })
    }

    /// What pages and metrics read, and where orders are given.
    pub fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Runs until it is ordered to end, and until what ran then has ended. Must be called by the thread that lives as
    /// long as the process, see [`Runner::start`].
    ///
    /// # Errors
    /// State that can't be written any more.
    pub fn run(self, watchers: &Watchers) -> Result<()> {
        let Daemon { options, source, shared, inbox, _lock } = self;
        let logs = options.state.join("logs");
        let runner = Runner::new(options.program.clone(), options.config.clone(), logs, shared.clone());
        let surveyor = Surveyor::start(&shared);
        surveyor.all();
        act(watchers, "daemon", "start", None, &format!("pgkeep {}", env!("CARGO_PKG_VERSION")));
        notify(&[NotifyState::Ready]);
        let mut heard = Vec::new();
        // What the stores have says what is due, where the state does not.
        while needs_survey(&shared)? {
            beat();
            match inbox.hear(Duration::from_secs(1)) {
                Some(Word::Surveyed) => break,
                Some(word @ Word::Order(Order::End)) => {
                    heard.push(word);
                    break;
                }
                Some(word) => heard.push(word),
                None => {}
            }
        }
        let now = Timestamp::now();
        let mut heart = Heart::new(options, source, shared, runner, surveyor, watchers, now)?;
        heart.recover(now)?;
        heart.beat_on(&inbox, heard);
        Ok(())
    }
}

/// Whether there is a task of which only the stores can tell when it was done last.
fn needs_survey(shared: &Shared) -> Result<bool> {
    for task in shared.fleet().tasks.iter().filter(|t| t.schedule.is_some()) {
        if shared.history.mark(&mark_name(&task.id))?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}
