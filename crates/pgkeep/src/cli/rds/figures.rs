//! Figures for CloudWatch where no daemon tells them.

use std::time::{Duration, SystemTime};

use clap::Args;
use pgkeep_cloud::{Account, Metric, backup_metrics, dimensions, snapshot_age};

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
        let dimensions = of_snapshots(database);
        let now = SystemTime::now();
        self.tell(region, &backup_metrics(&dimensions, good, Some(took.as_secs_f64()), None, None, now));
        if good {
            self.age(database, region, Duration::ZERO);
        }
    }

    /// Tells how old the newest snapshot is.
    pub(super) fn age(&self, database: &str, region: &str, age: Duration) {
        self.tell(region, &[snapshot_age(of_snapshots(database), age.as_secs_f64(), SystemTime::now())]);
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

fn of_snapshots(database: &str) -> Vec<(&'static str, String)> {
    dimensions(Some(database), Some("rds-snapshot"))
}
