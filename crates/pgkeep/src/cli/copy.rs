//! `pgkeep copy`.

use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use pgkeep_engine::progress::Progress;
use pgkeep_keep::{Catalogue, Copied, Listed, Look, Wanted};
use serde_json::json;

use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::failure::{Exit, Failure, Result};
use crate::job::CopyJob;
use crate::show::{Display, ProgressMode, bytes, duration, print, print_json, warn};
use crate::signals;
use crate::stores::{self, Holdings, StoreFlags};

/// Options of `copy`.
#[derive(Parser)]
pub(super) struct Options {
    /// An id or its beginning, name@latest, or with --all the name
    pub(super) backup: String,
    #[command(flatten)]
    store: StoreFlags,
    /// The store to copy to: a URL, a folder, or a configured name
    #[arg(long, value_name = "STORE", required = true, help_heading = THIS_RUN)]
    to: Vec<String>,
    /// Every backup of the name
    #[arg(long, help_heading = THIS_RUN)]
    all: bool,
    #[command(flatten)]
    verify: VerifyFlag,
    /// Print the result as JSON, a line for each copy
    #[arg(long)]
    pub(super) json: bool,
    /// How to show progress (on standard error)
    #[arg(long, value_enum, default_value = "auto")]
    progress: ProgressMode,
}

/// Whether copies are trusted.
#[derive(clap::Args)]
pub(super) struct VerifyFlag {
    /// Read copies that are there already, and compare every byte with the hashes in the manifest: bit rot is healed, too
    #[arg(long, help_heading = THIS_RUN)]
    pub(super) verify: bool,
}

impl VerifyFlag {
    pub(super) fn look(&self) -> Look {
        if self.verify { Look::Whole } else { Look::Quick }
    }
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let targets = stores::named(&options.to, config)?;
    let mut sources = options.store.named(config)?;
    sources.retain(|s| targets.iter().all(|t| t.url != s.url));
    if sources.is_empty() {
        return Err(Failure::usage(
            "no store to copy from is named\n  hint: --from the store that has the backup",
        ));
    }
    let wanted = Wanted::parse(&options.backup);
    let prefix = if options.all { format!("{}/", options.backup) } else { wanted.prefix() };
    let holdings = Holdings::look_below(&sources, &prefix)?;
    let backups = match options.all {
        false => vec![wanted.pick(holdings.all(), &holdings.places())?],
        true => {
            let all: Vec<Listed> = holdings.all().into_iter().filter(|l| l.name == options.backup).collect();
            if all.is_empty() {
                let message =
                    format!("no backups of \"{}\" in {}", options.backup, holdings.places().join(", "));
                return Err(Failure::new(Exit::Failed, "no-such-backup", message));
            }
            all
        }
    };
    let mut failures = Vec::new();
    for target in &targets {
        let to = target.open()?;
        for backup in &backups {
            let from: Vec<&Catalogue> = holdings.holders(backup).map(|h| &h.catalogue).collect();
            let began = Instant::now();
            let progress = Arc::new(Progress::new());
            let done = {
                let _display = Display::start(options.progress, &progress);
                CopyJob { backup, from, to: &to, look: options.verify.look() }.run(&progress, &cancel)
            };
            cancel.check()?;
            told(options.json, backup, &target.name, &done);
            if let (Ok(copied), false) = (&done, options.json) {
                print(format!("  took      {}, {}", duration(began.elapsed()), ways(copied)));
            }
            failures.extend(done.err());
        }
    }
    first_of(failures, backups.len() * targets.len())
}

/// Tells what became of one copy.
pub(super) fn told(json: bool, backup: &Listed, to: &str, done: &Result<Copied>) {
    let name = format!("{}/{}", backup.name, backup.id);
    match done {
        _ if json => {
            let copied = done.as_ref().ok().cloned().unwrap_or_default();
            let mut line = json!({
                "ok": done.is_ok(), "id": backup.id.as_str(), "name": backup.name, "to": to,
                "changed": copied.changed, "sent": copied.sent, "copied_by_store": copied.by_store,
                "reused": copied.reused, "streamed_because": copied.streamed_because,
            });
            if let Err(failure) = done {
                line["error"] = json!(failure);
            }
            print_json(&line);
        }
        Ok(copied) if copied.changed => print(format!("copied {name} to {to}")),
        Ok(_) => print(format!("{name} is in {to} already")),
        Err(failure) => warn(format!("pgkeep: error: {name} to {to}: {}", failure.message)),
    }
}

/// How the bytes came.
fn ways(copied: &Copied) -> String {
    let ways = [
        (copied.sent, "sent"),
        (copied.by_store, "copied by the store itself"),
        (copied.reused, "there already"),
    ];
    let words: Vec<String> =
        ways.iter().filter(|(n, _)| *n > 0).map(|(n, how)| format!("{} {how}", bytes(*n))).collect();
    if words.is_empty() { "nothing to send".into() } else { words.join(", ") }
}

/// The failure of a command that went on after each.
pub(super) fn first_of(mut failures: Vec<Failure>, of: usize) -> Result<()> {
    match failures.len() {
        0 => Ok(()),
        1 if of == 1 => Err(Failure { told: true, ..failures.remove(0) }),
        n => {
            let first = failures.remove(0);
            let message = format!("{n} of {of} copies failed; the first: {}", first.message);
            Err(Failure { message, told: true, ..first })
        }
    }
}
