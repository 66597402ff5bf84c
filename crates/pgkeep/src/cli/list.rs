//! `pgkeep list`.

use std::collections::HashSet;
use std::io::IsTerminal;

use clap::Parser;
use jiff::Timestamp;
use pgkeep_keep::retention::coarse;
use pgkeep_keep::{Foreign, KeepError, Listed, Sidecars, Summary, archive_url};
use serde_json::json;

use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::show::{bytes, print, print_json, shorten, table, warn};
use crate::stores::{Holding, Holdings, StoreFlags};

/// Options of `list`.
#[derive(Parser)]
pub(super) struct Options {
    /// Only backups kept under this name
    pub(super) name: Option<String>,
    #[command(flatten)]
    store: StoreFlags,
    /// Print JSON, one object for each backup
    #[arg(long)]
    pub(super) json: bool,
}

/// One copy of a backup.
struct Copy<'h> {
    holding: &'h Holding,
    listed: &'h Listed,
    summary: Summary,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let prefix = options.name.as_ref().map(|n| format!("{n}/")).unwrap_or_default();
    let holdings = Holdings::look_below(&options.store.named(config)?, &prefix)?;
    let stores = holdings.stores.len() + holdings.silent.len();
    let now = Timestamp::now();
    let (mut backups, mut foreign, mut unreadable) = (Vec::new(), Vec::new(), None);
    for holding in &holdings.stores {
        let found = summaries(holding, options.name.is_none());
        let mut named: HashSet<String> = HashSet::new();
        for (listed, summary) in holding.listed.iter().zip(found) {
            match summary {
                Ok(summary) => {
                    named.insert(summary.key.clone());
                    if options.name.as_ref().is_none_or(|n| *n == listed.name) {
                        backups.push(Copy { holding, listed, summary });
                    }
                }
                Err(e) => {
                    warn(format!("pgkeep: {e}"));
                    unreadable.get_or_insert(e);
                }
            }
        }
        let store = holding.catalogue.store();
        let found = Foreign::find(store, &holding.others, |key| named.contains(key))?;
        foreign.extend(found.into_iter().map(|f| (store, f)));
    }
    // Stable: of several copies the one in the store that was named first is told of.
    backups.sort_by(|a, b| key(a).cmp(&key(b)));
    let copies = backups.chunk_by(|a, b| key(a) == key(b));
    if options.json {
        for copies in copies {
            let mut line = line(&copies[0]);
            line["stores"] = copies.iter().map(|c| c.holding.name.as_str()).collect();
            line["degraded"] = (copies.len() < stores).into();
            print_json(&line);
        }
        for (store, f) in &foreign {
            print_json(&json!({
                "foreign": true,
                "key": f.object.key,
                "url": archive_url(store, &f.object.key),
                "format": f.format.as_str(),
                "size": f.object.size,
                "modified": f.object.modified,
                "proven": null,
            }));
        }
    } else if backups.is_empty() && foreign.is_empty() {
        print(format!("no backups in {}", holdings.places()));
    } else {
        backups_table(copies, stores, now);
        foreign_table(foreign.iter().map(|(_, f)| f), backups.is_empty(), now);
    }
    unreadable.map_or(Ok(()), |e| Err(Failure::from(e)))
}

fn key<'c>(copy: &Copy<'c>) -> (&'c str, &'c str) {
    (copy.listed.id.as_str(), copy.listed.name.as_str())
}

/// The summaries of a store's backups; where all were listed its index is kept up to date.
fn summaries(holding: &Holding, all: bool) -> Vec<Result<Summary, KeepError>> {
    if !all {
        return holding.catalogue.summaries(&holding.listed).found;
    }
    let (summaries, index_failed) = holding.catalogue.summaries_of_all(&holding.listed);
    if let Some(e) = index_failed {
        warn(format!("pgkeep: note: {e}"));
    }
    summaries.found
}

fn backups_table<'c>(copies: impl Iterator<Item = &'c [Copy<'c>]>, stores: usize, now: Timestamp) {
    let mut rows = Vec::new();
    for copies in copies {
        let Copy { listed, summary, .. } = &copies[0];
        let mut row = vec![
            listed.name.clone(),
            listed.id.to_string(),
            coarse(now.duration_since(summary.snapshot_time)),
            bytes(summary.size),
            proven(listed.sidecars, now),
            content(summary, listed.sidecars),
        ];
        if stores > 1 {
            let degraded = if copies.len() < stores { " degraded" } else { "" };
            row.push(format!("{}/{stores}{degraded}", copies.len()));
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return;
    }
    if std::io::stdout().is_terminal() {
        shorten(&mut rows, 0, 80);
    }
    let head = ["NAME", "ID", "AGE", "SIZE", "PROVEN", "CONTENT", "COPIES"];
    table(&head[..if stores > 1 { 7 } else { 6 }], &[2, 3], rows);
}

fn foreign_table<'f>(foreign: impl Iterator<Item = &'f Foreign>, alone: bool, now: Timestamp) {
    let rows: Vec<Vec<String>> = foreign
        .map(|f| {
            let age = coarse(now.duration_since(f.object.modified));
            vec![f.object.key.clone(), age, bytes(f.object.size), f.format.as_str().into()]
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    if !alone {
        print("");
    }
    print("unproven archives without a manifest (`pgkeep adopt` takes them in):");
    table(&["KEY", "AGE", "SIZE", "FORMAT"], &[1, 2], rows);
}

/// What the last drill found.
fn proven(sidecars: Sidecars, now: Timestamp) -> String {
    match sidecars.drill {
        None => "no".into(),
        Some(drill) if drill.proven => format!("{} ago", coarse(now.duration_since(drill.at))),
        Some(drill) => format!("FAILED {} ago", coarse(now.duration_since(drill.at))),
    }
}

/// Whether it is all of a database, and what else is to be known; `show` says what is missing.
fn content(summary: &Summary, sidecars: Sidecars) -> String {
    let words = [
        (summary.masked, "masked"),
        (!summary.masked && summary.partial.is_some(), "partial"),
        (summary.partial.is_none(), "full"),
        (summary.globals.is_some(), "globals"),
        (summary.adopted, "adopted"),
        (sidecars.held, "held"),
    ];
    words.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect::<Vec<_>>().join(", ")
}

fn line(Copy { holding, listed, summary: s }: &Copy<'_>) -> serde_json::Value {
    json!({
        "id": listed.id.as_str(),
        "name": listed.name,
        "database": s.database,
        "started": s.started,
        "finished": s.finished,
        "snapshot_time": s.snapshot_time,
        "snapshot_lsn": s.snapshot_lsn,
        "url": archive_url(holding.catalogue.store(), &s.key),
        "size": s.size,
        "tables": s.tables,
        "rows": s.rows,
        "bytes": s.bytes,
        "partial": s.partial,
        "globals": s.globals.is_some(),
        "adopted": s.adopted,
        "held": listed.sidecars.held,
        "proven": listed.sidecars.proven(),
        "drill": listed.sidecars.drill.map(|d| json!({ "at": d.at, "proven": d.proven })),
        "compression": s.compression,
        "server_version": s.server_version,
    })
}
