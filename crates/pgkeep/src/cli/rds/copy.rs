//! `pgkeep rds snapshot copy`.

use clap::Parser;
use pgkeep_cloud::RdsSnapshot;
use pgkeep_engine::Cancel;
use pgkeep_snapshots::{SnapshotError, copy, is_ours, missing, taken_of};
use serde_json::json;

use super::Action;
use super::place::{CopyFlags, Place, PlaceFlags, places};
use super::watch::WaitFlags;
use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::failure::{Exit, Failure, Result};
use crate::notify::NotifyFlags;
use crate::show::{print, print_json, warn};
use crate::signals;

/// Options of `rds snapshot copy`.
#[derive(Parser)]
pub(super) struct Options {
    /// Configured databases, or instances and clusters by name or ARN [default: all that are configured]
    databases: Vec<String>,
    #[command(flatten)]
    pub(super) place: PlaceFlags,
    #[command(flatten)]
    copies: CopyFlags,
    #[command(flatten)]
    wait: WaitFlags,
    /// Show what would be done, and do nothing
    #[arg(long, help_heading = THIS_RUN)]
    dry_run: bool,
    #[command(flatten)]
    notify: NotifyFlags,
    /// Print the result as JSON, one line for each copy
    #[arg(long)]
    pub(super) json: bool,
}

fn flags(action: &Action) -> Option<&PlaceFlags> {
    match action {
        Action::Copy(options) => Some(&options.place),
        _ => None,
    }
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let places = places(&options.databases, config, flags)?;
    let mut first = None;
    for place in &places {
        let Action::Copy(own) = &place.action else { continue };
        let done = own.notify.told(config, "rds copy", Some(&place.label), || one(place, own, &cancel));
        if let Err(failure) = done {
            if places.len() > 1 {
                warn(format!("pgkeep: error: {}: {}", place.label, failure.message));
            }
            first.get_or_insert(failure);
        }
    }
    first.map_or(Ok(()), Err)
}

fn one(place: &Place, options: &Options, cancel: &Cancel) -> Result<()> {
    let targets = options.copies.targets();
    if targets.is_empty() {
        return Err(Failure::usage("no region is named\n  hint: --copy-to us-west-2=alias/backups"));
    }
    let newest = newest(place)?;
    for target in &targets {
        let destination = target.rds()?;
        let lacking = missing(&place.rds, &destination, &newest)?;
        if lacking.is_empty() && !options.json {
            print(format!("{}: {} has all of them", place.label, target.region));
        }
        for snapshot in &lacking {
            let word = if options.dry_run { "would copy" } else { "copied" };
            if !options.dry_run {
                let windows = options.wait.windows()?;
                let key = target.kms_key.as_deref();
                options
                    .wait
                    .at_pace(cancel, |pace| copy(&place.rds, &destination, snapshot, key, windows, pace))??;
            }
            match options.json {
                true => print_json(
                    &json!({ "ok": true, "dry_run": options.dry_run, "database": place.label, "id": snapshot.name,
                    "from": place.rds.region(), "region": target.region }),
                ),
                false => print(format!("{}: {word} {} to {}", place.label, snapshot.name, target.region)),
            }
        }
    }
    Ok(())
}

/// Our newest snapshot.
fn newest(place: &Place) -> Result<RdsSnapshot> {
    let database = place.rds.database(&place.instance).map_err(SnapshotError::from)?;
    let all = place.rds.snapshots_of(database.kind, &database.name).map_err(SnapshotError::from)?;
    let ours = all.into_iter().filter(|s| {
        s.status == "available" && is_ours(s, place.rds.region()) == Some(database.resource.as_str())
    });
    ours.max_by_key(|s| taken_of(&s.name)).ok_or_else(|| {
        let why = format!(
            "{}: pgkeep has made no snapshot of it\n  hint: pgkeep rds snapshot create {}",
            place.label, place.label
        );
        Failure::new(Exit::Failed, "not-found", why)
    })
}
