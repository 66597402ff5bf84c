//! `pgkeep vault recovery-points`.

use clap::Parser;
use jiff::Timestamp;
use pgkeep_keep::retention::coarse;
use pgkeep_vault::state_of_point;
use serde_json::json;

use super::{Wanted, time};
use crate::config::Config;
use crate::failure::Result;
use crate::show::{bytes, print, print_json, short_time, table};

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
    let points = wanted.open()?.recovery_points(&wanted.desired.vault, None)?;
    let of_resource = |resource: &str| {
        options.resource.as_deref().is_none_or(|r| resource == r || resource.rsplit(':').next() == Some(r))
    };
    let now = Timestamp::now();
    let mut rows = Vec::new();
    for point in points.iter().filter(|p| of_resource(&p.resource)) {
        let (made, name) = (time(point.created), point.resource.rsplit(':').next().unwrap_or_default());
        if options.json {
            print_json(&json!({
                "recovery_point": point.arn,
                "resource": point.resource,
                "resource_type": point.resource_type,
                "state": state_of_point(&point.status),
                "message": point.message,
                "created": made,
                "size": point.size,
                "delete_at": point.delete_at.map(time),
                "continuous": point.continuous,
            }));
            continue;
        }
        let gone = point.delete_at.map_or("never".into(), |at| short_time(time(at)));
        let kind = if point.continuous { "continuous" } else { "snapshot" };
        rows.push(vec![
            point.arn.rsplit(':').next().unwrap_or_default().to_owned(),
            name.to_owned(),
            short_time(made),
            coarse(now.duration_since(made)),
            point.size.and_then(|s| u64::try_from(s).ok()).map_or("?".into(), bytes),
            kind.to_owned(),
            gone,
        ]);
    }
    if !options.json {
        if rows.is_empty() {
            print(format!("no recovery points in vault {}", wanted.desired.vault));
        } else {
            table(&["RECOVERY POINT", "RESOURCE", "TAKEN", "AGE", "SIZE", "KIND", "DELETED"], &[3, 4], rows);
        }
    }
    Ok(())
}
