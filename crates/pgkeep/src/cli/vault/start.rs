//! `pgkeep vault backup` and `copy`: jobs on demand.

use clap::Parser;
use pgkeep_cloud::backup::Lifecycle;
use serde_json::json;

use super::super::wait::PaceFlags;
use super::{Wanted, token};
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::show::{print, print_json};

/// Options of `vault backup`.
#[derive(Parser)]
pub(super) struct BackupOptions {
    /// ARN of the instance or cluster
    resource: String,
    /// Days until the recovery point is deleted [default: as the rule says that keeps for the shortest time]
    #[arg(long, value_name = "DAYS")]
    delete_after: Option<i64>,
    /// Start it, and do not wait
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    wait: PaceFlags,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `vault copy`.
#[derive(Parser)]
pub(super) struct CopyOptions {
    /// The recovery point: its ARN, the end of that, or a resource whose newest is meant
    recovery_point: String,
    /// ARN of the vault that gets the copy, in any region or account
    #[arg(long, value_name = "ARN")]
    into: String,
    /// Days until the copy is deleted
    #[arg(long, value_name = "DAYS")]
    delete_after: Option<i64>,
    /// Start it, and do not wait
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    wait: PaceFlags,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn backup(options: &BackupOptions, config: &Config) -> Result<()> {
    let wanted = Wanted::of(config)?;
    if !options.resource.starts_with("arn:") {
        return Err(Failure::usage(format!(
            "{}: AWS Backup knows resources by their ARN\n  hint: arn:aws:rds:<region>:<account>:db:<name>",
            options.resource
        )));
    }
    let backup = wanted.open()?;
    let role = wanted.role(&backup)?;
    let shortest = wanted.desired.plan.rules.iter().filter_map(|r| r.lifecycle.delete_after).min();
    let lifecycle = Lifecycle { cold_after: None, delete_after: options.delete_after.or(shortest) };
    let job = backup.start_backup((&wanted.desired.vault, &options.resource, &role), lifecycle, &token())?;
    let what = format!("backup of {}", options.resource);
    let done = options.wait.ends(&what, options.no_wait, &|| backup.backup_job(&job))?;
    tell(options.json, &what, &job, done.and_then(|d| d.recovery_point));
    Ok(())
}

pub(super) fn copy(options: &CopyOptions, config: &Config) -> Result<()> {
    let wanted = Wanted::of(config)?;
    if !options.into.contains(":backup-vault:") {
        return Err(Failure::usage(format!(
            "--into {}: not the ARN of a vault\n  hint: arn:aws:backup:<region>:<account>:backup-vault:<name>",
            options.into
        )));
    }
    let backup = wanted.open()?;
    let (role, point) = (wanted.role(&backup)?, wanted.point(&backup, &options.recovery_point)?);
    let lifecycle = Lifecycle { cold_after: None, delete_after: options.delete_after };
    let order = (point.arn.as_str(), wanted.desired.vault.as_str(), options.into.as_str(), role.as_str());
    let job = backup.start_copy(order, lifecycle, &token())?;
    let what = format!("copy to {}", options.into);
    let done = options.wait.ends(&what, options.no_wait, &|| backup.copy_job(&job))?;
    tell(options.json, &what, &job, done.and_then(|d| d.recovery_point));
    Ok(())
}

fn tell(json: bool, what: &str, job: &str, point: Option<String>) {
    match (json, point) {
        (true, point) => {
            let state = if point.is_some() { "completed" } else { "started" };
            print_json(&json!({ "ok": true, "state": state, "job": job, "recovery_point": point }));
        }
        (false, Some(point)) => print(format!("{what}: {point}")),
        (false, None) => {
            print(format!("{what}: job {job} was started; `pgkeep vault status` tells how it does"))
        }
    }
}
