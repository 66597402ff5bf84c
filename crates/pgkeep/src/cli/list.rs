//! `pgkeep list`.

use clap::Parser;
use pgkeep_keep::{Catalogue, Manifest};
use pgkeep_store::Store;
use serde_json::json;

use super::layers::store;
use crate::failure::{Failure, Result};
use crate::show::{bytes, count, print, print_json, short_time, table, warn};

/// Options of `list`.
#[derive(Parser)]
pub(super) struct Options {
    /// Only backups kept under this name
    pub(super) name: Option<String>,
    /// The store [default: the configured store, else ./backups]
    #[arg(long, visible_alias = "from")]
    store: Option<String>,
    /// Print JSON, one object for each backup
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let store = Store::open(&store(options.store.as_deref()))?;
    let catalogue = Catalogue::new(store);
    let mut listed = catalogue.list()?;
    listed.retain(|l| options.name.as_ref().is_none_or(|n| *n == l.name));
    let mut unreadable = None;
    let mut rows = Vec::new();
    for (listed, manifest) in listed.iter().zip(catalogue.manifests(&listed)) {
        let manifest = match manifest {
            Ok(m) => m,
            Err(e) => {
                warn(format!("pgkeep: {e}"));
                unreadable.get_or_insert(e);
                continue;
            }
        };
        let (total, text) = manifest.dump.totals();
        if options.json {
            print_json(&line(&catalogue, &manifest, total, text));
        } else {
            rows.push(vec![
                listed.name.clone(),
                listed.id.to_string(),
                short_time(manifest.dump.snapshot_time),
                bytes(manifest.object.size),
                count(total),
                content(&manifest).into(),
            ]);
        }
    }
    if !options.json {
        if rows.is_empty() {
            print(format!("no backups in {}", catalogue.store().url()));
        } else {
            table(&["NAME", "ID", "SNAPSHOT (UTC)", "SIZE", "ROWS", "CONTENT"], &[3, 4], rows);
        }
    }
    unreadable.map_or(Ok(()), |e| Err(Failure::from(e)))
}

/// Whether it is all of a database; `show` says what is missing.
fn content(m: &Manifest) -> &'static str {
    match (m.dump.is_masked(), m.dump.is_full(), &m.globals) {
        (true, _, None) => "masked",
        (true, _, Some(_)) => "masked, globals",
        (false, true, None) => "full",
        (false, true, Some(_)) => "full, globals",
        (false, false, None) => "partial",
        (false, false, Some(_)) => "partial, globals",
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
        "size": m.object.size,
        "tables": m.dump.tables.len(),
        "rows": rows,
        "bytes": text,
        "partial": m.dump.partial(),
        "masked": m.dump.is_masked(),
        "globals": m.globals.is_some(),
        "compression": m.dump.compression,
        "server_version": m.dump.server_version,
    })
}
