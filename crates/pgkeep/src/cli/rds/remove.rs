//! `pgkeep rds snapshot remove`.

use clap::Parser;
use pgkeep_snapshots::remove;
use serde_json::json;

use super::Action;
use super::place::{PlaceFlags, place};
use super::watch::WaitFlags;
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::show::{print, print_json};
use crate::signals;

/// Options of `rds snapshot remove`.
#[derive(Parser)]
pub(super) struct Options {
    /// The instance or cluster; what no restore of pgkeep's has made is refused
    name: String,
    #[command(flatten)]
    pub(super) place: PlaceFlags,
    #[command(flatten)]
    wait: WaitFlags,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

fn flags(action: &Action) -> Option<&PlaceFlags> {
    match action {
        Action::Remove(options) => Some(&options.place),
        _ => None,
    }
}

pub(super) fn run(options: &Options, _config: &Config) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    // A configured database of this name is the one that is to stay.
    let place = place(&options.name, &Config::default(), &flags)?;
    let windows = options.wait.windows()?;
    options.wait.at_pace(&cancel, |pace| remove(&place.rds, &place.instance, windows, pace))??;
    match options.json {
        true => print_json(&json!({ "ok": true, "removed": place.instance })),
        false => print(format!("removed {}", place.instance)),
    }
    Ok(())
}
