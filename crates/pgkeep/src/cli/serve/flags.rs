//! Schedules on the command line and in the configuration.

use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;
use pgkeep_keep::retention::Policy;
use pgkeep_schedule::Schedule;
use pgkeep_serve::{Retries, TaskKind, Windows};

use crate::failure::{Failure, Result};

/// When what is done of a database.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Schedule")]
pub(crate) struct ScheduleFlags {
    /// When it is backed up: rate(3 hours), cron(0 2 * * ? *), a cron line such as "0 2 * * *", @daily
    #[arg(long, value_name = "WHEN", value_parser = when)]
    schedule: Option<String>,
    /// When its newest backup is drilled
    #[arg(long, value_name = "WHEN", value_parser = when)]
    drill_schedule: Option<String>,
    /// When the hashes of all its backups are checked, in every store
    #[arg(long, value_name = "WHEN", value_parser = when)]
    verify_schedule: Option<String>,
    /// When its backups are pruned; in [defaults]: when all stores are
    #[arg(long, value_name = "WHEN", value_parser = when)]
    prune_schedule: Option<String>,
    /// When copies that its stores lack are made; in [defaults]: those of all databases
    #[arg(long, value_name = "WHEN", value_parser = when)]
    sync_schedule: Option<String>,
    /// When RDS makes a snapshot of it, as `pgkeep rds snapshot create` does
    #[arg(long, value_name = "WHEN", value_parser = when)]
    rds_snapshot_schedule: Option<String>,
    /// When it is looked how AWS Backup does, as `pgkeep vault status` does; in [defaults]
    #[arg(long, value_name = "WHEN", value_parser = when)]
    vault_schedule: Option<String>,
    /// The zone of the schedules' times and of retention's days, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    time_zone: Option<TimeZone>,
    /// A run that has not begun within this after its time fails, such as 1h
    #[arg(long, value_name = "TIME", value_parser = time)]
    start_window: Option<Duration>,
    /// A run that has not ended within this after its time is stopped and fails
    #[arg(long, value_name = "TIME", value_parser = time)]
    completion_window: Option<Duration>,
    /// Begin up to this later, always the same for the same task, so that not everything begins at once
    #[arg(long, value_name = "TIME", value_parser = time)]
    jitter: Option<Duration>,
    /// How often a failure that may pass is tried again
    #[arg(long, value_name = "N", default_value_t = 3)]
    retries: u32,
    /// Wait before the first further try; it doubles for each one after it, up to 30 minutes
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = time)]
    retry_wait: Duration,
}

impl ScheduleFlags {
    /// The schedule of a kind of task.
    pub(super) fn of(&self, kind: TaskKind) -> Result<Option<Schedule>> {
        let text = match kind {
            TaskKind::Backup => &self.schedule,
            TaskKind::Drill => &self.drill_schedule,
            TaskKind::Verify => &self.verify_schedule,
            TaskKind::Prune => &self.prune_schedule,
            TaskKind::Sync => &self.sync_schedule,
            TaskKind::Rds => &self.rds_snapshot_schedule,
            TaskKind::Vault => &self.vault_schedule,
            TaskKind::Restore => &None,
        };
        let zone = self.time_zone.clone().unwrap_or(TimeZone::UTC);
        text.as_deref()
            .map(|text| Schedule::parse(text, zone).map_err(|e| Failure::usage(e.to_string())))
            .transpose()
    }

    pub(super) fn windows(&self) -> Windows {
        Windows { start: self.start_window, completion: self.completion_window }
    }

    pub(super) fn jitter(&self) -> Duration {
        self.jitter.unwrap_or_default()
    }

    pub(super) fn retries(&self) -> Retries {
        Retries { count: self.retries, first_wait: self.retry_wait, ..Retries::default() }
    }
}

/// A schedule's text, looked at.
fn when(text: &str) -> Result<String, String> {
    Schedule::parse(text, TimeZone::UTC).map(|_| text.to_owned()).map_err(|e| e.to_string())
}

fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| "no such zone: write it like Europe/Berlin".to_owned())
}

/// A length of time such as 30s, 90m or 1d.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let length = Policy::interval_of(text)?.unwrap_or_default();
    Duration::try_from(length).map_err(|e| e.to_string())
}

/// A number above 0.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "a number above 0".to_owned())
}
