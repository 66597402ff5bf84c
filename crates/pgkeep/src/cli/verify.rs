//! `pgkeep verify`.

mod all;
mod told;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Parser;
use pgkeep_engine::Cancel;
use pgkeep_engine::dump::default_jobs;
use pgkeep_engine::progress::{Phase, Progress};
use pgkeep_engine::restore::ScriptSource;
use pgkeep_keep::encryption::is_sealed;
use pgkeep_keep::{HashCheck, HashesVerified, Verified, explain, verify, verify_hashes, verify_script};

use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::failure::{Exit, Failure, Result};
use crate::keys::IdentityFlags;
use crate::resolve::{Found, resolve};
use crate::show::{Display, ProgressMode};
use crate::signals;
use crate::stores::StoreFlags;

/// Options of `verify`.
#[derive(Parser)]
pub(super) struct Options {
    /// An id or its beginning, name@latest, or the URL, file or folder of an archive; with --all a name
    #[arg(required_unless_present = "all")]
    pub(super) backup: Option<String>,
    #[command(flatten)]
    store: StoreFlags,
    #[command(flatten)]
    keys: IdentityFlags,
    /// Every backup in the store, or every one of the name; of several stores every copy
    #[arg(long, help_heading = THIS_RUN)]
    all: bool,
    /// Compare bytes with the manifest by their hashes, without unpacking and reading rows: quicker, and needs no key
    #[arg(long, help_heading = THIS_RUN)]
    hashes_only: bool,
    /// As --hashes-only, of a share of the parts that is chosen at random each time, such as 10%
    #[arg(long, value_name = "PERCENT", help_heading = THIS_RUN)]
    sample: Option<String>,
    /// Ranges that --hashes-only and --sample read at the same time [default: the number of processors, 2 to 8]
    #[arg(long, short)]
    jobs: Option<usize>,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// How to show progress (on standard error)
    #[arg(long, value_enum, default_value = "auto")]
    progress: ProgressMode,
}

/// What is looked at of each backup.
#[derive(Clone, Copy)]
enum Depth {
    Rows,
    Hashes(HashCheck),
}

/// What was found to be in order.
enum Checked {
    Rows { verified: Verified, script: bool },
    Hashes(HashesVerified),
}

/// A backup that is in order.
struct Done {
    checked: Checked,
    took: Duration,
}

impl Options {
    fn depth(&self) -> Result<Depth> {
        let jobs = self.jobs.unwrap_or_else(default_jobs);
        if jobs == 0 || jobs > 256 {
            return Err(Failure::usage(format!("--jobs {jobs}: from 1 to 256")));
        }
        match &self.sample {
            None if self.hashes_only => Ok(Depth::Hashes(HashCheck { jobs, percent: 100.0 })),
            None => Ok(Depth::Rows),
            Some(text) => match text.trim_end_matches('%').parse::<f64>() {
                Ok(percent) if percent > 0.0 && percent <= 100.0 => {
                    Ok(Depth::Hashes(HashCheck { jobs, percent }))
                }
                _ => Err(Failure::usage(format!("--sample {text}: write a share like 10%, up to 100%"))),
            },
        }
    }
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let depth = options.depth()?;
    let Some(words) = options.backup.as_deref().filter(|_| !options.all) else {
        return all::run(options, config, depth, &cancel);
    };
    let found = resolve(words, &options.store, config)?.with_keys(&options.keys);
    let done = check(options, &found, depth, &cancel).map_err(|failure| found.or_elsewhere(failure))?;
    told::one(options, &found, &done);
    Ok(())
}

/// Checks one backup.
fn check(options: &Options, found: &Found, depth: Depth, cancel: &Cancel) -> Result<Done> {
    let began = Instant::now();
    let progress = Arc::new(Progress::new());
    progress.enter(Phase::Proving);
    if let Some(m) = &found.manifest {
        progress.bytes_expected.store(m.size(), Ordering::Relaxed);
    }
    let _display = Display::start(options.progress, &progress);
    let mut tick = |n| {
        Progress::add(&progress.bytes, n);
        !cancel.is_raised()
    };
    let checked = match (depth, &found.manifest) {
        (Depth::Rows, _) => rows(found, &mut tick)?,
        (Depth::Hashes(check), Some(m)) => {
            Checked::Hashes(verify_hashes(&found.store, m, &check, &mut tick)?)
        }
        (Depth::Hashes(_), None) => {
            let url = found.store.url_of(&found.key);
            let message = format!(
                "{url}: it has no manifest and so no hashes\n  hint: without --hashes-only and --sample it is read whole"
            );
            return Err(Failure::new(Exit::Failed, "no-manifest", message));
        }
    };
    Ok(Done { checked, took: began.elapsed() })
}

fn rows(found: &Found, tick: &mut (dyn FnMut(u64) -> bool + Send)) -> Result<Checked> {
    let identities = found.identities()?;
    // Without a key there is no looking into it: its name says what it is.
    let script = match is_sealed(&found.key) && identities.is_empty() {
        true => false,
        false => {
            let archive = found.archive()?;
            ScriptSource::open(&archive, archive.name())?.is_some()
        }
    };
    let check = if script { verify_script } else { verify };
    let verified =
        check(&found.store, &found.key, found.manifest.as_ref(), &identities, tick).map_err(|e| {
            found.locked(match &found.manifest {
                Some(m) => explain(&found.store, m, e),
                None => e,
            })
        })?;
    Ok(Checked::Rows { verified, script })
}
