//! `pgkeep prune`.

mod told;

use clap::Parser;
use jiff::{SignedDuration, Timestamp};
use pgkeep_keep::prune::{
    Buried, Orphans, Stock, Unfinished, buried, clear, delete, finish, purge, purge_notes, unfinished,
};
use pgkeep_keep::retention::{Plan, Policy};
use pgkeep_keep::{Catalogue, KeepError, Lease, sweep};

use super::Command;
use super::layers::{parse_alone, parse_with};
use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::failure::{Exit, Failure, Result};
use crate::retention::{RetentionFlags, parsed};
use crate::show::warn;
use crate::signals;
use crate::stores::{Holdings, StoreFlags, StoreName};
use told::Told;

/// Options of `prune`.
#[derive(Parser)]
pub(super) struct Options {
    /// Only backups kept under these names, and not what dead runs left
    names: Vec<String>,
    #[command(flatten)]
    store: StoreFlags,
    /// Show what would be done, and do nothing
    #[arg(long, help_heading = THIS_RUN)]
    dry_run: bool,
    /// How long data without a manifest, and versions of what was deleted, may lie before they are removed
    #[arg(long, value_name = "TIME", default_value = "24h", help_heading = "Store")]
    grace: String,
    /// Print JSON, one object for each store
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    rules: RetentionFlags,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let stores = options.store.named(config)?;
    let mut first = None;
    for named in &stores {
        if let Err(failure) = in_store(options, config, named, &|| cancel.is_raised()) {
            if stores.len() > 1 {
                warn(format!("pgkeep: error: {}: {}", named.name, failure.message));
            }
            first.get_or_insert(failure);
        }
        cancel.check()?;
    }
    first.map_or(Ok(()), Err)
}

/// The plan for one name.
struct NamePlan {
    name: String,
    plan: Plan,
    has_policy: bool,
    unreadable: Vec<String>,
}

/// Everything that is to be done in a store.
struct StorePlan {
    names: Vec<NamePlan>,
    unfinished: Vec<Unfinished>,
    orphans: Orphans,
    buried: Vec<Buried>,
}

fn in_store(options: &Options, config: &Config, named: &StoreName, stop: &dyn Fn() -> bool) -> Result<()> {
    let store = named.open()?;
    let catalogue = Catalogue::new(store.clone());
    let mut lease = match options.dry_run {
        true => None,
        false => Some(Lease::take(&store, "prune", Timestamp::now())?),
    };
    let store_time = lease.as_ref().map_or_else(Timestamp::now, Lease::store_time);
    let swept = if options.dry_run { Vec::new() } else { sweep(&store, store_time)? };
    let stock = Stock::look(&catalogue)?;
    let plan = plan(options, config, named, &catalogue, &stock, store_time)?;
    let mut told = Told::new(options.json, &store.url(), options.dry_run);
    told.swept(&swept);
    for left in &plan.unfinished {
        let done = if options.dry_run { Ok(()) } else { finish(&store, left) };
        told.unfinished(left, done);
    }
    for of_name in &plan.names {
        told.name(&of_name.name, of_name.has_policy, &of_name.plan, &of_name.unreadable);
        for decision in &of_name.plan.decisions {
            if decision.keep || stop() {
                told.backup(&of_name.name, decision, None);
                continue;
            }
            let outcome = match &mut lease {
                None => None,
                Some(lease) => {
                    lease.renew()?;
                    Some(delete(&catalogue, &stock, &of_name.plan, decision, &of_name.name))
                }
            };
            told.backup(&of_name.name, decision, outcome);
        }
    }
    for orphan in &plan.orphans.data {
        let done = if options.dry_run { Ok(true) } else { clear(&store, orphan) };
        told.orphan(orphan, done);
    }
    for deleted in &plan.buried {
        let done = if options.dry_run { Ok(None) } else { purge(&store, deleted).map(Some) };
        told.versions(&deleted.backup, done);
    }
    if !options.dry_run && options.names.is_empty() {
        told.versions("pgkeep's notes", purge_notes(&store, grace(options)?, store_time).map(Some));
    }
    for upload in &plan.orphans.uploads {
        let done = if options.dry_run { Ok(()) } else { store.abort_upload(upload) };
        told.upload(upload, done.map_err(KeepError::from));
    }
    if let Some(e) = &stock.index_failed {
        warn(format!("pgkeep: note: {e}"));
    }
    told.end()
}

fn plan(
    options: &Options,
    config: &Config,
    named: &StoreName,
    catalogue: &Catalogue,
    stock: &Stock,
    store_time: Timestamp,
) -> Result<StorePlan> {
    let (grace, store) = (grace(options)?, catalogue.store());
    if let Some(name) = options.names.iter().find(|n| stock.names().all(|known| known != n.as_str())) {
        return Err(Failure::new(
            Exit::Failed,
            "no-such-backup",
            format!("no backups of \"{name}\" in {}\n  hint: `pgkeep list` shows what is there", store.url()),
        ));
    }
    let mut names = Vec::new();
    for name in stock.names().filter(|n| options.names.is_empty() || options.names.iter().any(|o| o == n)) {
        let policy = policy_of(options, config, named, name)?;
        let unreadable = stock.of_name(name).filter_map(|(_, s)| Some(s.as_ref().err()?.to_string()));
        names.push(NamePlan {
            name: name.to_owned(),
            plan: stock.plan(store, name, &policy, Timestamp::now())?,
            has_policy: !policy.is_empty(),
            unreadable: unreadable.collect(),
        });
    }
    let (orphans, buried) = match options.names.is_empty() {
        true => (Orphans::find(store, stock, grace, store_time)?, buried(store, stock, grace, store_time)?),
        false => Default::default(),
    };
    Ok(StorePlan { names, unfinished: unfinished(store, stock, store_time)?, orphans, buried })
}

fn grace(options: &Options) -> Result<SignedDuration> {
    let grace = parsed("--grace", Some(&options.grace), Policy::interval_of)?.flatten();
    Ok(grace.unwrap_or(SignedDuration::ZERO))
}

/// The policy for a name in a store: the store's entry counts first, then that of the database, or of the server whose
/// databases were backed up with `--all`.
fn policy_of(options: &Options, config: &Config, store: &StoreName, name: &str) -> Result<Policy> {
    let entry = entry_of(config, name);
    if entry.is_none() && !config.stores.contains_key(&store.name) {
        return options.rules.policy();
    }
    match parse_with(&config.settings_in(entry, &store.name))?.command {
        Command::Prune(own) => own.rules.policy(),
        _ => options.rules.policy(),
    }
}

/// The policies that the configuration and the environment alone say, by a store's place among these and by name.
pub(super) fn policies(config: &Config, holdings: &Holdings) -> impl Fn(usize, &str) -> Result<Policy> {
    |store, name| policy_in(config, &holdings.stores[store].name, name)
}

/// The policy that the configuration and the environment alone say for a name in a store.
pub(in crate::cli) fn policy_in(config: &Config, store: &str, name: &str) -> Result<Policy> {
    match parse_alone("prune", &config.settings_in(entry_of(config, name), store))?.command {
        Command::Prune(own) => own.rules.policy(),
        _ => Ok(Policy::default()),
    }
}

/// The configured database that a name belongs to.
pub(super) fn entry_of<'n>(config: &Config, name: &'n str) -> Option<&'n str> {
    let server = name.split('/').next().unwrap_or(name);
    [name, server].into_iter().find(|n| config.databases.contains_key(*n))
}
