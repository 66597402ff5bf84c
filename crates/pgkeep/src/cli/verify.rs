//! `pgkeep verify`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use clap::Parser;
use pgkeep_engine::Cancel;
use pgkeep_engine::progress::{Phase, Progress};
use pgkeep_engine::restore::ScriptSource;
use pgkeep_keep::encryption::is_sealed;
use pgkeep_keep::{archive_url, verify, verify_script};
use serde_json::json;

use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::keys::IdentityFlags;
use crate::resolve::{Found, resolve};
use crate::show::{Display, ProgressMode, bytes, duration, many, plural, print, print_json};
use crate::signals;
use crate::stores::StoreFlags;

/// Options of `verify`.
#[derive(Parser)]
pub(super) struct Options {
    /// An id or its beginning, name@latest, or the URL or file of an archive
    pub(super) backup: String,
    #[command(flatten)]
    store: StoreFlags,
    #[command(flatten)]
    keys: IdentityFlags,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// How to show progress (on standard error)
    #[arg(long, value_enum, default_value = "auto")]
    progress: ProgressMode,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let found = resolve(&options.backup, &options.store, config)?;
    verify_found(options, &found, &cancel).map_err(|failure| found.or_elsewhere(failure))
}

fn verify_found(options: &Options, found: &Found, cancel: &Cancel) -> Result<()> {
    let began = Instant::now();
    let progress = Arc::new(Progress::new());
    progress.enter(Phase::Proving);
    if let Some(m) = &found.manifest {
        progress.bytes_expected.store(m.size(), Ordering::Relaxed);
    }
    let identities = found.identities(&options.keys)?;
    // Without a key there is no looking into it: its name says what it is.
    let script = match is_sealed(&found.key) && identities.is_empty() {
        true => false,
        false => {
            let archive = found.archive(&options.keys)?;
            ScriptSource::open(&archive, archive.name())?.is_some()
        }
    };
    let verified = {
        let _display = Display::start(options.progress, &progress);
        let check = if script { verify_script } else { verify };
        check(&found.store, &found.key, found.manifest.as_ref(), &identities, &mut |n| {
            Progress::add(&progress.bytes, n);
            !cancel.is_raised()
        })
        .map_err(|e| found.locked(e))?
    };
    let url = archive_url(&found.store, &found.key);
    if options.json {
        print_json(&json!({
            "ok": true,
            "url": url,
            "against_manifest": verified.against_manifest,
            "unread": verified.unread,
            "size": verified.size,
            "entries": verified.entries,
            "blocks": verified.blocks,
            "dead_blocks": verified.dead_blocks,
            "tables": verified.tables,
            "rows": verified.rows,
            "bytes": verified.bytes,
            "globals": found.manifest.as_ref().is_some_and(|m| m.globals.is_some()),
            "duration_seconds": began.elapsed().as_secs_f64(),
        }));
        return Ok(());
    }
    print(format!("verified {url}"));
    if verified.unread {
        print(format!("  archive   {}, encrypted", bytes(verified.size)));
    } else if script {
        let (statements, tables) = (plural(verified.entries, "statement"), plural(verified.blocks, "table"));
        print(format!(
            "  script    {}, {statements}, {tables}, whole to its last line",
            bytes(verified.size)
        ));
    } else {
        print(format!(
            "  archive   {}, {}, {} decompressed",
            bytes(verified.size),
            many(verified.entries, "entry", "entries"),
            plural(verified.blocks, "data block")
        ));
    }
    if verified.unread {
        print("  manifest  size and SHA-256 match");
        print("  rows      NOT CHECKED: that needs a secret key (--identity)");
    } else if verified.against_manifest {
        print(format!(
            "  manifest  size, SHA-256, {} and {} match",
            plural(verified.tables, "table"),
            plural(verified.rows, "row")
        ));
    } else {
        print("  manifest  none: only the archive's own form was checked");
    }
    if found.manifest.as_ref().is_some_and(|m| m.globals.is_some()) {
        print("  globals   size and SHA-256 match");
    }
    print(format!("  took      {}", duration(began.elapsed())));
    Ok(())
}
