//! Figures for CloudWatch where no daemon tells them.

use std::time::{Duration, SystemTime};

use clap::Args;
use pgkeep_cloud::{Account, Metric, Unit};

use crate::show::warn;

/// Where figures go.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct FigureFlags {
    /// Tell CloudWatch, under this namespace: BackupSuccess, BackupFailure, BackupDuration, SnapshotAge
    #[arg(long, value_name = "NAMESPACE", help_heading = "RDS")]
    metrics: Option<String>,
}

impl FigureFlags {
    /// Tells what came of a snapshot, also without dimensions for alarms about all of them.
    pub(super) fn made(&self, database: &str, region: &str, good: bool, took: Duration) {
        let count = |is: bool| if is { 1.0 } else { 0.0 };
        let figures = [
            ("BackupSuccess", Unit::Count, count(good)),
            ("BackupFailure", Unit::Count, count(!good)),
            ("BackupDuration", Unit::Seconds, took.as_secs_f64()),
        ];
        let of_it = figures.map(|(name, unit, value)| metric(name, unit, value, Some(database)));
        let of_all = figures.map(|(name, unit, value)| metric(name, unit, value, None));
        self.tell(region, &[of_it, of_all].concat());
        if good {
            self.age(database, region, Duration::ZERO);
        }
    }

    /// Tells how old the newest snapshot is.
    pub(super) fn age(&self, database: &str, region: &str, age: Duration) {
        self.tell(region, &[metric("SnapshotAge", Unit::None, age.as_secs_f64() / 3600.0, Some(database))]);
    }

    /// A figure that is not taken fails no snapshot.
    fn tell(&self, region: &str, metrics: &[Metric]) {
        let Some(namespace) = &self.metrics else { return };
        let told = Account::open(Some(region)).and_then(|account| account.put_metrics(namespace, metrics));
        if let Err(e) = told {
            warn(format!("pgkeep: note: CloudWatch is not told: {e}"));
        }
    }
}

/// As the daemon's are (`pgkeep-serve`, `watchers/cloudwatch.rs`).
fn metric(name: &'static str, unit: Unit, value: f64, database: Option<&str>) -> Metric {
    let of = |database: &str| vec![("Database", database.to_owned()), ("Kind", "rds-snapshot".to_owned())];
    Metric { name, unit, value, dimensions: database.map(of).unwrap_or_default(), at: SystemTime::now() }
}
