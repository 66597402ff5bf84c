//! `pgkeep hold`.

use clap::Parser;
use jiff::Timestamp;
use pgkeep_keep::Wanted;
use pgkeep_keep::hold::{Hold, hold, release};
use serde_json::json;

use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::failure::Result;
use crate::show::{print, print_json};
use crate::stores::{Holdings, StoreFlags};

/// Options of `hold`.
#[derive(Parser)]
pub(super) struct Options {
    /// An id or its beginning, or name@latest
    pub(super) backup: String,
    /// Why; `show` tells it
    #[arg(long, value_name = "TEXT", help_heading = THIS_RUN, required_unless_present = "release")]
    reason: Option<String>,
    /// Release it again
    #[arg(long, help_heading = THIS_RUN, conflicts_with = "reason")]
    release: bool,
    #[command(flatten)]
    store: StoreFlags,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let holdings = Holdings::look(&options.store.named(config)?)?;
    let backup = Wanted::parse(&options.backup).pick(holdings.all(), &holdings.places())?;
    let new = options.reason.clone().map(|reason| Hold { reason, since: Timestamp::now(), by: by() });
    let mut stores = Vec::new();
    // Every copy: retention of each store looks at its own.
    for holding in holdings.holders(&backup) {
        let store = holding.catalogue.store();
        let own = holding.listed.iter().find(|l| (&l.id, &l.name) == (&backup.id, &backup.name));
        match (&new, own.unwrap_or(&backup)) {
            (Some(new), own) => hold(store, own, new)?,
            (None, own) => release(store, own)?,
        }
        stores.push(holding.name.as_str());
    }
    let word = if new.is_some() { "held" } else { "released" };
    if options.json {
        print_json(&json!({
            "ok": true, "id": backup.id.as_str(), "name": backup.name, "held": new.is_some(), "hold": new, "stores": stores,
        }));
    } else {
        print(format!("{word} {}/{} in {}", backup.name, backup.id, stores.join(", ")));
    }
    Ok(())
}

/// Who runs this, as far as the environment tells.
fn by() -> Option<String> {
    ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).filter(|user| !user.is_empty())
}
