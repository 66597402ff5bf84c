//! `pgkeep rds snapshot prune`.

use clap::{Args, Parser};
use pgkeep_cloud::{CloudErrorKind, RdsKind};
use pgkeep_keep::retention::{Overdue, Policy, coarse};
use pgkeep_snapshots::{Outcome, SnapshotError};
use serde_json::{Value, json};

use super::Action;
use super::place::{CopyFlags, Place, PlaceFlags, places};
use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::failure::{Exit, Failure, Result};
use crate::job::{CopyTarget, Pruned, prune_snapshots};
use crate::notify::NotifyFlags;
use crate::retention::RetentionFlags;
use crate::show::{plural, print, print_json, warn};

/// What is kept, here and in other regions.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct RuleFlags {
    #[command(flatten)]
    rules: RetentionFlags,
    /// A rule for copies in other regions, such as daily=90, last=3 or within=1y; may be given several times [default: the
    /// same rules]
    #[arg(long, value_name = "RULE=VALUE", help_heading = "Retention")]
    copy_keep: Vec<String>,
}

impl RuleFlags {
    /// The policies of the database's own region and of copies.
    pub(super) fn policies(&self) -> Result<Policies> {
        let own = self.rules.policy()?;
        let of_copies = match self.copy_keep.is_empty() {
            true => own.clone(),
            false => self.rules.of_rules(&self.copy_keep)?.policy()?,
        };
        Ok(Policies { own, of_copies })
    }
}

/// What is kept.
pub(super) struct Policies {
    own: Policy,
    of_copies: Policy,
}

/// Options of `rds snapshot prune`.
#[derive(Parser)]
pub(super) struct Options {
    /// Configured databases, or instances and clusters by name or ARN, also such that are gone [default: all that are
    /// configured]
    databases: Vec<String>,
    #[command(flatten)]
    pub(super) place: PlaceFlags,
    #[command(flatten)]
    copies: CopyFlags,
    #[command(flatten)]
    rules: RuleFlags,
    /// Show what would be done, and do nothing
    #[arg(long, help_heading = THIS_RUN)]
    dry_run: bool,
    #[command(flatten)]
    notify: NotifyFlags,
    /// Print the result as JSON, one line for each database
    #[arg(long)]
    pub(super) json: bool,
}

fn flags(action: &Action) -> Option<&PlaceFlags> {
    match action {
        Action::Prune(options) => Some(&options.place),
        _ => None,
    }
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let places = places(&options.databases, config, flags)?;
    let mut first = None;
    for place in &places {
        let Action::Prune(own) = &place.action else { continue };
        let done = own.notify.told(config, "rds prune", Some(&place.label), || one(place, own));
        if let Err(failure) = done {
            if places.len() > 1 {
                warn(format!("pgkeep: error: {}: {}", place.label, failure.message));
            }
            first.get_or_insert(failure);
        }
    }
    first.map_or(Ok(()), Err)
}

fn one(place: &Place, options: &Options) -> Result<()> {
    let policies = options.rules.policies()?;
    let done = prune_all(place, &policies, &options.copies.targets(), options.dry_run)?;
    let failure = done.failure(&place.label);
    if options.json {
        let mut line = json!({ "ok": failure.is_none(), "database": place.label, "dry_run": options.dry_run, "regions": done.json() });
        if let Some(failure) = &failure {
            line["error"] = json!(failure);
        }
        print_json(&line);
    } else {
        print(format!("{}:", place.label));
        done.tell();
    }
    failure.map_or(Ok(()), |failure| Err(Failure { told: options.json, ..failure }))
}

/// What became of the snapshots of one database in all its regions.
pub(super) struct AllPruned {
    regions: Vec<Pruned>,
    dry_run: bool,
    has_policy: bool,
}

/// Prunes in the database's region and in those of its copies.
pub(super) fn prune_all(
    place: &Place,
    policies: &Policies,
    targets: &[CopyTarget],
    dry_run: bool,
) -> Result<AllPruned> {
    let (kind, name) = kind_of(place)?;
    let mut regions = vec![prune_snapshots(&place.rds, kind, &name, &policies.own, dry_run)?];
    for target in targets {
        regions.push(prune_snapshots(&target.rds()?, kind, &name, &policies.of_copies, dry_run)?);
    }
    Ok(AllPruned { regions, dry_run, has_policy: !policies.own.is_empty() })
}

/// Whether an instance or a cluster has this name. Of one that is gone its snapshots tell.
fn kind_of(place: &Place) -> Result<(RdsKind, String)> {
    let gone = match place.rds.database(&place.instance) {
        Ok(database) => return Ok((database.kind, database.name)),
        Err(e) if e.kind == CloudErrorKind::NotFound => e,
        Err(e) => return Err(SnapshotError::from(e).into()),
    };
    let name = place.instance.rsplit(':').next().unwrap_or(&place.instance);
    for kind in [RdsKind::Instance, RdsKind::Cluster] {
        if !place.rds.snapshots_of(kind, name).map_err(SnapshotError::from)?.is_empty() {
            return Ok((kind, name.to_owned()));
        }
    }
    Err(SnapshotError::from(gone).into())
}

impl AllPruned {
    fn overdue(&self) -> impl Iterator<Item = (&Pruned, &Overdue)> {
        self.regions.iter().flat_map(|r| r.plan.plan.overdue.iter().map(move |o| (r, o)))
    }

    /// What is wrong.
    pub(super) fn failure(&self, label: &str) -> Option<Failure> {
        let mut failed = self.regions.iter().flat_map(|r| &r.outcomes).filter_map(|(_, o)| o.as_ref().err());
        if let Some(first) = failed.next() {
            return Some(first.clone());
        }
        let (region, overdue) = self.overdue().next()?;
        let words = format!(
            "{label}: snapshots fail to come: the newest in {} is {} old, and one is expected every {}; nothing of it was \
             deleted\n  hint: `pgkeep rds snapshot status {label}` tells more",
            region.region,
            coarse(overdue.age),
            coarse(overdue.expected)
        );
        Some(Failure::new(Exit::Overdue, "overdue", words))
    }

    fn lines(&self, pruned: &Pruned) -> Vec<(&'static str, String, Vec<String>)> {
        let outcome = |name: &str| pruned.outcomes.iter().find(|(n, _)| n == name).map(|(_, o)| o);
        let went = |name: &str, why: Vec<String>| match outcome(name) {
            None => ("would delete", name.to_owned(), why),
            Some(Ok(Outcome::Deleted | Outcome::Gone)) => ("deleted", name.to_owned(), why),
            Some(Ok(Outcome::Stays(why))) => ("keep", name.to_owned(), vec![why.clone()]),
            Some(Err(e)) => ("FAILED", name.to_owned(), vec![e.message.clone()]),
        };
        let decided = pruned.plan.plan.decisions.iter().map(|d| {
            let why = d.reasons.iter().map(ToString::to_string).collect();
            let name = d.backup.id.as_str();
            if d.keep { ("keep", name.to_owned(), why) } else { went(name, why) }
        });
        let failed = pruned.plan.failed.iter().map(|s| went(&s.name, vec!["RDS says that it failed".into()]));
        let unfinished =
            pruned.plan.unfinished.iter().map(|s| ("keep", s.name.clone(), vec![s.status.clone()]));
        decided.chain(failed).chain(unfinished).collect()
    }

    pub(super) fn json(&self) -> Value {
        let region = |pruned: &Pruned| {
            let lines = self.lines(pruned).into_iter();
            let lines = lines.map(|(word, id, why)| {
                let keep = !matches!(word, "deleted" | "would delete");
                json!({ "id": id, "keep": keep, "action": word.to_lowercase(), "reasons": why })
            });
            json!({ "region": pruned.region, "snapshots": lines.collect::<Vec<_>>(), "foreign": pruned.plan.foreign })
        };
        self.regions.iter().map(region).collect()
    }

    pub(super) fn tell(&self) {
        for pruned in &self.regions {
            let lines = self.lines(pruned);
            for (word, name, why) in &lines {
                print(format!("  {word:<13}{name}  {}", why.join(", ")));
            }
            let gone = lines.iter().filter(|(word, ..)| matches!(*word, "deleted" | "would delete")).count();
            let verb = if self.dry_run { "would delete" } else { "deleted" };
            let others = match pruned.plan.foreign as u64 {
                0 => String::new(),
                n => format!("; {} of others left alone", plural(n, "snapshot")),
            };
            let kept = lines.len() - gone;
            print(format!(
                "  {verb} {}, {kept} kept in {}{others}",
                plural(gone as u64, "snapshot"),
                pruned.region
            ));
        }
        if !self.has_policy {
            print(
                "  no policy: nothing is deleted\n  hint: --keep-daily …, or rds_keep_daily … in the configuration",
            );
        }
    }
}
