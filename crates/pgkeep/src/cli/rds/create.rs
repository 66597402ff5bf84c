//! `pgkeep rds snapshot create`.

use std::time::Instant;

use clap::Parser;
use jiff::Timestamp;
use pgkeep_cloud::Tags;
use pgkeep_engine::Cancel;
use pgkeep_snapshots::{CreateOrder, taken_of};
use serde_json::{Value, json};

use super::Action;
use super::figures::FigureFlags;
use super::place::{CopyFlags, Place, PlaceFlags, places};
use super::prune::{RuleFlags, prune_all};
use super::watch::WaitFlags;
use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::failure::{Exit, Failure, Result};
use crate::job::{SnapshotDone, SnapshotJob};
use crate::notify::NotifyFlags;
use crate::show::{duration, print, print_json, warn};
use crate::signals;

/// Options of `rds snapshot create`.
#[derive(Parser)]
pub(super) struct Options {
    /// Configured databases, or instances and clusters by name or ARN [default: all that are configured]
    databases: Vec<String>,
    #[command(flatten)]
    pub(super) place: PlaceFlags,
    #[command(flatten)]
    copies: CopyFlags,
    /// A tag for it; may be given several times
    #[arg(long, value_name = "KEY=VALUE", help_heading = "RDS", value_parser = tag)]
    tag: Vec<(String, String)>,
    /// Number of an account that may restore and copy it; may be given several times
    #[arg(long, value_name = "ACCOUNT", help_heading = "RDS")]
    share: Vec<String>,
    /// Delete afterwards what no retention rule keeps, as prune does
    #[arg(long, help_heading = "RDS")]
    prune: bool,
    #[command(flatten)]
    rules: RuleFlags,
    #[command(flatten)]
    figures: FigureFlags,
    #[command(flatten)]
    wait: WaitFlags,
    /// The moment that names are made of; one that was made for it already is not made twice [default: now]
    #[arg(long, value_name = "TIME", help_heading = THIS_RUN)]
    at: Option<Timestamp>,
    /// Show what would be done, and do nothing
    #[arg(long, help_heading = THIS_RUN)]
    dry_run: bool,
    #[command(flatten)]
    notify: NotifyFlags,
    /// Print the result as JSON, one line for each database
    #[arg(long)]
    pub(super) json: bool,
}

fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it like Owner=DBA Team")?;
    if key.starts_with("pgkeep:") || key.starts_with("aws:") {
        return Err("tags that begin with pgkeep: or aws: are not yours to give".into());
    }
    Ok((key.to_owned(), value.to_owned()))
}

fn flags(action: &Action) -> Option<&PlaceFlags> {
    match action {
        Action::Create(options) => Some(&options.place),
        _ => None,
    }
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let places = places(&options.databases, config, flags)?;
    let at = options.at.unwrap_or_else(Timestamp::now);
    // RDS makes them, and all at once.
    let done: Vec<Result<()>> = std::thread::scope(|scope| {
        let runs: Vec<_> =
            places.iter().map(|place| scope.spawn(|| one(place, at, config, &cancel))).collect();
        let lost = || {
            Failure::new(Exit::Failed, "failed", "its thread ended early\n  hint: this is a bug in pgkeep")
        };
        runs.into_iter().map(|run| run.join().unwrap_or_else(|_| Err(lost()))).collect()
    });
    let mut first = None;
    for (place, done) in places.iter().zip(done) {
        let Err(failure) = done else { continue };
        if places.len() > 1 {
            warn(format!("pgkeep: error: {}: {}", place.label, failure.message));
        }
        first.get_or_insert(failure);
    }
    first.map_or(Ok(()), Err)
}

fn one(place: &Place, at: Timestamp, config: &Config, cancel: &Cancel) -> Result<()> {
    let Action::Create(options) = &place.action else {
        return Err(Failure::usage("the command line is not about creating"));
    };
    let began = Instant::now();
    let done = options.notify.told(config, "rds", Some(&place.label), || make(place, options, at, cancel));
    if !options.dry_run {
        // Exit code 10 says that the snapshot is there.
        let good = done.as_ref().err().is_none_or(|failure| failure.exit == Exit::Degraded);
        options.figures.made(&place.label, place.rds.region(), good, began.elapsed());
    }
    if let (true, Err(failure)) = (options.json, &done)
        && !failure.told
    {
        print_json(&json!({ "ok": false, "database": place.label, "error": failure }));
        return Err(Failure { told: true, ..failure.clone() });
    }
    done
}

fn make(place: &Place, options: &Options, at: Timestamp, cancel: &Cancel) -> Result<()> {
    let began = Instant::now();
    let (targets, policies) = (options.copies.targets(), options.rules.policies()?);
    if options.dry_run {
        return dry_run(place, options, at, &targets.iter().map(|t| t.region.as_str()).collect::<Vec<_>>());
    }
    let tags: Tags = options.tag.iter().cloned().collect();
    let job = SnapshotJob {
        rds: &place.rds,
        instance: &place.instance,
        order: CreateOrder { at, windows: options.wait.windows()?, tags },
        share: &options.share,
        copies: &targets,
    };
    let done = options.wait.at_pace(cancel, |pace| job.run(pace))??;
    let pruned = match options.prune {
        true => Some(prune_all(place, &policies, &targets, false)?),
        false => None,
    };
    let failed = done.copies.iter().find_map(|(region, copied)| Some((region, copied.as_ref().err()?)));
    let failure = failed.map(|(region, why)| {
        let name = &done.created.snapshot.name;
        Failure::new(
            Exit::Degraded,
            "degraded",
            format!("snapshot {name} is there, but {region} has no copy of it: {}", why.message),
        )
    });
    let failure = failure.or_else(|| pruned.as_ref().and_then(|p| p.failure(&place.label)));
    let seconds = began.elapsed();
    if options.json {
        let mut line = json_of(&place.label, place.rds.region(), &done);
        line["ok"] = failure.is_none().into();
        line["seconds"] = seconds.as_secs_f64().into();
        line["pruned"] = pruned.map_or(Value::Null, |p| p.json());
        if let Some(failure) = &failure {
            line["error"] = json!(failure);
        }
        print_json(&line);
    } else {
        tell(&place.label, place.rds.region(), &done, &duration(seconds), &options.share);
        if let Some(pruned) = &pruned {
            pruned.tell();
        }
    }
    failure.map_or(Ok(()), |failure| Err(Failure { told: options.json, ..failure }))
}

fn dry_run(place: &Place, options: &Options, at: Timestamp, regions: &[&str]) -> Result<()> {
    let database = place.rds.database(&place.instance).map_err(pgkeep_snapshots::SnapshotError::from)?;
    let name = pgkeep_snapshots::name_of(database.kind, &database.name, at);
    if options.json {
        print_json(
            &json!({ "ok": true, "dry_run": true, "database": place.label, "id": name, "instance": database.name,
            "status": database.status, "copy_to": regions }),
        );
    } else {
        let copies = regions.iter().map(|r| format!(", and copy it to {r}")).collect::<String>();
        print(format!(
            "{}: would make snapshot {name} of {} ({}){copies}",
            place.label, database.name, database.status
        ));
    }
    Ok(())
}

fn json_of(label: &str, region: &str, done: &SnapshotDone) -> Value {
    let (database, snapshot) = (&done.created.database, &done.created.snapshot);
    let copies = done.copies.iter().map(|(region, copied)| match copied {
        Ok(copied) => json!({ "region": region, "ok": true, "snapshots": copied.iter().map(|s| &s.name).collect::<Vec<_>>() }),
        Err(failure) => json!({ "region": region, "ok": false, "error": failure }),
    });
    json!({
        "database": label,
        "id": snapshot.name,
        "arn": snapshot.arn,
        "region": region,
        "instance": database.name,
        "kind": database.kind.as_str(),
        "resource": database.resource,
        "replica_of": database.replica_of,
        "taken": taken_of(&snapshot.name),
        "taken_up": done.created.taken_up,
        "encrypted": snapshot.encrypted,
        "storage_gib": snapshot.size_gib,
        "copies": copies.collect::<Vec<_>>(),
    })
}

fn tell(label: &str, region: &str, done: &SnapshotDone, took: &str, share: &[String]) {
    let (database, snapshot) = (&done.created.database, &done.created.snapshot);
    let begun = if done.created.taken_up { ", begun by an earlier run" } else { "" };
    print(format!(
        "{label}: snapshot {} of {} {} in {region} is available ({took}{begun})",
        snapshot.name,
        database.kind.as_str(),
        database.name
    ));
    if let Some(primary) = &database.replica_of {
        print(format!("  it is of a read replica of {primary}, and holds what had reached it"));
    }
    if !share.is_empty() {
        print(format!("  shared with {}", share.join(", ")));
    }
    for (region, copied) in &done.copies {
        for copy in copied.iter().flatten() {
            print(format!("  copied to {region}: {}", copy.name));
        }
    }
}
