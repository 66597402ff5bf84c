//! How runs wait, and what is shown meanwhile.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use pgkeep_cloud::backup::Job;
use pgkeep_engine::Cancel;
use pgkeep_keep::retention::Policy;
use pgkeep_snapshots::{Pace, Step};
use serde_json::json;

use crate::failure::{Failure, Result};
use crate::retention::parsed;
use crate::show::{ProgressMode, warn};
use crate::signals;

/// The longest that a wish to stop goes unheard.
const HEARD: Duration = Duration::from_millis(100);
/// On a plain display something that goes on is told of again after so many percent.
const STEP: i32 = 10;

/// How long may be waited.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Waiting")]
pub(super) struct PaceFlags {
    /// One that is not done within this fails; what AWS does goes on
    #[arg(long, value_name = "TIME", default_value = "24h")]
    completion_window: String,
    /// Time between two looks
    #[arg(long, value_name = "TIME", default_value = "15s")]
    poll: String,
    /// How to show progress (on standard error)
    #[arg(long, value_enum, default_value = "auto")]
    progress: ProgressMode,
}

impl PaceFlags {
    /// How long it may take in all; nothing for 0.
    pub(super) fn completion_window(&self) -> Result<Option<SignedDuration>> {
        length("--completion-window", &self.completion_window)
    }

    /// The end of a job; nothing where nobody waits.
    pub(super) fn ends(
        &self,
        what: &str,
        no_wait: bool,
        look: &dyn Fn() -> pgkeep_cloud::Result<Job>,
    ) -> Result<Option<Job>> {
        if no_wait {
            return Ok(None);
        }
        let cancel =
            signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
        let window = self.completion_window()?;
        Ok(Some(self.at_pace(&cancel, |pace| pgkeep_vault::wait(what, window, pace, look))??))
    }

    fn poll(&self) -> Result<Duration> {
        let poll = length("--poll", &self.poll)?.and_then(|p| Duration::try_from(p).ok());
        poll.ok_or_else(|| Failure::usage("--poll: 0 would ask AWS without a pause\n  hint: --poll 15s"))
    }

    /// Does the work at this pace. Several threads may show at once.
    pub(super) fn at_pace<T>(&self, cancel: &Cancel, work: impl FnOnce(&Pace<'_>) -> T) -> Result<T> {
        let shown = Shown { mode: self.progress, began: Instant::now(), last: Mutex::default() };
        let pause = |time: Duration| {
            let until = Instant::now() + time;
            while !cancel.is_raised() {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return true;
                }
                std::thread::sleep(left.min(HEARD));
            }
            false
        };
        let told = |step: &Step<'_>| shown.step(step);
        Ok(work(&Pace { poll: self.poll()?, now: &Timestamp::now, pause: &pause, told: &told }))
    }
}

/// A length of time; nothing for 0.
pub(super) fn length(option: &str, text: &String) -> Result<Option<SignedDuration>> {
    Ok(parsed(option, Some(text), Policy::interval_of)?.flatten())
}

struct Shown {
    mode: ProgressMode,
    began: Instant,
    /// What was told last of each.
    last: Mutex<HashMap<String, (String, i32)>>,
}

impl Shown {
    fn step(&self, step: &Step<'_>) {
        let percent = step.percent.unwrap_or_default();
        let often = self.mode == ProgressMode::Json
            || self.mode == ProgressMode::Auto && std::io::stderr().is_terminal();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.get(step.what);
        if known.is_some_and(|(status, told)| {
            status == step.status && (percent - told < STEP && !often || percent == *told)
        }) {
            return;
        }
        last.insert(step.what.to_owned(), (step.status.to_owned(), percent));
        let share = step.percent.map(|p| format!(", {p} %")).unwrap_or_default();
        let words = format!("{}: {}{share}", step.what, step.status);
        match self.mode {
            ProgressMode::None => {}
            ProgressMode::Json => {
                let elapsed = self.began.elapsed().as_secs_f64();
                warn(json!({ "event": "progress", "phase": words, "elapsed_seconds": elapsed }).to_string());
            }
            ProgressMode::Auto | ProgressMode::Plain => warn(words),
        }
    }
}
