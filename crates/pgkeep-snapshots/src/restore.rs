//! New instances and clusters out of snapshots and automated backups, and their removal.

use jiff::Timestamp;
use pgkeep_cloud::{CloudErrorKind, Rds, RdsDatabase, RdsKind, RdsSnapshot, RestoreFrom, RestoreInto};

use crate::error::{Result, SnapshotError, SnapshotErrorKind};
use crate::name::taken_of;
use crate::ours::is_ours;
use crate::pace::{Limit, Pace, Windows};
use crate::status::window;

/// Says of an instance that a restore of pgkeep's has made it, and under which name.
const RESTORED: &str = "pgkeep:restored";
/// Says what it was made of.
const SOURCE: &str = "pgkeep:source";

/// What is to be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The newest snapshot that pgkeep has made.
    Newest,
    /// The snapshot of this name, whoever made it.
    Named(String),
    /// The state of this moment, by RDS's automated backups.
    Moment(Timestamp),
    /// The latest state that RDS has.
    Latest,
}

/// What was found to restore from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A snapshot.
    Snapshot(RdsSnapshot),
    /// The database at a moment, or at the latest there is.
    Moment(RdsDatabase, Option<Timestamp>),
}

impl Source {
    /// In words, without a time that changes: two runs for the same say the same.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Source::Snapshot(snapshot) => snapshot.name.clone(),
            Source::Moment(database, Some(at)) => format!("{} at {at}", database.name),
            Source::Moment(database, None) => format!("{} at the latest", database.name),
        }
    }

    fn kind(&self) -> RdsKind {
        match self {
            Source::Snapshot(snapshot) => snapshot.kind,
            Source::Moment(database, _) => database.kind,
        }
    }

    fn engine(&self) -> &str {
        match self {
            Source::Snapshot(snapshot) => &snapshot.engine,
            Source::Moment(database, _) => &database.engine,
        }
    }
}

/// Looks for what is wanted of an instance or a cluster, which may be gone where a snapshot is meant.
///
/// # Errors
/// `Unfit` for a moment that RDS cannot restore, with the moments that it can, or where there is no snapshot; what AWS refuses.
pub fn find(rds: &Rds, database: &str, wanted: &Wanted) -> Result<Source> {
    let unfit = |why: String| SnapshotError::new(SnapshotErrorKind::Unfit, why);
    let at = match wanted {
        Wanted::Newest | Wanted::Named(_) => return find_snapshot(rds, database, wanted),
        Wanted::Moment(at) => Some(*at),
        Wanted::Latest => None,
    };
    let database = rds.database(database)?;
    let what = format!("RDS {} in {}", database.name, rds.region());
    let (Some(earliest), Some(latest)) = window(rds, &database)? else {
        return Err(unfit(format!("{what}: nothing can be restored to a point in time: automated backups are off, or none is made yet"))
            .hint("restore from a snapshot: leave --to and --latest out"));
    };
    if let Some(at) = at.filter(|at| *at < earliest || *at > latest) {
        return Err(unfit(format!(
            "{what}: {at} is not within what can be restored: {earliest} to {latest}"
        ))
        .hint("name a moment within, --latest, or a snapshot"));
    }
    Ok(Source::Moment(database, at))
}

fn find_snapshot(rds: &Rds, database: &str, wanted: &Wanted) -> Result<Source> {
    let database = database.rsplit(':').next().unwrap_or(database);
    let mut all = rds.snapshots_of(RdsKind::Instance, database)?;
    all.extend(rds.snapshots_of(RdsKind::Cluster, database)?);
    let whole = all.iter().filter(|s| s.status == "available");
    let found = match wanted {
        Wanted::Named(name) => whole.filter(|s| s.name == *name).max_by_key(|s| s.created),
        _ => whole.filter(|s| is_ours(s, rds.region()).is_some()).max_by_key(|s| taken_of(&s.name)),
    };
    found.cloned().map(Source::Snapshot).ok_or_else(|| {
        let which = match wanted {
            Wanted::Named(name) => format!("no snapshot {name} of {database} is available"),
            _ => format!("pgkeep has no snapshot of {database}"),
        };
        SnapshotError::new(SnapshotErrorKind::Unfit, format!("{which} in {}", rds.region()))
            .hint("`pgkeep rds snapshot list` shows what there is; other regions by --region")
    })
}

/// What a restore has made.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The new instance or cluster, `available`.
    pub database: RdsDatabase,
    /// Whether an earlier run had begun it.
    pub taken_up: bool,
}

/// Restores into a new instance or cluster and waits until it is available. One that an earlier run has begun of the same
/// source is taken up. A cluster gets one instance, of the class that `into` names.
///
/// # Errors
/// `Foreign` where something else has the name; `Unfit` for a cluster without a class; `Window`; `Failed`; what AWS refuses.
pub fn restore(
    rds: &Rds,
    source: &Source,
    into: &RestoreInto,
    windows: Windows,
    pace: &Pace<'_>,
) -> Result<Restored> {
    let (kind, began) = (source.kind(), pace.now());
    let mut into = into.clone();
    into.tags.insert(RESTORED.into(), into.name.clone());
    into.tags.insert(SOURCE.into(), tag_value(&source.name()));
    if kind == RdsKind::Cluster && into.class.is_none() {
        let why = format!("restore into {}: a cluster's instance needs a class", into.name);
        return Err(SnapshotError::new(SnapshotErrorKind::Unfit, why).hint("--class db.r6g.large, say"));
    }
    let what = format!("restore into {}", into.name);
    let mut taken_up = false;
    let start = Limit::of("start window", windows.start, began);
    pace.until(&what, start, || {
        let from = match source {
            Source::Snapshot(snapshot) => RestoreFrom::Snapshot(snapshot),
            Source::Moment(database, at) => RestoreFrom::Moment(database, at.map(Into::into)),
        };
        match rds.restore(&from, &into) {
            Ok(()) => Ok(Some(())),
            Err(e) if e.kind == CloudErrorKind::Busy => Ok(None),
            Err(e) if e.kind == CloudErrorKind::Exists => {
                taken_up = true;
                let there = rds.database_of(kind, &into.name)?;
                match is_restored(&there, source) {
                    true => Ok(Some(())),
                    false => Err(foreign(rds, &into.name)),
                }
            }
            Err(e) => Err(e.into()),
        }
    })?;
    let limit = Limit::of("completion window", windows.completion, began);
    let database = whole(rds, kind, source.engine(), &into, limit, pace)?;
    Ok(Restored { database, taken_up })
}

/// Takes up an instance or cluster that AWS Backup has restored from `source`: marks it as made by a restore of pgkeep's, so
/// that [`remove`] may delete it, and waits until it is available. A cluster gets an instance where `into` names a class.
///
/// # Errors
/// `Window`; `Failed`; what AWS refuses.
pub fn adopt(
    rds: &Rds,
    kind: RdsKind,
    source: &str,
    into: &RestoreInto,
    windows: Windows,
    pace: &Pace<'_>,
) -> Result<RdsDatabase> {
    let mut into = into.clone();
    into.tags.insert(RESTORED.into(), into.name.clone());
    into.tags.insert(SOURCE.into(), tag_value(source));
    let limit = Limit::of("completion window", windows.completion, pace.now());
    let there = available(rds, kind, &into.name, limit, pace)?;
    rds.tag(&there, &into.tags)?;
    whole(rds, kind, &there.engine, &into, limit, pace)
}

/// The new one once it is available, a cluster with its instance.
fn whole(
    rds: &Rds,
    kind: RdsKind,
    engine: &str,
    into: &RestoreInto,
    limit: Limit,
    pace: &Pace<'_>,
) -> Result<RdsDatabase> {
    let database = available(rds, kind, &into.name, limit, pace)?;
    let (RdsKind::Cluster, Some(class)) = (kind, &into.class) else { return Ok(database) };
    let member = member_of(&into.name);
    pace.until(&format!("instance {member}"), limit, || {
        match rds.add_member(&into.name, &member, engine, class, into) {
            Ok(()) => Ok(Some(())),
            Err(e) if e.kind == CloudErrorKind::Exists => Ok(Some(())),
            Err(e) if e.kind == CloudErrorKind::Busy => Ok(None),
            Err(e) => Err(e.into()),
        }
    })?;
    available(rds, RdsKind::Instance, &member, limit, pace)?;
    Ok(rds.database_of(kind, &into.name)?)
}

/// The name of a restored cluster's instance.
fn member_of(cluster: &str) -> String {
    format!("{cluster}-1")
}

fn is_restored(database: &RdsDatabase, source: &Source) -> bool {
    database.tags.get(RESTORED) == Some(&database.name)
        && database.tags.get(SOURCE) == Some(&tag_value(&source.name()))
}

/// Tags take letters, digits, spaces and `_.:/=+-@`.
fn tag_value(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric() || " _.:/=+-@".contains(*c)).collect()
}

fn foreign(rds: &Rds, name: &str) -> SnapshotError {
    let why = format!(
        "RDS {name} in {}: there is one of this name, and this restore has not made it",
        rds.region()
    );
    SnapshotError::new(SnapshotErrorKind::Foreign, why).hint("take another name: --as")
}

fn available(rds: &Rds, kind: RdsKind, name: &str, limit: Limit, pace: &Pace<'_>) -> Result<RdsDatabase> {
    let what = format!("RDS {name} in {}", rds.region());
    pace.until(&what, limit, || {
        let now = rds.database_of(kind, name)?;
        pace.tell(name, &now.status, None);
        let status = now.status.as_str();
        match status {
            "available" if now.endpoint.is_some() => Ok(Some(now)),
            s if ["failed", "restore-error", "storage-full", "deleting"].contains(&s)
                || s.starts_with("incompatible-")
                || s.starts_with("inaccessible-")
                || s == "insufficient-capacity" =>
            {
                let why = format!("{what}: the restore came to the state \"{s}\"");
                Err(SnapshotError::new(SnapshotErrorKind::Failed, why).hint(
                    "its events in RDS's console tell why; remove it (pgkeep rds snapshot remove) before another try",
                ))
            }
            _ => Ok(None),
        }
    })
}

/// Deletes an instance or cluster that a restore of pgkeep's has made, and waits until it is gone. Nothing of it is kept.
///
/// # Errors
/// `Foreign` for one that pgkeep has not made; `Window`; what AWS refuses.
pub fn remove(rds: &Rds, name: &str, windows: Windows, pace: &Pace<'_>) -> Result<()> {
    let database = rds.database(name)?;
    let is_made = |d: &RdsDatabase, name: &str| d.tags.get(RESTORED).is_some_and(|made| made == name);
    if !is_made(&database, &database.name) {
        let why = format!("RDS {name} in {}: no restore of pgkeep's has made it", rds.region());
        return Err(SnapshotError::new(SnapshotErrorKind::Foreign, why)
            .hint("pgkeep deletes only what has the tag pgkeep:restored with its own name"));
    }
    let limit = Limit::of("completion window", windows.completion, pace.now());
    for member in &database.members {
        if !is_made(&rds.database_of(RdsKind::Instance, member)?, &database.name) {
            let why = format!("RDS {name} in {}: its instance {member} was added by others", rds.region());
            return Err(SnapshotError::new(SnapshotErrorKind::Foreign, why).hint("delete that first"));
        }
    }
    for member in &database.members {
        gone(rds, RdsKind::Instance, member, limit, pace)?;
    }
    gone(rds, database.kind, &database.name, limit, pace)
}

fn gone(rds: &Rds, kind: RdsKind, name: &str, limit: Limit, pace: &Pace<'_>) -> Result<()> {
    let mut ordered = false;
    pace.until(&format!("removal of {name}"), limit, || {
        let status = match rds.database_of(kind, name) {
            Ok(now) => now.status,
            Err(e) if e.kind == CloudErrorKind::NotFound => return Ok(Some(())),
            Err(e) => return Err(e.into()),
        };
        pace.tell(name, &status, None);
        if !ordered && status != "deleting" {
            match rds.delete_database(kind, name) {
                Ok(()) => ordered = true,
                Err(e) if e.kind == CloudErrorKind::Busy => {}
                Err(e) if e.kind == CloudErrorKind::NotFound => return Ok(Some(())),
                Err(e) => return Err(e.into()),
            }
        }
        Ok(None)
    })
}
