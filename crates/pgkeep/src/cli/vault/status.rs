//! `pgkeep vault status`.

use std::collections::BTreeMap;

use clap::Parser;
use jiff::Timestamp;
use pgkeep_cloud::backup::Job;
use pgkeep_keep::retention::coarse;
use pgkeep_vault::{
    Changes, Finding, Observed, PointState, Standing, findings, state_of_job, state_of_point,
};
use serde_json::json;

use super::{Wanted, time};
use crate::config::Config;
use crate::failure::{Exit, Failure, Result};
use crate::show::{plural, print, print_json, short_time};

/// Options of `vault status`.
#[derive(Parser)]
pub(super) struct Options {
    /// Back to how many days ago jobs are shown
    #[arg(long, value_name = "DAYS", default_value_t = 8)]
    days: i64,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let wanted = Wanted::of(config)?;
    let backup = wanted.open()?;
    let (now, vault) = (Timestamp::now(), &wanted.desired.vault);
    let observed = Observed::look(&backup, &wanted.desired)?;
    let mut found = drift(&Changes::between(&observed, &wanted.desired));
    let (mut jobs, mut points) = (Vec::new(), Vec::new());
    if observed.vault.is_some() {
        // A rule of a month or a year is overdue long after its jobs would be out of sight.
        jobs = backup.backup_jobs(vault, now.as_second() - options.days.clamp(1, 400) * 86_400)?;
        points = backup.recovery_points(vault, None)?;
    }
    if let Some(plan) = &observed.plan {
        found.extend(findings(Standing { plan, jobs: &jobs, points: &points }, now));
    }
    jobs.sort_by_key(|job| std::cmp::Reverse(job.created));
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    for point in &points {
        *states.entry(word(state_of_point(&point.status))).or_default() += 1;
    }
    let newest = points.iter().find(|p| state_of_point(&p.status) == PointState::Stored);
    if options.json {
        print_json(&json!({
            "ok": found.is_empty(),
            "region": backup.region(),
            "vault": vault,
            "plan": wanted.desired.plan.name,
            "recovery_points": states,
            "newest": newest.map(|p| &p.arn),
            "newest_age_seconds": newest.map(|p| now.as_second() - p.created),
            "jobs": jobs.iter().map(job_json).collect::<Vec<_>>(),
            "findings": found,
        }));
    } else {
        print(format!("vault {vault} in {}, plan {}", backup.region(), wanted.desired.plan.name));
        let states: Vec<String> = states.iter().map(|(state, n)| format!("{n} {state}")).collect();
        print(format!(
            "  recovery points  {}",
            if states.is_empty() { "none".into() } else { states.join(", ") }
        ));
        if let Some(point) = newest {
            let age = coarse(now.duration_since(time(point.created)));
            print(format!(
                "  newest           {} ({age} old), {}",
                short_time(time(point.created)),
                point.resource
            ));
        }
        for job in &jobs {
            let why = job.message.as_ref().map(|m| format!(": {m}")).unwrap_or_default();
            print(format!(
                "  job              {}  {:<11}  {}{why}",
                short_time(time(job.created)),
                word(state_of_job(&job.state)),
                job.resource.as_deref().and_then(|r| r.rsplit(':').next()).unwrap_or("?")
            ));
        }
        for finding in &found {
            print(format!("  FINDING          {}: {}", finding.of, finding.what));
        }
    }
    match found.len() {
        0 => Ok(()),
        n => Err(Failure {
            told: options.json,
            ..Failure::new(Exit::Failed, "unwell", plural(n as u64, "finding"))
        }),
    }
}

/// What stands there otherwise than the configuration says.
fn drift(changes: &Changes) -> Vec<Finding> {
    let mut found = Vec::new();
    if !changes.steps.is_empty() {
        found.push(Finding {
            kind: "drift",
            of: "configuration".into(),
            what: format!(
                "{} between it and AWS Backup\n  hint: pgkeep vault plan shows them, apply makes them",
                plural(changes.steps.len() as u64, "step")
            ),
        });
    }
    found.extend(changes.cannot.iter().map(|words| Finding {
        kind: "drift",
        of: "configuration".into(),
        what: words.clone(),
    }));
    found
}

fn job_json(job: &Job) -> serde_json::Value {
    json!({
        "id": job.id,
        "resource": job.resource,
        "state": state_of_job(&job.state),
        "aws_state": job.state,
        "message": job.message,
        "percent": job.percent,
        "created": time(job.created),
        "completed": job.completed.map(time),
        "start_by": job.start_by.map(time),
        "recovery_point": job.recovery_point,
        "rule": job.plan.as_ref().map(|(_, rule)| rule),
    })
}

/// A state as its JSON has it, for people.
fn word(state: impl serde::Serialize) -> String {
    serde_json::to_value(state).ok().and_then(|v| v.as_str().map(|s| s.replace('_', " "))).unwrap_or_default()
}
