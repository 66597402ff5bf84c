//! How an instance or a cluster is kept by RDS and by us.

use jiff::{SignedDuration, Timestamp};
use pgkeep_cloud::{Rds, RdsDatabase, RdsKind, RdsSnapshot};
use pgkeep_keep::retention::coarse;

use crate::error::Result;
use crate::name::taken_of;
use crate::ours::of_database;

/// RDS ships logs every five minutes (RDS User Guide, "Restoring to a specified time"); it is late by then.
const LATE: SignedDuration = SignedDuration::from_mins(60);

/// What is known.
#[derive(Debug, Clone)]
pub struct Status {
    /// The database, with what RDS says of its automated backups.
    pub database: RdsDatabase,
    /// The earliest moment that it can be restored to.
    pub earliest: Option<Timestamp>,
    /// The latest.
    pub latest: Option<Timestamp>,
    /// Our snapshots that are available.
    pub snapshots: usize,
    /// The newest of these.
    pub newest: Option<(RdsSnapshot, Timestamp)>,
    /// What keeps one from sleeping well.
    pub findings: Vec<Finding>,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A word for programs.
    pub kind: &'static str,
    /// In words, with what to do.
    pub words: String,
}

/// Looks at an instance or a cluster; a newest snapshot that is older than `expected` is a finding.
///
/// # Errors
/// What AWS refuses.
pub fn status(rds: &Rds, name: &str, expected: Option<SignedDuration>, now: Timestamp) -> Result<Status> {
    let database = rds.database(name)?;
    let (earliest, latest) = window(rds, &database)?;
    let all = rds.snapshots_of(database.kind, &database.name)?;
    let ours: Vec<&RdsSnapshot> =
        of_database(&all, &database.resource, rds.region()).filter(|s| s.status == "available").collect();
    let newest =
        ours.iter().filter_map(|s| Some(((*s).clone(), taken_of(&s.name)?))).max_by_key(|(_, at)| *at);
    let findings = findings(&database, newest.as_ref().map(|(_, at)| *at), latest, expected, now);
    Ok(Status { earliest, latest, snapshots: ours.len(), newest, findings, database })
}

/// From when to when a point in time can be restored.
pub(crate) fn window(rds: &Rds, database: &RdsDatabase) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
    let stamp = |at: Option<std::time::SystemTime>| at.and_then(|at| Timestamp::try_from(at).ok());
    let earliest = match database.kind {
        RdsKind::Instance if database.retention_days > 0 => rds.earliest_restorable(database)?,
        _ => database.earliest,
    };
    Ok((stamp(earliest), stamp(database.latest)))
}

fn findings(
    database: &RdsDatabase,
    newest: Option<Timestamp>,
    latest: Option<Timestamp>,
    expected: Option<SignedDuration>,
    now: Timestamp,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut find = |kind, words: String| found.push(Finding { kind, words });
    // A replica of PostgreSQL can have automated backups of its own, and mostly has none on purpose.
    if database.retention_days == 0 && database.replica_of.is_none() {
        let words = "automated backups are off (retention of 0 days): there is no restore to a point in time; set it to 7 days \
                     or more";
        find("no-automated-backups", words.into());
    }
    if let Some(behind) = latest.map(|at| now.duration_since(at)).filter(|b| *b > LATE) {
        let words =
            format!("the latest restorable time is {} ago: RDS has shipped no logs since", coarse(behind));
        find("logs-late", words);
    }
    match (newest, expected) {
        (None, _) => {
            find("no-snapshot", "pgkeep has made no snapshot of it: pgkeep rds snapshot create".into())
        }
        (Some(at), Some(expected)) if now.duration_since(at) > expected => {
            let age = coarse(now.duration_since(at));
            find(
                "overdue",
                format!("its newest snapshot is {age} old, and one is expected every {}", coarse(expected)),
            );
        }
        _ => {}
    }
    if database.status != "available" {
        find("state", format!("its status is \"{}\"", database.status));
    }
    found
}
