//! `pgkeep rds snapshot status`.

use clap::Parser;
use jiff::Timestamp;
use pgkeep_keep::retention::{Policy, coarse};
use pgkeep_snapshots::{Status, status};
use serde_json::json;

use super::Action;
use super::figures::FigureFlags;
use super::place::{PlaceFlags, places};
use crate::config::Config;
use crate::failure::{Exit, Failure, Result};
use crate::retention::parsed;
use crate::show::{plural, print, print_json, short_time};

/// Options of `rds snapshot status`.
#[derive(Parser)]
pub(super) struct Options {
    /// Configured databases, or instances and clusters by name or ARN [default: all that are configured]
    databases: Vec<String>,
    #[command(flatten)]
    pub(super) place: PlaceFlags,
    /// How often a snapshot is to come, such as 1d: an older newest one is a finding
    #[arg(long, value_name = "TIME", help_heading = "Retention")]
    expect_every: Option<String>,
    #[command(flatten)]
    figures: FigureFlags,
    /// Print the result as JSON, one line for each database
    #[arg(long)]
    pub(super) json: bool,
}

fn flags(action: &Action) -> Option<&PlaceFlags> {
    match action {
        Action::Status(options) => Some(&options.place),
        _ => None,
    }
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let mut findings = 0;
    for place in places(&options.databases, config, flags)? {
        let Action::Status(own) = &place.action else { continue };
        let expected = parsed("--expect-every", own.expect_every.as_ref(), Policy::interval_of)?.flatten();
        let now = Timestamp::now();
        let found = status(&place.rds, &place.instance, expected, now)?;
        findings += found.findings.len();
        if let Some((_, taken)) = &found.newest {
            let age = now.duration_since(*taken).unsigned_abs();
            own.figures.age(&place.label, place.rds.region(), age);
        }
        match options.json {
            true => print_json(&json_of(&place.label, place.rds.region(), &found, now)),
            false => tell(&place.label, place.rds.region(), &found, now),
        }
    }
    match findings {
        0 => Ok(()),
        n => Err(Failure {
            told: options.json,
            ..Failure::new(Exit::Failed, "unwell", plural(n as u64, "finding"))
        }),
    }
}

fn tell(label: &str, region: &str, found: &Status, now: Timestamp) {
    let database = &found.database;
    let kind = database.kind.as_str();
    print(format!("{label}: {kind} {} in {region}, {}, {}", database.name, database.engine, database.status));
    let window = database.window.as_deref().map(|w| format!(", daily {w} UTC")).unwrap_or_default();
    print(format!(
        "  automated backups  kept {}{window}",
        plural(u64::try_from(database.retention_days).unwrap_or(0), "day")
    ));
    if let (Some(from), Some(to)) = (found.earliest, found.latest) {
        print(format!("  can be restored to {} … {} UTC", short_time(from), short_time(to)));
    }
    match &found.newest {
        Some((snapshot, taken)) => {
            let age = coarse(now.duration_since(*taken));
            print(format!("  snapshots          {}, newest {} ({age} old)", found.snapshots, snapshot.name));
        }
        None => print("  snapshots          none of pgkeep's"),
    }
    for finding in &found.findings {
        print(format!("  FINDING            {}", finding.words));
    }
}

fn json_of(label: &str, region: &str, found: &Status, now: Timestamp) -> serde_json::Value {
    let database = &found.database;
    json!({
        "ok": found.findings.is_empty(),
        "database": label,
        "instance": database.name,
        "kind": database.kind.as_str(),
        "region": region,
        "resource": database.resource,
        "engine": database.engine,
        "status": database.status,
        "encrypted": database.encrypted,
        "replica_of": database.replica_of,
        "automated_backup_days": database.retention_days,
        "backup_window": database.window,
        "earliest_restorable": found.earliest,
        "latest_restorable": found.latest,
        "snapshots": found.snapshots,
        "newest": found.newest.as_ref().map(|(snapshot, _)| &snapshot.name),
        "newest_age_seconds": found.newest.as_ref().map(|(_, taken)| now.duration_since(*taken).as_secs()),
        "findings": found.findings.iter().map(|f| json!({ "kind": f.kind, "words": f.words })).collect::<Vec<_>>(),
    })
}
