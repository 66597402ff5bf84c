//! `pgkeep vault restore`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Parser;
use jiff::Timestamp;
use pgkeep_cloud::backup::RecoveryPoint;
use pgkeep_cloud::{Rds, RdsDatabase, RdsKind, RestoreInto};
use pgkeep_engine::Cancel;
use pgkeep_engine::drill::WholeRead;
use pgkeep_snapshots::{Pace, Windows, adopt, remove};
use pgkeep_vault::{RestoreTarget, When, metadata};
use serde_json::json;

use super::super::rds::{drill_json, not_true, tell_drill};
use super::super::wait::{PaceFlags, length};
use super::{Wanted, token};
use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::failure::{Failure, Result};
use crate::job::look_into;
use crate::show::{print, print_json};
use crate::signals;

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
    /// Class of the new instance, such as db.t4g.medium; a cluster gets an instance where it is given
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
    /// Connect to it as this configured database says, read every row of every table, and run the assertions
    #[arg(long, value_name = "DATABASE", help_heading = "Drill", conflicts_with = "no_wait")]
    drill: Option<String>,
    /// A query that must give true in it; may be given several times
    #[arg(long, value_name = "SQL", help_heading = "Drill", requires = "drill")]
    check: Vec<String>,
    /// Delete it in the end, whatever came of it
    #[arg(long, help_heading = "Drill", conflicts_with = "no_wait")]
    remove: bool,
    /// Longest wait until it can be reached from here after it is available; 0 does not try
    #[arg(long, value_name = "TIME", default_value = "10m")]
    reach_within: String,
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
    let Some(done) = options.wait.ends(&what, options.no_wait, &|| backup.restore_job(&job))? else {
        match options.json {
            true => print_json(
                &json!({ "ok": true, "state": "started", "job": job, "recovery_point": point.arn }),
            ),
            false => print(format!("{what}: job {job} was started")),
        }
        return Ok(());
    };
    let account = wanted.account()?;
    let restored = Restored { options, rds: account.rds_snapshots(), point: &point };
    restored.go_on(config, &job, done.resource)
}

/// What the job has made, on its way to somebody who can use it.
struct Restored<'r> {
    options: &'r Options,
    rds: Rds,
    point: &'r RecoveryPoint,
}

impl Restored<'_> {
    fn go_on(&self, config: &Config, job: &str, made: Option<String>) -> Result<()> {
        let options = self.options;
        let cancel =
            signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
        let windows = Windows { start: None, completion: options.wait.completion_window()? };
        let looked = options.wait.at_pace(&cancel, |pace| self.look(config, windows, pace, &cancel))?;
        let removed = match options.remove && !cancel.is_raised() {
            true => {
                Some(options.wait.at_pace(&cancel, |pace| remove(&self.rds, &self.name(), windows, pace))?)
            }
            false => None,
        };
        let (database, read) = looked?;
        let failure = read.as_ref().and_then(|read| not_true(&options.name, read));
        let failure =
            failure.or_else(|| removed.as_ref().and_then(|r| r.as_ref().err().cloned().map(Failure::from)));
        if options.json {
            let mut line = json!({
                "ok": failure.is_none(), "state": "completed", "job": job, "resource": made,
                "recovery_point": self.point.arn, "instance": database.name,
                "host": database.endpoint.as_ref().map(|(host, _)| host),
                "port": database.endpoint.as_ref().map(|(_, port)| port),
                "drill": read.as_ref().map(drill_json), "removed": matches!(removed, Some(Ok(()))),
            });
            if let Some(failure) = &failure {
                line["error"] = json!(failure);
            }
            print_json(&line);
        } else {
            print(format!("restored {} into {} {}", self.point.arn, database.kind.as_str(), database.name));
            if let Some((host, port)) = &database.endpoint {
                print(format!("  at {host}:{port}"));
            }
            if database.kind == RdsKind::Cluster && database.members.is_empty() {
                print(
                    "  it has no instance yet: --class makes one, or aws rds create-db-instance --db-cluster-identifier",
                );
            }
            if let Some(read) = &read {
                tell_drill(read);
            }
            if let Some(Ok(())) = removed {
                print(format!("  removed {}", database.name));
            }
        }
        failure.map_or(Ok(()), |failure| Err(Failure { told: options.json, ..failure }))
    }

    fn look(
        &self,
        config: &Config,
        windows: Windows,
        pace: &Pace<'_>,
        cancel: &Cancel,
    ) -> Result<(RdsDatabase, Option<WholeRead>)> {
        let options = self.options;
        let kind = if self.point.resource_type == "Aurora" { RdsKind::Cluster } else { RdsKind::Instance };
        let into = RestoreInto { name: self.name(), class: options.class.clone(), ..RestoreInto::default() };
        let database = adopt(&self.rds, kind, &self.point.arn, &into, windows, pace)?;
        let reach = length("--reach-within", &options.reach_within)?.and_then(|r| Duration::try_from(r).ok());
        // Without a drill nobody may mean to reach it from here.
        let reach = reach.filter(|_| options.drill.is_some());
        let drill = options.drill.as_deref().map(|words| (words, options.check.as_slice()));
        let read = look_into(&database, self.rds.region(), reach, drill, config, pace, cancel)?;
        Ok((database, read))
    }

    /// RDS has names in lower case.
    fn name(&self) -> String {
        self.options.name.to_lowercase()
    }
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
