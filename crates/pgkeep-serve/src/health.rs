//! How well each database is kept: what the overview shows and metrics tell.

mod problems;

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::Serialize;

use crate::error::Result;
use crate::fleet::{Member, Task, TaskKind};
use crate::history::RunFilter;
use crate::run::{PointState, RecoveryPoint, Run, RunState};
use crate::shared::Shared;
pub(crate) use problems::split_hint;
pub use problems::{Problem, Severity};

/// How many of a database's last backups a trend has.
const TREND: usize = 40;

/// One database.
#[derive(Debug, Clone, Serialize)]
pub struct Health {
    /// Its name.
    pub database: String,
    /// Whether it is marked as production.
    pub production: bool,
    /// Its newest backup.
    pub newest: Option<RecoveryPoint>,
    /// The newest backup that a drill proved and none found wrong since.
    pub proven: Option<RecoveryPoint>,
    /// Backups that are there.
    pub stored: usize,
    /// The last run of each kind of task that is over.
    pub last: BTreeMap<TaskKind, Run>,
    /// Runs that are due or run now.
    pub running: Vec<Run>,
    /// When each kind of task runs next.
    pub next: BTreeMap<TaskKind, Timestamp>,
    /// The time since which a backup should have come.
    pub overdue_since: Option<Timestamp>,
    /// What is wrong, the worst first.
    pub problems: Vec<Problem>,
    /// Its last backups, oldest first, deleted ones among them.
    #[serde(skip)]
    pub trend: Vec<RecoveryPoint>,
}

impl Health {
    /// Every database of the fleet, in its order.
    ///
    /// # Errors
    /// The state's.
    pub fn of_all(shared: &Shared, now: Timestamp) -> Result<Vec<Health>> {
        let fleet = shared.fleet();
        let mut points: HashMap<String, Vec<RecoveryPoint>> = HashMap::new();
        for point in shared.history.points(None)? {
            points.entry(point.name.clone()).or_default().push(point);
        }
        let mut last: HashMap<String, Vec<Run>> = HashMap::new();
        for run in shared.history.last_runs()? {
            last.entry(run.database.clone().unwrap_or_default()).or_default().push(run);
        }
        let mut open: HashMap<String, Vec<Run>> = HashMap::new();
        for run in shared.history.runs(&RunFilter { over: Some(false), ..RunFilter::default() })? {
            open.entry(run.database.clone().unwrap_or_default()).or_default().push(run);
        }
        let health = |member: &Member| {
            let name = member.name.as_str();
            let tasks: Vec<&Task> =
                fleet.tasks.iter().filter(|t| t.database.as_deref() == Some(name)).collect();
            let taken = |of: &mut HashMap<String, Vec<Run>>| of.remove(name).unwrap_or_default();
            let points = points.remove(name).unwrap_or_default();
            let backup = tasks.iter().find(|t| t.kind == TaskKind::Backup);
            let overdue_since = backup.map(|t| shared.history.overdue(t, now)).transpose()?.flatten();
            let mut next = BTreeMap::new();
            for task in &tasks {
                next.extend(shared.history.next_run(task, now)?.map(|at| (task.kind, at.max(now))));
            }
            let known =
                Known { points, last: taken(&mut last), running: taken(&mut open), next, overdue_since };
            Ok(Health::of(member, &tasks, known))
        };
        fleet.members.iter().map(health).collect()
    }

    /// The worst of its problems.
    pub fn severity(&self) -> Option<Severity> {
        self.problems.iter().map(|p| p.severity).max()
    }

    fn of(member: &Member, tasks: &[&Task], known: Known) -> Health {
        let Known { points, last, running, next, overdue_since } = known;
        let kept: Vec<&RecoveryPoint> = points.iter().filter(|p| p.state != PointState::Deleted).collect();
        let is_proven = |p: &RecoveryPoint| p.proven.is_some() && p.drill_failed <= p.proven;
        let newest = kept.first().map(|p| (*p).clone());
        let mut health = Health {
            database: member.name.clone(),
            production: member.production,
            proven: kept.iter().find(|p| is_proven(p)).map(|p| (*p).clone()),
            stored: kept.len(),
            last: last.into_iter().filter(|r| r.state != RunState::Skipped).map(|r| (r.kind, r)).collect(),
            running,
            next,
            overdue_since,
            problems: Vec::new(),
            trend: points.iter().take(TREND).rev().cloned().collect(),
            newest,
        };
        health.problems = problems::of(&health, tasks);
        health
    }
}

/// What the state knows of a database.
struct Known {
    /// The newest first.
    points: Vec<RecoveryPoint>,
    last: Vec<Run>,
    running: Vec<Run>,
    next: BTreeMap<TaskKind, Timestamp>,
    overdue_since: Option<Timestamp>,
}
