//! `pgkeep sync`.

use std::sync::Arc;

use clap::Parser;
use jiff::Timestamp;
use pgkeep_engine::Cancel;
use pgkeep_engine::dump::default_jobs;
use pgkeep_engine::progress::{Phase, Progress};
use pgkeep_keep::sync::{Action, Side, Step, plan};
use pgkeep_keep::{Catalogue, HashCheck, safe_name};
use serde_json::json;

use super::copy::{VerifyFlag, first_of, told};
use super::prune::policies;
use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::failure::{Exit, Failure, Result};
use crate::job::CopyJob;
use crate::show::{Display, ProgressMode, print, print_json, warn};
use crate::signals;
use crate::stores::{self, Holdings, StoreName};

/// Options of `sync`.
#[derive(Parser)]
pub(super) struct Options {
    /// Only these configured databases, or with --from and --to names of backups
    names: Vec<String>,
    /// Not by the configuration: copies come from these stores
    #[arg(long, value_name = "STORE", requires = "to", help_heading = THIS_RUN)]
    from: Vec<String>,
    /// Not by the configuration: these stores get what they lack
    #[arg(long, value_name = "STORE", requires = "from", help_heading = THIS_RUN)]
    to: Vec<String>,
    /// Show what would be copied, and do nothing
    #[arg(long, help_heading = THIS_RUN)]
    dry_run: bool,
    #[command(flatten)]
    verify: VerifyFlag,
    /// Print JSON, a line for each copy
    #[arg(long)]
    pub(super) json: bool,
    /// How to show progress (on standard error)
    #[arg(long, value_enum, default_value = "auto")]
    progress: ProgressMode,
}

/// Stores that are to hold the same names.
struct Group {
    stores: Vec<StoreName>,
    /// Places of the stores that copies come from, and of those that get them.
    from: Vec<usize>,
    to: Vec<usize>,
    /// Names of backups, or of servers whose databases are below them; all where there are none.
    names: Vec<String>,
}

impl Group {
    fn has(&self, name: &str) -> bool {
        let server = name.split('/').next().unwrap_or(name);
        self.names.is_empty() || self.names.iter().any(|n| n == name || n == server)
    }
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let groups =
        if options.from.is_empty() { configured(options, config)? } else { vec![given(options, config)?] };
    let (mut failures, mut steps) = (Vec::new(), 0);
    for group in &groups {
        steps += bring(options, config, group, &mut failures, &cancel)?;
    }
    if steps == 0 && !options.json {
        print("nothing to copy: every store has what it is to have");
    }
    first_of(failures, steps)
}

/// The stores of the command line.
fn given(options: &Options, config: &Config) -> Result<Group> {
    let from = stores::named(&options.from, config)?;
    let mut all = from.clone();
    let mut to = Vec::new();
    for target in stores::named(&options.to, config)? {
        let place = all.iter().position(|s| s.url == target.url);
        to.push(place.unwrap_or(all.len()));
        if place.is_none() {
            all.push(target);
        }
    }
    Ok(Group { stores: all, from: (0..from.len()).collect(), to, names: options.names.clone() })
}

/// The stores of the configured databases; those with the same stores are looked at together.
fn configured(options: &Options, config: &Config) -> Result<Vec<Group>> {
    if let Some(unknown) = options.names.iter().find(|n| !config.databases.contains_key(*n)) {
        return Err(config.unknown_database(unknown));
    }
    let mut groups: Vec<Group> = Vec::new();
    for database in config.databases.keys().filter(|n| options.names.is_empty() || options.names.contains(n))
    {
        let stores = stores::of_database(database, config)?;
        let settings = config.settings_of(Some(database));
        let name = safe_name(settings.get("name").and_then(|v| v.first()).unwrap_or(database));
        match groups.iter_mut().find(|g| g.stores == stores) {
            Some(group) => group.names.push(name),
            None => {
                let all: Vec<usize> = (0..stores.len()).collect();
                groups.push(Group { stores, from: all.clone(), to: all, names: vec![name] });
            }
        }
    }
    groups.retain(|g| g.stores.len() > 1);
    if groups.is_empty() {
        return Err(Failure::usage(
            "no configured database has several stores\n  hint: store = [\"a\", \"b\"] in the configuration, or \
             --from and --to here",
        ));
    }
    Ok(groups)
}

/// Brings one group's stores to what they are to have; gives the number of copies that were to be made.
fn bring(
    options: &Options,
    config: &Config,
    group: &Group,
    failures: &mut Vec<Failure>,
    cancel: &Cancel,
) -> Result<usize> {
    let holdings = Holdings::look(&group.stores)?;
    // A store that is silent can neither give nor get; the places count among those that answer.
    let place = |i: &usize| holdings.stores.iter().position(|h| h.name == group.stores[*i].name);
    let (from, to): (Vec<_>, Vec<_>) =
        (group.from.iter().filter_map(place).collect(), group.to.iter().filter_map(place).collect());
    let mut sides = Vec::new();
    for holding in &holdings.stores {
        let mut side = holding.side();
        if options.verify.verify {
            verify(options, group, &mut side, &holding.catalogue, cancel)?;
        }
        sides.push(side);
    }
    let policy = policies(config, &holdings);
    let steps = plan(&sides, &from, &to, &|name| group.has(name), &policy, Timestamp::now())?;
    for (name, failure) in &holdings.silent {
        failures.push(Failure { message: format!("{name}: {}", failure.message), ..failure.clone() });
    }
    let mut copies = holdings.silent.len();
    for step in &steps {
        let target = &holdings.stores[step.to];
        let (Action::Copy(sources) | Action::Complete(sources)) = &step.action else {
            copies += usize::from(left(options, step, &target.name, failures));
            continue;
        };
        copies += 1;
        if options.dry_run {
            would(options, step, &target.name, &holdings.stores[sources[0]].name);
            continue;
        }
        let from: Vec<&Catalogue> = sources.iter().map(|i| &holdings.stores[*i].catalogue).collect();
        let progress = Arc::new(Progress::new());
        let done = {
            let _display = Display::start(options.progress, &progress);
            CopyJob { backup: &step.backup, from, to: target.catalogue.store(), look: options.verify.look() }
                .run(&progress, cancel)
        };
        cancel.check()?;
        told(options.json, &step.backup, &target.name, &done);
        failures.extend(done.err());
    }
    Ok(copies)
}

/// Reads a store's copies whole.
fn verify(
    options: &Options,
    group: &Group,
    side: &mut Side,
    catalogue: &Catalogue,
    cancel: &Cancel,
) -> Result<()> {
    let progress = Arc::new(Progress::new());
    let _display = Display::start(options.progress, &progress);
    progress.enter(Phase::Proving);
    let check = HashCheck { jobs: default_jobs(), percent: 100.0 };
    let mut tick = |n: u64| {
        Progress::add(&progress.bytes, n);
        !cancel.is_raised()
    };
    Ok(side.verify(catalogue, &|name| group.has(name), &check, &mut tick)?)
}

/// Tells of a copy that is not made; whether that is a failure.
fn left(options: &Options, step: &Step, to: &str, failures: &mut Vec<Failure>) -> bool {
    let name = format!("{}/{}", step.backup.name, step.backup.id);
    if let Action::Expired(reasons) = &step.action {
        if options.dry_run {
            let why: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            match options.json {
                true => print_json(&json!({
                    "ok": true, "id": step.backup.id.as_str(), "name": step.backup.name, "to": to,
                    "action": "leave", "reasons": why,
                })),
                false => {
                    print(format!("leave {name} out of {to}: prune would delete it ({})", why.join("; ")))
                }
            }
        }
        return false;
    }
    let why = step.damage.as_deref().unwrap_or("every copy is damaged");
    let message = format!("{name} in {to}: {why}, and no store has a whole copy");
    let failure = Failure::new(Exit::Differs, "damaged", message);
    if options.json {
        print_json(
            &json!({ "ok": false, "id": step.backup.id.as_str(), "name": step.backup.name, "to": to, "error": failure }),
        );
    } else {
        warn(format!("pgkeep: error: {}", failure.message));
    }
    failures.push(failure);
    true
}

fn would(options: &Options, step: &Step, to: &str, from: &str) {
    let why = step.damage.as_deref().unwrap_or("missing");
    match options.json {
        true => print_json(&json!({
            "ok": true, "id": step.backup.id.as_str(), "name": step.backup.name, "to": to, "from": from,
            "action": "copy", "why": why,
        })),
        false => print(format!("copy {}/{} from {from} to {to}: {why}", step.backup.name, step.backup.id)),
    }
}
