//! `pgkeep vault recovery-points`.

use clap::Parser;
use jiff::Timestamp;
use pgkeep_cloud::backup::RecoveryPoint;
use pgkeep_keep::retention::coarse;
use pgkeep_vault::state_of_point;
use serde_json::{Value, json};

use super::{Wanted, time};
use crate::config::Config;
use crate::failure::Result;
use crate::show::{bytes, print, print_json, short_time, table, warn};

/// Options of `vault recovery-points`.
#[derive(Parser)]
pub(super) struct Options {
    /// Only those of this resource: its ARN, or the name at the ARN's end
    resource: Option<String>,
    /// Print JSON, one line for each
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let wanted = Wanted::of(config)?;
    let mut points = wanted.open()?.recovery_points(&wanted.desired.vault, None)?;
    points
        .retain(|p| options.resource.as_deref().is_none_or(|r| p.resource == r || name_of(&p.resource) == r));
    match options.json {
        true => points.iter().for_each(|point| print_json(&json_of(point))),
        false if points.is_empty() => print(format!("no recovery points in vault {}", wanted.desired.vault)),
        false => show(&points),
    }
    Ok(())
}

/// The recovery points of all that is configured, or of one database: that of its `rds_instance`, or of its own name. What
/// cannot be asked for is noted.
pub(in crate::cli) fn points_of(database: Option<&str>, config: &Config) -> Vec<RecoveryPoint> {
    if config.aws_backup.is_none() {
        return Vec::new();
    }
    let found = Wanted::of(config)
        .and_then(|wanted| Ok(wanted.open()?.recovery_points(&wanted.desired.vault, None)?));
    let mut points = found.unwrap_or_else(|e| {
        warn(format!("pgkeep: note: recovery points of AWS Backup are not listed: {}", e.message));
        Vec::new()
    });
    let instance =
        |name: &str| config.databases.get(name)?.settings.get("rds_instance").map(|words| words.concat());
    let is_of = |name: &str, resource: &str| name_of(resource) == instance(name).as_deref().unwrap_or(name);
    points.retain(|p| database.is_none_or(|name| is_of(name, &p.resource)));
    points
}

/// The name at the end of an ARN.
fn name_of(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

pub(in crate::cli) fn json_of(point: &RecoveryPoint) -> Value {
    json!({
        "type": "aws-backup",
        "recovery_point": point.arn,
        "resource": point.resource,
        "resource_type": point.resource_type,
        "state": state_of_point(&point.status),
        "message": point.message,
        "created": time(point.created),
        "size": point.size,
        "delete_at": point.delete_at.map(time),
        "continuous": point.continuous,
    })
}

pub(in crate::cli) fn show(points: &[RecoveryPoint]) {
    let now = Timestamp::now();
    let row = |point: &RecoveryPoint| {
        let made = time(point.created);
        vec![
            name_of(&point.arn).to_owned(),
            name_of(&point.resource).to_owned(),
            short_time(made),
            coarse(now.duration_since(made)),
            point.size.and_then(|s| u64::try_from(s).ok()).map_or("?".into(), bytes),
            if point.continuous { "continuous" } else { "snapshot" }.to_owned(),
        ]
    };
    let rows = points.iter().map(row).collect();
    table(&["RECOVERY POINT", "RESOURCE", "TAKEN", "AGE", "SIZE", "KIND"], &[3, 4], rows);
}
