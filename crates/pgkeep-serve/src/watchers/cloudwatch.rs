//! CloudWatch.
//!
//! Each figure comes with the dimension `Database`, those of RDS's snapshots with `Kind` beside it; successes, failures,
//! durations and the age of the newest backup also without one, for alarms about all of them.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use pgkeep_cloud::{Account, Metric, Unit, backup_metrics, dimensions, snapshot_age};

use crate::error::Result;
use crate::fleet::TaskKind;
use crate::history::{History, RunFilter};
use crate::run::{PointState, RecoveryPoint, Run, RunState};
use crate::shared::Shared;
use crate::watch::Watcher;

/// How often ages are told, and what was not taken is sent again.
const EVERY: Duration = Duration::from_secs(5 * 60);
/// What is kept for a CloudWatch that does not answer, the newest of it.
const KEPT: usize = 20_000;
/// Under this heading it stands in the daemon's status that figures are not taken.
const PROBLEM: &str = "cloudwatch";
/// The value of the second dimension, `Kind`, of what is told of RDS's snapshots, which are no backups of pgkeep's.
const SNAPSHOT: &str = "rds-snapshot";
/// And of the recovery points of AWS Backup.
const VAULT: &str = "aws-backup";
/// The longest wait for the last figures.
const LAST: Duration = Duration::from_secs(10);

/// Sends figures from a thread of its own.
#[derive(Debug)]
pub struct CloudWatch {
    /// `None` when it has ended.
    queue: Mutex<Option<Sender<Vec<Metric>>>>,
    ended: Mutex<Receiver<()>>,
}

impl CloudWatch {
    /// Begins. The region is AWS's own where none is given.
    ///
    /// # Errors
    /// The thread's.
    pub fn start(
        region: Option<String>,
        namespace: String,
        shared: &Arc<Shared>,
    ) -> std::io::Result<CloudWatch> {
        let (queue, figures) = channel();
        let (ends, ended) = channel::<()>();
        let shared = Arc::downgrade(shared);
        std::thread::Builder::new().name("pgkeep-cloudwatch".into()).spawn(move || {
            let _ends = ends;
            send(&figures, region.as_deref(), &namespace, &shared);
        })?;
        Ok(CloudWatch { queue: Mutex::new(Some(queue)), ended: Mutex::new(ended) })
    }
}

impl Watcher for CloudWatch {
    fn run_ended(&self, run: &Run) {
        if let Some(queue) = &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            // A thread that has ended by itself is a bug, and no reason to stop making backups.
            let _ = queue.send(of_run(run));
        }
    }

    fn end(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let _ = self.ended.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(LAST);
    }
}

fn send(figures: &Receiver<Vec<Metric>>, region: Option<&str>, namespace: &str, shared: &Weak<Shared>) {
    let mut waiting: Vec<Metric> = Vec::new();
    let mut next_ages = Instant::now();
    loop {
        let came = figures.recv_timeout(next_ages.saturating_duration_since(Instant::now()));
        waiting.extend(came.as_ref().ok().into_iter().flatten().cloned());
        waiting.extend(figures.try_iter().flatten());
        if came == Err(RecvTimeoutError::Timeout) {
            next_ages = Instant::now() + EVERY;
            let points = shared.upgrade().and_then(|shared| shared.history.points(None).ok());
            waiting.extend(ages(&points.unwrap_or_default(), Timestamp::now()));
            let snapshots = shared.upgrade().and_then(|shared| snapshots(&shared.history).ok());
            waiting.extend(snapshot_ages(&snapshots.unwrap_or_default(), Timestamp::now()));
        }
        if !waiting.is_empty() {
            let sent = Account::open(region).and_then(|account| account.put_metrics(namespace, &waiting));
            match &sent {
                Ok(()) => waiting.clear(),
                Err(e) => {
                    tracing::warn!(error = e.to_string(), "CloudWatch does not take figures");
                    waiting.drain(..waiting.len().saturating_sub(KEPT));
                }
            }
            if let Some(shared) = shared.upgrade() {
                shared.set_problem(PROBLEM, sent.err().map(|e| format!("CloudWatch: {e}")));
            }
        }
        if came == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

/// The figures of a run that is over.
fn of_run(run: &Run) -> Vec<Metric> {
    let at: SystemTime = run.finished.unwrap_or(run.scheduled).into();
    let kind = match run.kind {
        TaskKind::Rds => Some(SNAPSHOT),
        TaskKind::Vault => Some(VAULT),
        _ => None,
    };
    let dimensions = dimensions(run.database.as_deref(), kind);
    let metric = |name, unit, value| Metric { name, unit, value, dimensions: dimensions.clone(), at };
    let seconds =
        run.started.zip(run.finished).map(|(began, ended)| ended.duration_since(began).as_secs_f64());
    let figure = |key: &str| run.result.as_ref().and_then(|result| result[key].as_f64());
    let good = matches!(run.state, RunState::Completed | RunState::Degraded);
    if !good && run.state != RunState::Failed {
        return Vec::new();
    }
    let mut metrics = Vec::new();
    match run.kind {
        TaskKind::Backup | TaskKind::Rds => {
            metrics.extend(backup_metrics(&dimensions, good, seconds, figure("size"), figure("rows"), at));
        }
        TaskKind::Drill => {
            let proven = run.state == RunState::Completed;
            metrics.push(metric("DrillFailure", Unit::Count, if proven { 0.0 } else { 1.0 }));
            metrics.extend(seconds.map(|s| metric("DrillDuration", Unit::Seconds, s)));
        }
        TaskKind::Vault => {
            metrics.extend(figure("newest_age_seconds").map(|age| snapshot_age(dimensions, age, at)));
        }
        _ => {}
    }
    metrics
}

/// Hours since each database's newest backup and newest proof; the oldest of the newest backups without a dimension.
fn ages(points: &[RecoveryPoint], now: Timestamp) -> Vec<Metric> {
    let hours = |then: Timestamp| now.duration_since(then).as_secs_f64() / 3600.0;
    let metric = |name, value, database: Option<&str>| Metric {
        name,
        unit: Unit::None,
        value,
        dimensions: database.map(|name| ("Database", name.to_owned())).into_iter().collect(),
        at: now.into(),
    };
    let mut names: Vec<&str> = points.iter().map(|p| p.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut metrics = Vec::new();
    let mut oldest: Option<f64> = None;
    for name in names {
        let there = || points.iter().filter(|p| p.name == name && p.state != PointState::Deleted);
        if let Some(age) = there().map(|p| p.started).max().map(hours) {
            metrics.push(metric("SnapshotAge", age, Some(name)));
            oldest = Some(oldest.map_or(age, |other| other.max(age)));
        }
        let proven = there().filter_map(|p| p.proven).max().map(hours);
        metrics.extend(proven.map(|age| metric("ProvenAge", age, Some(name))));
    }
    metrics.extend(oldest.map(|age| metric("SnapshotAge", age, None)));
    metrics
}

/// The newest snapshot of each database that RDS has made by us.
fn snapshots(history: &History) -> Result<BTreeMap<String, Timestamp>> {
    let filter = RunFilter { kind: Some(TaskKind::Rds), over: Some(true), ..RunFilter::default() };
    let mut newest = BTreeMap::new();
    for run in history.runs(&filter)? {
        let taken = run.result.as_ref().and_then(|r| r["taken"].as_str()?.parse::<Timestamp>().ok());
        if let (Some(database), Some(taken)) = (run.database, taken) {
            let known = newest.entry(database).or_insert(taken);
            *known = taken.max(*known);
        }
    }
    Ok(newest)
}

fn snapshot_ages(newest: &BTreeMap<String, Timestamp>, now: Timestamp) -> Vec<Metric> {
    let metric = |(database, taken): (&String, &Timestamp)| {
        let age = now.duration_since(*taken).as_secs_f64();
        snapshot_age(dimensions(Some(database), Some(SNAPSHOT)), age, now.into())
    };
    newest.iter().map(metric).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A run that is over, of which CloudWatch is told: name, dimensions, value.
    fn told(
        kind: TaskKind,
        database: Option<&str>,
        state: RunState,
        result: serde_json::Value,
    ) -> Vec<String> {
        let at: Timestamp = "2026-11-24T03:00:00Z".parse().unwrap();
        let run = Run {
            id: crate::run::RunId("r".into()),
            task: "t".into(),
            kind,
            database: database.map(Into::into),
            trigger: crate::run::RunTrigger::Schedule,
            by: None,
            scheduled: at,
            attempt: 1,
            state,
            started: Some(at),
            finished: Some(at + Duration::from_secs(90)),
            exit_code: None,
            error_kind: None,
            error: None,
            backup: None,
            result: Some(result),
            command: String::new(),
            log: None,
        };
        let words = |m: Metric| format!("{} {:?} {}", m.name, m.dimensions, m.value);
        of_run(&run).into_iter().map(words).collect()
    }

    #[test]
    fn snapshots_of_rds_and_aws_backup_have_a_kind_beside_the_database() {
        let made = told(TaskKind::Rds, Some("shop"), RunState::Completed, serde_json::json!({}));
        let of_it = "[(\"Database\", \"shop\"), (\"Kind\", \"rds-snapshot\")]";
        assert!(made.contains(&format!("BackupSuccess {of_it} 1")), "{made:?}");
        assert!(made.contains(&format!("BackupDuration {of_it} 90")), "{made:?}");
        assert!(made.contains(&"BackupFailure [] 0".to_owned()), "{made:?}");
        // Findings make the run fail, and the age is told all the same.
        let vault = serde_json::json!({ "newest_age_seconds": 7200 });
        let looked = told(TaskKind::Vault, None, RunState::Failed, vault);
        assert_eq!(looked, ["SnapshotAge [(\"Kind\", \"aws-backup\")] 2"]);
    }

    fn point(name: &str, hour: i64, proven: Option<i64>, state: PointState) -> RecoveryPoint {
        let at = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
        RecoveryPoint {
            name: name.into(),
            id: hour.to_string(),
            state,
            started: at(hour),
            finished: at(hour),
            size: 1,
            rows: 1,
            proven: proven.map(at),
            drill_failed: None,
            held: false,
            stores: Vec::new(),
            missing: Vec::new(),
        }
    }

    #[test]
    fn ages_are_hours_of_the_newest_that_is_there_and_the_oldest_of_these_for_all() {
        let points = [
            point("shop", 10, Some(12), PointState::Stored),
            point("shop", 15, None, PointState::Stored),
            point("shop", 19, Some(19), PointState::Deleted),
            point("crm", 2, None, PointState::Expired),
        ];
        let told: Vec<(&str, Option<String>, f64)> =
            ages(&points, Timestamp::from_second(20 * 3600).unwrap())
                .into_iter()
                .map(|m| (m.name, m.dimensions.into_iter().next().map(|(_, value)| value), m.value))
                .collect();
        let of = |name: &str| Some(name.to_owned());
        let wanted = [
            ("SnapshotAge", of("crm"), 18.0),
            ("SnapshotAge", of("shop"), 5.0),
            ("ProvenAge", of("shop"), 8.0),
            ("SnapshotAge", None, 18.0),
        ];
        assert_eq!(told, wanted);
    }
}
