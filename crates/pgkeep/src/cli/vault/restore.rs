//! `pgkeep vault restore`.

use std::collections::BTreeMap;

use clap::Parser;
use jiff::Timestamp;
use pgkeep_vault::{RestoreTarget, When, metadata};
use serde_json::json;

use super::super::wait::PaceFlags;
use super::{Wanted, token};
use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::failure::{Failure, Result};
use crate::show::{print, print_json};

/// Options of `vault restore`.
#[derive(Parser)]
pub(super) struct Options {
    /// The recovery point: its ARN, the end of that, or a resource whose newest is meant
    recovery_point: String,
    /// Name of the new instance or cluster
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Restore this moment of a continuous backup, such as 2026-11-20T10:30:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "latest")]
    to: Option<Timestamp>,
    /// Restore the last moment of a continuous backup
    #[arg(long)]
    latest: bool,
    /// Class of the new instance, such as db.t4g.medium
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Subnet group of the new one
    #[arg(long, value_name = "NAME")]
    subnet_group: Option<String>,
    /// A security group of the new one; may be repeated
    #[arg(long = "security-group", value_name = "ID")]
    security_groups: Vec<String>,
    /// Parameter group of the new one
    #[arg(long, value_name = "NAME")]
    parameter_group: Option<String>,
    /// Any other metadata of the restore job; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Show what would be asked for, and do nothing
    #[arg(long, help_heading = THIS_RUN)]
    dry_run: bool,
    /// Start it, and do not wait
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    wait: PaceFlags,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let wanted = Wanted::of(config)?;
    let backup = wanted.open()?;
    let point = wanted.point(&backup, &options.recovery_point)?;
    let from = backup.restore_metadata(&wanted.desired.vault, &point.arn)?;
    let when = match (options.to, options.latest) {
        (Some(time), _) => When::At(time),
        (None, true) => When::Latest,
        (None, false) => When::Snapshot,
    };
    let asked = metadata(
        &from,
        (&point.resource_type, &point.resource, point.continuous),
        &options.target()?,
        (when, Timestamp::now()),
    )
    .map_err(|e| Failure::usage(e.to_string()))?;
    if options.dry_run {
        match options.json {
            true => print_json(&json!({ "ok": true, "recovery_point": point.arn, "metadata": asked })),
            false => {
                print(format!("would restore {} with", point.arn));
                for (key, value) in &asked {
                    print(format!("  {key} = {value}"));
                }
            }
        }
        return Ok(());
    }
    let role = wanted.role(&backup)?;
    let job = backup.start_restore((&point.arn, &point.resource_type, &role), &asked, &token())?;
    let what = format!("restore of {}", options.name);
    let done = options.wait.ends(&what, options.no_wait, &|| backup.restore_job(&job))?;
    let made = done.and_then(|d| d.resource);
    match (options.json, made) {
        (true, made) => {
            let state = if made.is_some() { "completed" } else { "started" };
            print_json(
                &json!({ "ok": true, "state": state, "job": job, "resource": made, "recovery_point": point.arn }),
            );
        }
        (false, None) => print(format!("{what}: job {job} was started")),
        (false, Some(made)) => {
            print(format!("{what}: {made}"));
            let next = match point.resource_type.as_str() {
                "Aurora" => format!(
                    "the cluster has no instance yet: aws rds create-db-instance --db-cluster-identifier {} …",
                    options.name
                ),
                _ => format!("connect: pgkeep check 'rds:{}'", options.name),
            };
            print(next);
        }
    }
    Ok(())
}

impl Options {
    fn target(&self) -> Result<RestoreTarget> {
        let mut more = BTreeMap::new();
        for word in &self.set {
            let (key, value) = word.split_once('=').ok_or_else(|| {
                Failure::usage(format!("--set {word}: write KEY=VALUE, such as --set MultiAZ=false"))
            })?;
            more.insert(key.to_owned(), value.to_owned());
        }
        Ok(RestoreTarget {
            name: self.name.clone(),
            class: self.class.clone(),
            subnet_group: self.subnet_group.clone(),
            security_groups: self.security_groups.clone(),
            parameter_group: self.parameter_group.clone(),
            more,
        })
    }
}
