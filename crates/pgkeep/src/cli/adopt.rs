//! `pgkeep adopt`.

use std::sync::Arc;

use clap::Parser;
use pgkeep_engine::Cancel;
use pgkeep_engine::progress::Progress;
use pgkeep_keep::encryption::{Identities, is_sealed};
use pgkeep_keep::prune::Stock;
use pgkeep_keep::{Catalogue, DatabaseIdentity, Foreign, Manifest, Wanted, archive_url};
use pgkeep_store::Store;
use serde_json::json;

use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::failure::{Exit, Failure, Result};
use crate::job::AdoptJob;
use crate::keys::IdentityFlags;
use crate::show::{Display, ProgressMode, bytes, plural, print, print_json, warn};
use crate::signals;
use crate::stores::StoreFlags;

/// Options of `adopt`.
#[derive(Parser)]
pub(super) struct Options {
    /// Keys of archives as `list` shows them
    #[arg(value_name = "KEY", required_unless_present = "all")]
    keys: Vec<String>,
    /// Every archive without a manifest that `list` shows
    #[arg(long, help_heading = THIS_RUN, conflicts_with = "keys")]
    all: bool,
    /// Keep it under this name [default: that of the database in the archive]
    #[arg(long, help_heading = THIS_RUN)]
    name: Option<String>,
    /// It is of the same database as this backup, so that retention counts it with that one's
    #[arg(long, value_name = "BACKUP", help_heading = THIS_RUN)]
    same_database_as: Option<String>,
    #[command(flatten)]
    store: StoreFlags,
    #[command(flatten)]
    secrets: IdentityFlags,
    /// Print the result as JSON, one object for each archive
    #[arg(long)]
    pub(super) json: bool,
    /// How to show progress (on standard error)
    #[arg(long, value_enum, default_value = "auto")]
    progress: ProgressMode,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let mut first = None;
    for named in options.store.named(config)? {
        let catalogue = Catalogue::new(named.open()?);
        let stock = Stock::look(&catalogue)?;
        let foreign = stock.foreign(catalogue.store())?;
        let identity = identity(options, &catalogue)?;
        for key in wanted(options, &catalogue, &stock, &foreign)? {
            match adopt(options, catalogue.store(), &key, identity.as_ref(), &cancel) {
                Ok(manifest) => told(options, catalogue.store(), &manifest),
                Err(failure) => {
                    warn(format!("pgkeep: error: {key}: {}", failure.message));
                    if options.json {
                        print_json(&json!({ "ok": false, "key": key, "error": failure }));
                    }
                    first.get_or_insert(failure);
                }
            }
            cancel.check()?;
        }
    }
    first.map_or(Ok(()), |failure| Err(Failure { told: true, ..failure }))
}

fn identity(options: &Options, catalogue: &Catalogue) -> Result<Option<DatabaseIdentity>> {
    let Some(words) = &options.same_database_as else { return Ok(None) };
    let listed = catalogue.find(&Wanted::parse(words))?;
    Ok(Some(catalogue.manifest(&listed)?.dump.database))
}

/// The keys of the archives that are meant.
fn wanted(
    options: &Options,
    catalogue: &Catalogue,
    stock: &Stock,
    foreign: &[Foreign],
) -> Result<Vec<String>> {
    if options.all {
        return Ok(foreign.iter().map(|f| f.object.key.clone()).collect());
    }
    let mut keys = Vec::new();
    for words in &options.keys {
        let key = stock.archive_key(words).ok_or_else(|| {
            let store = catalogue.store().url();
            Failure::new(
                Exit::Failed,
                "no-such-backup",
                format!("no archive \"{words}\" in {store}\n  hint: `pgkeep list --store {store}` shows what is there"),
            )
        })?;
        if stock.is_named(&key) {
            return Err(Failure::usage(format!(
                "{words} has a manifest already\n  hint: `pgkeep list` shows it"
            )));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn adopt(
    options: &Options,
    store: &Store,
    key: &str,
    identity: Option<&DatabaseIdentity>,
    cancel: &Cancel,
) -> Result<Manifest> {
    let progress = Arc::new(Progress::new());
    let _display = Display::start(options.progress, &progress);
    let identities = if is_sealed(key) { options.secrets.read()? } else { Identities::none() };
    let name = options.name.as_deref();
    AdoptJob { store, key, name, identities: &identities, identity }.run(&progress, cancel)
}

fn told(options: &Options, store: &Store, m: &Manifest) {
    let (rows, _) = m.dump.totals();
    let url = archive_url(store, &m.object.key);
    if options.json {
        print_json(&json!({
            "ok": true,
            "id": m.id,
            "name": m.name,
            "database": m.dump.database.name,
            "url": url,
            "snapshot_time": m.dump.snapshot_time,
            "size": m.size(),
            "tables": m.dump.tables.len(),
            "rows": rows,
            "partial": m.dump.partial(),
        }));
        return;
    }
    print(format!("adopted {url} as {} of {}", m.id, m.name));
    print(format!(
        "  read      {}, {} in {}",
        bytes(m.size()),
        plural(rows, "row"),
        plural(m.dump.tables.len() as u64, "table")
    ));
}
