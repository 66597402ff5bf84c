//! `pgkeep list`.

use std::collections::{HashMap, HashSet};
use std::io::IsTerminal;

use clap::Parser;
use jiff::Timestamp;
use pgkeep_keep::retention::coarse;
use pgkeep_keep::sync::{Action, Side, plan};
use pgkeep_keep::{BackupId, Foreign, KeepError, Listed, Sidecars, Summary, archive_url};
use serde_json::json;

use super::prune::{entry_of, policies};
use super::{rds, vault};
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::show::{bytes, print, print_json, shorten, table, warn};
use crate::stores::{self, Holding, Holdings, StoreFlags};

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
    let found: Vec<_> = holdings.stores.iter().map(|h| summaries(h, options.name.is_none())).collect();
    let lacking = lacking(&holdings, &found, config, now)?;
    let (mut backups, mut foreign, mut unreadable) = (Vec::new(), Vec::new(), None);
    for (holding, found) in holdings.stores.iter().zip(found) {
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
    let snapshots = rds::snapshots_of(options.name.as_deref(), config);
    let points = vault::points_of(options.name.as_deref(), config);
    if options.json {
        for copies in copies {
            let mut line = line(&copies[0]);
            line["stores"] = copies.iter().map(|c| c.holding.name.as_str()).collect();
            line["degraded"] = lacking.has(&copies[0]).into();
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
        snapshots.iter().for_each(|line| print_json(&line.json()));
        points.iter().for_each(|point| print_json(&vault::point_json(point)));
    } else if backups.is_empty() && foreign.is_empty() {
        print(format!("no backups in {}", holdings.places().join(", ")));
    } else {
        backups_table(copies, stores, &lacking, now);
        foreign_table(foreign.iter().map(|(_, f)| f), backups.is_empty(), now);
    }
    if !options.json && !snapshots.is_empty() {
        print("");
        rds::show(&snapshots);
    }
    if !options.json && !points.is_empty() {
        print("");
        vault::show_points(&points);
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

/// Which backups lack a copy: one that was never made or was lost, and not one that its store would not retain.
struct Lacking {
    /// A store that does not answer shows no copies at all.
    all: bool,
    some: HashSet<(String, BackupId)>,
}

impl Lacking {
    fn has(&self, copy: &Copy<'_>) -> bool {
        self.all || self.some.contains(&(copy.listed.name.clone(), copy.listed.id.clone()))
    }
}

fn lacking(
    holdings: &Holdings,
    found: &[Vec<Result<Summary, KeepError>>],
    config: &Config,
    now: Timestamp,
) -> Result<Lacking> {
    let mut lacking = Lacking { all: !holdings.silent.is_empty(), some: HashSet::new() };
    if holdings.stores.len() < 2 || lacking.all {
        return Ok(lacking);
    }
    let sides: Vec<Side> =
        holdings.stores.iter().zip(found).map(|(h, found)| Side::by_manifests(&h.listed, found)).collect();
    let everywhere: Vec<usize> = (0..sides.len()).collect();
    let policy = policies(config, holdings);
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for step in plan(&sides, &everywhere, &everywhere, &|_| true, &policy, now)? {
        let name = &step.backup.name;
        if !places.contains_key(name) {
            places.insert(name.clone(), places_of(name, holdings, config)?);
        }
        let lost = matches!(step.action, Action::Copy(_) | Action::NoSource);
        if lost && places[name].contains(&step.to) {
            lacking.some.insert((step.backup.name, step.backup.id));
        }
    }
    Ok(lacking)
}

/// Which of these stores are to have backups of this name: those of its entry in the configuration, else all.
fn places_of(name: &str, holdings: &Holdings, config: &Config) -> Result<Vec<usize>> {
    let own = entry_of(config, name).map(|database| stores::of_database(database, config)).transpose()?;
    let is_place = |i: &usize| {
        let url = holdings.stores[*i].catalogue.store().url();
        own.as_ref().is_none_or(|own| own.iter().any(|s| s.name == holdings.stores[*i].name || s.url == url))
    };
    Ok((0..holdings.stores.len()).filter(is_place).collect())
}

fn backups_table<'c>(
    copies: impl Iterator<Item = &'c [Copy<'c>]>,
    stores: usize,
    lacking: &Lacking,
    now: Timestamp,
) {
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
            let degraded = if lacking.has(&copies[0]) { " degraded" } else { "" };
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
        (summary.encrypted, "enc"),
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
        "encrypted": s.encrypted,
        "adopted": s.adopted,
        "held": listed.sidecars.held,
        "proven": listed.sidecars.proven(),
        "drill": listed.sidecars.drill.map(|d| json!({ "at": d.at, "proven": d.proven })),
        "compression": s.compression,
        "server_version": s.server_version,
    })
}
