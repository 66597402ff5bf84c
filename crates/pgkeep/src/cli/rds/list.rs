//! `pgkeep rds snapshot list`.

use clap::Parser;
use jiff::Timestamp;
use pgkeep_cloud::{Rds, RdsKind, RdsSnapshot};
use pgkeep_snapshots::{SnapshotError, is_held, is_ours, taken_of};
use serde_json::json;

use super::Action;
use super::place::{CopyFlags, PlaceFlags, places};
use crate::config::Config;
use crate::failure::Result;
use crate::show::{print, print_json, short_time, table};

/// Options of `rds snapshot list`.
#[derive(Parser)]
pub(super) struct Options {
    /// Configured databases, or instances and clusters by name or ARN [default: all that are configured]
    databases: Vec<String>,
    #[command(flatten)]
    pub(super) place: PlaceFlags,
    #[command(flatten)]
    copies: CopyFlags,
    /// Print JSON, one object for each snapshot
    #[arg(long)]
    pub(super) json: bool,
}

fn flags(action: &Action) -> Option<&PlaceFlags> {
    match action {
        Action::List(options) => Some(&options.place),
        _ => None,
    }
}

/// A snapshot with where it is.
struct Line {
    label: String,
    region: String,
    ours: bool,
    taken: Option<Timestamp>,
    snapshot: RdsSnapshot,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let mut lines = Vec::new();
    for place in places(&options.databases, config, flags)? {
        let Action::List(own) = &place.action else { continue };
        let name = place.instance.rsplit(':').next().unwrap_or(&place.instance);
        let mut regions = vec![place.rds.clone()];
        for target in own.copies.targets() {
            regions.push(target.rds()?);
        }
        for rds in &regions {
            lines.extend(found(rds, name, &place.label)?);
        }
    }
    lines.sort_by(|a, b| (&a.label, a.taken, &a.region).cmp(&(&b.label, b.taken, &b.region)));
    if options.json {
        lines.iter().for_each(|line| print_json(&json_of(line)));
    } else if lines.is_empty() {
        print("no snapshots");
    } else {
        let rows = lines.iter().map(|l| {
            let taken = l.taken.map(short_time).unwrap_or_default();
            let state = if l.snapshot.status == "available" {
                String::new()
            } else {
                format!("{}, {} %", l.snapshot.status, l.snapshot.percent)
            };
            let words = [
                if l.ours { "" } else { "not pgkeep's" },
                if is_held(&l.snapshot) { "held" } else { "" },
                if l.snapshot.encrypted { "" } else { "unencrypted" },
                &state,
            ];
            let words: Vec<&str> = words.into_iter().filter(|w| !w.is_empty()).collect();
            vec![l.label.clone(), taken, l.region.clone(), l.snapshot.name.clone(), words.join(", ")]
        });
        table(&["database", "taken (UTC)", "region", "snapshot", ""], &[], rows.collect());
    }
    Ok(())
}

fn found(rds: &Rds, name: &str, label: &str) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for kind in [RdsKind::Instance, RdsKind::Cluster] {
        for snapshot in rds.snapshots_of(kind, name).map_err(SnapshotError::from)? {
            let ours = is_ours(&snapshot, rds.region()).is_some();
            let made = snapshot.created.and_then(|at| Timestamp::try_from(at).ok());
            lines.push(Line {
                label: label.to_owned(),
                region: rds.region().to_owned(),
                taken: if ours { taken_of(&snapshot.name) } else { made },
                ours,
                snapshot,
            });
        }
    }
    Ok(lines)
}

fn json_of(line: &Line) -> serde_json::Value {
    let s = &line.snapshot;
    json!({
        "type": "rds-snapshot",
        "database": line.label,
        "id": s.name,
        "arn": s.arn,
        "region": line.region,
        "instance": s.database,
        "kind": s.kind.as_str(),
        "status": s.status,
        "percent": s.percent,
        "taken": line.taken,
        "ours": line.ours,
        "held": is_held(s),
        "encrypted": s.encrypted,
        "kms_key": s.kms_key,
        "storage_gib": s.size_gib,
        "copy_of": s.copy_of,
    })
}
