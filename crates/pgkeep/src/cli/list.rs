//! `pgkeep list`.

use clap::Parser;
use pgkeep_keep::{Catalogue, Manifest};
use serde_json::json;

use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::show::{bytes, count, print, print_json, short_time, table, warn};
use crate::stores::{Holdings, StoreFlags};

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

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let holdings = Holdings::look(&options.store.named(config)?)?;
    let stores = holdings.stores.len() + holdings.silent.len();
    let mut unreadable = None;
    let mut backups = Vec::new();
    for holding in &holdings.stores {
        let mut listed = holding.listed.clone();
        listed.retain(|l| options.name.as_ref().is_none_or(|n| *n == l.name));
        for manifest in holding.catalogue.manifests(&listed) {
            match manifest {
                Ok(manifest) => backups.push((holding, manifest)),
                Err(e) => {
                    warn(format!("pgkeep: {e}"));
                    unreadable.get_or_insert(e);
                }
            }
        }
    }
    // Stable: of several copies the one in the store that was named first is told of.
    backups.sort_by(|(_, a), (_, b)| (&a.id, &a.name).cmp(&(&b.id, &b.name)));
    let mut rows = Vec::new();
    for copies in backups.chunk_by(|(_, a), (_, b)| (&a.id, &a.name) == (&b.id, &b.name)) {
        let (holding, manifest) = &copies[0];
        let (total, text) = manifest.dump.totals();
        if options.json {
            let mut line = line(&holding.catalogue, manifest, total, text);
            line["stores"] = copies.iter().map(|(h, _)| h.name.as_str()).collect();
            line["degraded"] = (copies.len() < stores).into();
            print_json(&line);
            continue;
        }
        let mut row = vec![
            manifest.name.clone(),
            manifest.id.clone(),
            short_time(manifest.dump.snapshot_time),
            bytes(manifest.size()),
            count(total),
            content(manifest).into(),
        ];
        if stores > 1 {
            let degraded = if copies.len() < stores { " degraded" } else { "" };
            row.push(format!("{}/{stores}{degraded}", copies.len()));
        }
        rows.push(row);
    }
    if !options.json {
        if rows.is_empty() {
            let urls: Vec<String> = holdings.stores.iter().map(|h| h.catalogue.store().url()).collect();
            print(format!("no backups in {}", urls.join(", ")));
        } else {
            let head = ["NAME", "ID", "SNAPSHOT (UTC)", "SIZE", "ROWS", "CONTENT", "COPIES"];
            table(&head[..if stores > 1 { 7 } else { 6 }], &[3, 4], rows);
        }
    }
    unreadable.map_or(Ok(()), |e| Err(Failure::from(e)))
}

/// Whether it is all of a database; `show` says what is missing.
fn content(m: &Manifest) -> &'static str {
    match (m.dump.partial(), &m.globals) {
        (None, None) => "full",
        (None, Some(_)) => "full, globals",
        (Some(_), None) => "partial",
        (Some(_), Some(_)) => "partial, globals",
    }
}

fn line(catalogue: &Catalogue, m: &Manifest, rows: u64, text: u64) -> serde_json::Value {
    json!({
        "id": m.id,
        "name": m.name,
        "database": m.dump.database,
        "started": m.started,
        "finished": m.finished,
        "snapshot_time": m.dump.snapshot_time,
        "snapshot_lsn": m.dump.snapshot_lsn,
        "url": catalogue.store().url_of(&m.object.key),
        "size": m.size(),
        "tables": m.dump.tables.len(),
        "rows": rows,
        "bytes": text,
        "partial": m.dump.partial(),
        "globals": m.globals.is_some(),
        "compression": m.dump.compression,
        "server_version": m.dump.server_version,
    })
}
