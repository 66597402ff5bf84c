//! `pgkeep vault`.

mod apply;
mod cost;
mod points;
mod restore;
mod start;
mod status;

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use pgkeep_cloud::Account;
use pgkeep_cloud::backup::{Backup, RecoveryPoint};
use pgkeep_vault::{Desired, Settings};

use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::show::warn;

pub(super) use points::{json_of as point_json, points_of, show as show_points};

/// Options of `vault`.
#[derive(Parser)]
pub(super) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show what `apply` would do: make, change, nothing
    Plan(apply::PlanOptions),
    /// Make vault, role, plan and selection as the configuration says
    Apply(apply::Options),
    /// Tell how the plan is doing: jobs, recovery points, what is wrong
    Status(status::Options),
    /// List recovery points
    RecoveryPoints(points::Options),
    /// Restore a recovery point, or a moment, into a new instance or cluster
    Restore(Box<restore::Options>),
    /// Back up a resource now
    Backup(start::BackupOptions),
    /// Copy a recovery point into another vault
    Copy(start::CopyOptions),
    /// Compute what the plan costs in a month
    Cost(cost::Options),
}

impl Options {
    pub(super) fn json(&self) -> bool {
        match &self.action {
            Action::Plan(o) => o.json,
            Action::Apply(o) => o.json,
            Action::Status(o) => o.json,
            Action::RecoveryPoints(o) => o.json,
            Action::Restore(o) => o.json,
            Action::Backup(o) => o.json,
            Action::Copy(o) => o.json,
            Action::Cost(o) => o.json,
        }
    }
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    match &options.action {
        Action::Plan(options) => apply::plan(options, config),
        Action::Apply(options) => apply::run(options, config),
        Action::Status(options) => status::run(options, config),
        Action::RecoveryPoints(options) => points::run(options, config),
        Action::Restore(options) => restore::run(options, config),
        Action::Backup(options) => start::backup(options, config),
        Action::Copy(options) => start::copy(options, config),
        Action::Cost(options) => cost::run(options, config),
    }
}

/// What the configuration says of AWS Backup.
struct Wanted {
    settings: Settings,
    desired: Desired,
}

impl Wanted {
    fn of(config: &Config) -> Result<Wanted> {
        let Some(settings) = config.aws_backup.clone() else {
            return Err(Failure::usage(
                "the configuration says nothing of AWS Backup\n  hint: write [aws_backup] with name, preset = \"prod\" and \
                 resources into pgkeep.toml; `pgkeep config schema` has all keys",
            ));
        };
        let checked = settings.check();
        if !checked.wrong.is_empty() {
            return Err(Failure::usage(format!("[aws_backup]: {}", checked.wrong.join("\n[aws_backup]: "))));
        }
        for words in checked.notes {
            warn(format!("pgkeep: note: [aws_backup]: {words}"));
        }
        let desired = settings.desired();
        Ok(Wanted { settings, desired })
    }

    fn account(&self) -> Result<Account> {
        Ok(Account::open(self.settings.region.as_deref())?)
    }

    fn open(&self) -> Result<Backup> {
        Ok(self.account()?.backup())
    }

    /// The role by which jobs are started.
    fn role(&self, backup: &Backup) -> Result<String> {
        match &self.desired.role {
            pgkeep_vault::DesiredRole::Given(arn) => Ok(arn.clone()),
            pgkeep_vault::DesiredRole::Made(name) => {
                backup.role(name)?.map(|role| role.arn).ok_or_else(|| {
                    Failure::usage(format!("role {name} is not there yet\n  hint: pgkeep vault apply"))
                })
            }
        }
    }

    /// One recovery point, by its ARN, the end of it, or the resource whose newest it is.
    fn point(&self, backup: &Backup, word: &str) -> Result<RecoveryPoint> {
        let points = backup.recovery_points(&self.desired.vault, None)?;
        let stored =
            |p: &&RecoveryPoint| pgkeep_vault::state_of_point(&p.status) == pgkeep_vault::PointState::Stored;
        let of_resource =
            |p: &RecoveryPoint| p.resource == word || p.resource.rsplit(':').next() == Some(word);
        let mut named: Vec<&RecoveryPoint> =
            points.iter().filter(|p| p.arn == word || p.arn.rsplit(':').next() == Some(word)).collect();
        if named.is_empty() {
            named = points.iter().filter(stored).filter(|p| of_resource(p)).take(1).collect();
        }
        match named[..] {
            [point] => Ok(point.clone()),
            _ => Err(Failure::usage(format!(
                "{word}: vault {} has no recovery point of this name, and none of a resource of this name\n  hint: pgkeep vault \
                 recovery-points lists them",
                self.desired.vault
            ))),
        }
    }
}

/// Seconds since 1970 as a time.
fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or_default()
}

/// What tells AWS that two requests are one: the SDK sends a request again whose answer was lost.
fn token() -> String {
    format!("pgkeep-{}-{}", Timestamp::now().as_nanosecond(), std::process::id())
}
