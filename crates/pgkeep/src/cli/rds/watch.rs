//! How long snapshots may wait and take.

use clap::Args;
use pgkeep_engine::Cancel;
use pgkeep_snapshots::{Pace, Windows};

use crate::cli::wait::{PaceFlags, length};
use crate::failure::Result;

/// How long may be waited.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Waiting")]
pub(super) struct WaitFlags {
    /// One that cannot begin within this fails: an instance that is busy, say
    #[arg(long, value_name = "TIME", default_value = "1h")]
    start_window: String,
    #[command(flatten)]
    waiting: PaceFlags,
}

impl WaitFlags {
    pub(super) fn windows(&self) -> Result<Windows> {
        Ok(Windows {
            start: length("--start-window", &self.start_window)?,
            completion: self.waiting.completion_window()?,
        })
    }

    /// Does the work at this pace. Several threads may show at once.
    pub(super) fn at_pace<T>(&self, cancel: &Cancel, work: impl FnOnce(&Pace<'_>) -> T) -> Result<T> {
        self.waiting.at_pace(cancel, work)
    }
}
