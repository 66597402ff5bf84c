//! `pgkeep rds snapshot list`.

use clap::Parser;
use jiff::Timestamp;
use pgkeep_cloud::{Rds, RdsKind, RdsSnapshot};
use pgkeep_snapshots::{SnapshotError, is_held, is_ours, taken_of};
use serde_json::{Value, json};

use super::Action;
use super::place::{CopyFlags, Place, PlaceFlags, place_by, places};
use crate::cli::layers::parse_words;
use crate::config::{Config, Settings};
use crate::failure::Result;
use crate::show::{print, print_json, short_time, table, warn};

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
pub(in crate::cli) struct Line {
    label: String,
    region: String,
    ours: bool,
    taken: Option<Timestamp>,
    snapshot: RdsSnapshot,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let mut lines = Vec::new();
    for place in places(&options.databases, config, flags)? {
        lines.extend(of_place(&place)?);
    }
    match options.json {
        true => lines.iter().for_each(|line| print_json(&line.json())),
        false if lines.is_empty() => print("no snapshots"),
        false => show(&lines),
    }
    Ok(())
}

/// The snapshots of the configured databases, or of one of them, whose entries say something of snapshots. One that cannot be
/// asked for is noted.
pub(in crate::cli) fn snapshots_of(name: Option<&str>, config: &Config) -> Vec<Line> {
    let mut lines = Vec::new();
    for (database, entry) in &config.databases {
        let speaks = entry.settings.keys().any(|key| key.starts_with("rds_"));
        if !speaks || name.is_some_and(|name| name != database) {
            continue;
        }
        let action = |settings: &Settings| {
            let words = ["pgkeep", "rds", "snapshot", "list", database].map(Into::into).into();
            super::action_of(parse_words(words, settings)?)
        };
        match place_by(database, config, &flags, action).and_then(|place| of_place(&place)) {
            Ok(found) => lines.extend(found),
            Err(e) => {
                warn(format!("pgkeep: note: {database}: its RDS snapshots are not listed: {}", e.message))
            }
        }
    }
    lines
}

/// Oldest first.
fn of_place(place: &Place) -> Result<Vec<Line>> {
    let Action::List(own) = &place.action else { return Ok(Vec::new()) };
    let name = place.instance.rsplit(':').next().unwrap_or(&place.instance);
    let mut lines = found(&place.rds, name, &place.label)?;
    for target in own.copies.targets() {
        lines.extend(found(&target.rds()?, name, &place.label)?);
    }
    lines.sort_by(|a, b| (a.taken, &a.region).cmp(&(b.taken, &b.region)));
    Ok(lines)
}

/// As a table.
pub(in crate::cli) fn show(lines: &[Line]) {
    let rows = lines.iter().map(|l| {
        let s = &l.snapshot;
        let state =
            if s.status == "available" { String::new() } else { format!("{}, {} %", s.status, s.percent) };
        let words = [
            if l.ours { "" } else { "not pgkeep's" },
            if is_held(s) { "held" } else { "" },
            if s.encrypted { "" } else { "unencrypted" },
            &state,
        ];
        let words: Vec<&str> = words.into_iter().filter(|w| !w.is_empty()).collect();
        let taken = l.taken.map(short_time).unwrap_or_default();
        vec![l.label.clone(), taken, l.region.clone(), s.name.clone(), words.join(", ")]
    });
    table(&["database", "taken (UTC)", "region", "rds-snapshot", ""], &[], rows.collect());
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

impl Line {
    /// As a result for programs.
    pub(in crate::cli) fn json(&self) -> Value {
        let s = &self.snapshot;
        json!({
            "type": "rds-snapshot",
            "database": self.label,
            "id": s.name,
            "arn": s.arn,
            "region": self.region,
            "instance": s.database,
            "kind": s.kind.as_str(),
            "status": s.status,
            "percent": s.percent,
            "taken": self.taken,
            "ours": self.ours,
            "held": is_held(s),
            "encrypted": s.encrypted,
            "kms_key": s.kms_key,
            "storage_gib": s.size_gib,
            "copy_of": s.copy_of,
        })
    }
}
