//! `pgkeep rds snapshot restore`.

use std::time::{Duration, Instant};

use clap::Parser;
use jiff::Timestamp;
use pgkeep_cloud::{RdsDatabase, RestoreInto};
use pgkeep_engine::Cancel;
use pgkeep_engine::drill::WholeRead;
use pgkeep_snapshots::{Source, Wanted, Windows, find, remove};
use serde_json::{Value, json};

use super::Action;
use super::place::{Place, PlaceFlags, place};
use super::watch::WaitFlags;
use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::failure::{Exit, Failure, Result};
use crate::job::RdsRestoreJob;
use crate::notify::NotifyFlags;
use crate::show::{duration, plural, print, print_json, warn};
use crate::signals;

/// Options of `rds snapshot restore`.
#[derive(Parser)]
pub(super) struct Options {
    /// A configured database, or an instance or cluster by name or ARN, also one that is gone
    database: String,
    #[command(flatten)]
    pub(super) place: PlaceFlags,
    /// The name of the new instance or cluster
    #[arg(long = "as", value_name = "NAME", help_heading = THIS_RUN)]
    name: String,
    /// The snapshot's name, whoever made it [default: the newest that pgkeep has made]
    #[arg(long, value_name = "NAME", help_heading = THIS_RUN, conflicts_with_all = ["to", "latest"])]
    snapshot: Option<String>,
    /// No snapshot: the state of this moment, such as 2026-11-20T10:30:00Z
    #[arg(long, value_name = "TIME", help_heading = THIS_RUN, conflicts_with = "latest")]
    to: Option<Timestamp>,
    /// No snapshot: the latest state that RDS has
    #[arg(long, help_heading = THIS_RUN)]
    latest: bool,
    /// Class, such as db.m5.large [default: that of the source]
    #[arg(long, value_name = "CLASS", help_heading = "New instance")]
    class: Option<String>,
    /// DB subnet group: in which network it is [default: the account's]
    #[arg(long, value_name = "NAME", help_heading = "New instance")]
    subnet_group: Option<String>,
    /// Security group: who reaches it; may be given several times [default: the network's]
    #[arg(long, value_name = "ID", help_heading = "New instance")]
    security_group: Vec<String>,
    /// Parameter group; of a cluster its cluster parameter group [default: the engine's]
    #[arg(long, value_name = "NAME", help_heading = "New instance")]
    parameter_group: Option<String>,
    /// Give it a public address
    #[arg(long, help_heading = "New instance")]
    public: bool,
    /// Connect to it, read every row of every table, and run the assertions
    #[arg(long, help_heading = THIS_RUN)]
    drill: bool,
    /// A query that must give true in it; may be given several times
    #[arg(long, value_name = "SQL", alias = "check", help_heading = "Drill")]
    drill_check: Vec<String>,
    /// Delete it in the end, whatever came of it
    #[arg(long, help_heading = THIS_RUN)]
    remove: bool,
    /// Longest wait until it can be reached from here after it is available; 0 does not try
    #[arg(long, value_name = "TIME", default_value = "10m", help_heading = "New instance")]
    reach_within: String,
    /// Show what would be done, and do nothing
    #[arg(long, help_heading = THIS_RUN)]
    dry_run: bool,
    #[command(flatten)]
    wait: WaitFlags,
    #[command(flatten)]
    notify: NotifyFlags,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

fn flags(action: &Action) -> Option<&PlaceFlags> {
    match action {
        Action::Restore(options) => Some(&options.place),
        _ => None,
    }
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let place = place(&options.database, config, &flags)?;
    let Action::Restore(own) = &place.action else { return Ok(()) };
    own.notify.told(config, "rds restore", Some(&place.label), || one(&place, own, config))
}

fn one(place: &Place, options: &Options, config: &Config) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let began = Instant::now();
    let wanted = match (&options.snapshot, options.to, options.latest) {
        (Some(name), ..) => Wanted::Named(name.clone()),
        (_, Some(at), _) => Wanted::Moment(at),
        (_, _, true) => Wanted::Latest,
        _ => Wanted::Newest,
    };
    let source = find(&place.rds, &place.instance, &wanted)?;
    if options.dry_run {
        match options.json {
            true => print_json(
                &json!({ "ok": true, "dry_run": true, "database": place.label, "from": source.name(), "instance": options.name }),
            ),
            false => print(format!("{}: would restore {} into {}", place.label, source.name(), options.name)),
        }
        return Ok(());
    }
    let done = restore(place, options, config, &source, &cancel);
    let removed = match options.remove && !cancel.is_raised() {
        true => Some(clear(place, options, &cancel)),
        false => None,
    };
    let (database, read) = match done {
        Ok(done) => done,
        Err(failure) => {
            if let Some(Err(e)) = &removed {
                warn(format!("pgkeep: note: {}", e.message));
            }
            return Err(failure);
        }
    };
    let failure = read.as_ref().and_then(|read| not_true(&options.name, read));
    let failure = failure.or_else(|| removed.as_ref().and_then(|r| r.as_ref().err().cloned()));
    if options.json {
        let mut line = json!({
            "ok": failure.is_none(),
            "database": place.label,
            "from": source.name(),
            "instance": database.name,
            "kind": database.kind.as_str(),
            "region": place.rds.region(),
            "host": database.endpoint.as_ref().map(|(host, _)| host),
            "port": database.endpoint.as_ref().map(|(_, port)| port),
            "drill": read.as_ref().map(drill_json),
            "removed": matches!(removed, Some(Ok(()))),
            "seconds": began.elapsed().as_secs_f64(),
        });
        if let Some(failure) = &failure {
            line["error"] = json!(failure);
        }
        print_json(&line);
    } else {
        tell(place, &source, &database, read.as_ref(), began);
        if let Some(Ok(())) = removed {
            print(format!("  removed {}", database.name));
        }
    }
    failure.map_or(Ok(()), |failure| Err(Failure { told: options.json, ..failure }))
}

fn restore(
    place: &Place,
    options: &Options,
    config: &Config,
    source: &Source,
    cancel: &Cancel,
) -> Result<(RdsDatabase, Option<WholeRead>)> {
    let reach = crate::cli::wait::length("--reach-within", &options.reach_within)?;
    let job = RdsRestoreJob {
        rds: &place.rds,
        source,
        into: RestoreInto {
            name: options.name.to_lowercase(),
            class: options.class.clone(),
            subnet_group: options.subnet_group.clone(),
            security_groups: options.security_group.clone(),
            parameter_group: options.parameter_group.clone(),
            public: options.public,
            tags: [].into(),
        },
        windows: options.wait.windows()?,
        reach: reach.and_then(|r| Duration::try_from(r).ok()),
        drill: options.drill.then_some((options.database.as_str(), options.drill_check.as_slice())),
    };
    options.wait.at_pace(cancel, |pace| job.run(config, pace, cancel))?
}

fn clear(place: &Place, options: &Options, cancel: &Cancel) -> Result<()> {
    let windows: Windows = options.wait.windows()?;
    options
        .wait
        .at_pace(cancel, |pace| remove(&place.rds, &options.name.to_lowercase(), windows, pace))??;
    Ok(())
}

pub(in crate::cli) fn not_true(name: &str, read: &WholeRead) -> Option<Failure> {
    let check = read.checks.iter().find(|c| !c.passed)?;
    let words = format!("{name}: assertion {}: it gives {}, not true", check.sql, check.result);
    Some(Failure::new(Exit::Differs, "differs", words))
}

pub(in crate::cli) fn drill_json(read: &WholeRead) -> Value {
    json!({ "tables": read.tables, "rows": read.rows, "checks": read.checks })
}

fn tell(place: &Place, source: &Source, database: &RdsDatabase, read: Option<&WholeRead>, began: Instant) {
    print(format!(
        "{}: restored {} into {} {} in {} ({})",
        place.label,
        source.name(),
        database.kind.as_str(),
        database.name,
        place.rds.region(),
        duration(began.elapsed())
    ));
    if let Some((host, port)) = &database.endpoint {
        print(format!("  at {host}:{port}"));
    }
    if let Some(read) = read {
        tell_drill(read);
    }
}

pub(in crate::cli) fn tell_drill(read: &WholeRead) {
    print(format!("  read {} of {} to their end", plural(read.rows, "row"), plural(read.tables, "table")));
    for check in &read.checks {
        let word = if check.passed { "true" } else { "NOT TRUE" };
        print(format!("  assertion {word}: {}", check.sql));
    }
}
