//! `pgkeep vault cost`.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::Parser;
use pgkeep_vault::{Cost, Prices};
use serde_json::json;

use super::Wanted;
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::show::{print, print_json, table};

/// Options of `vault cost`.
#[derive(Parser)]
pub(super) struct Options {
    /// Size of all databases, such as 20GB
    #[arg(long, value_name = "SIZE", required_unless_present = "list_prices")]
    size: Option<ByteSize>,
    /// What changes of them in a day
    #[arg(long, value_name = "SIZE", default_value = "0")]
    changed: ByteSize,
    /// A file with prices of your own, as --list-prices prints them
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Print the prices that come with pgkeep
    #[arg(long)]
    list_prices: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    if options.list_prices {
        print(Prices::LISTED.trim_end());
        return Ok(());
    }
    let wanted = Wanted::of(config)?;
    let text = match &options.prices {
        None => Prices::LISTED.to_owned(),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|e| Failure::usage(format!("prices {}: {e}", path.display())))?,
    };
    let prices = Prices::parse(&text).map_err(|e| {
        Failure::usage(format!("prices: {}\n  hint: --list-prices prints a file with every key", e.message()))
    })?;
    let gb = |size: ByteSize| size.as_gb();
    let cost =
        Cost::of(&wanted.desired.plan, gb(options.size.unwrap_or_default()), gb(options.changed), prices);
    if options.json {
        print_json(&json!({ "ok": true, "prices": prices, "cost": cost }));
        return Ok(());
    }
    let dollars = |d: f64| format!("${d:.2}");
    let mut rows: Vec<Vec<String>> = Vec::new();
    for rule in &cost.rules {
        rows.push(vec![
            rule.name.clone(),
            rule.days.map_or("for ever".into(), |d| d.to_string()),
            format!("{:.1} GB", rule.warm_gb + rule.cold_gb),
            dollars(rule.storage),
            dollars(rule.more),
        ]);
    }
    table(&["RULE", "DAYS", "STORED", "STORAGE", "CHANGES, TRANSFER"], &[1, 2, 3, 4], rows);
    print(format!("a month: {}; restoring everything once: {}", dollars(cost.month), dollars(cost.restore)));
    print("This supposes:");
    for words in &cost.assumptions {
        print(format!("- {words}"));
    }
    Ok(())
}
