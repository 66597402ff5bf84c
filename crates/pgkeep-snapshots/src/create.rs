//! Making a snapshot.

use jiff::Timestamp;
use pgkeep_cloud::{CloudErrorKind, Rds, RdsDatabase, RdsKind, RdsSnapshot, Tags};

use crate::error::{Result, SnapshotError, SnapshotErrorKind};
use crate::name::name_of;
use crate::ours::{is_ours, of_database, tags_for};
use crate::pace::{Limit, Pace, Windows};

/// What is wanted.
#[derive(Debug, Clone)]
pub struct CreateOrder {
    /// The moment that the name is made of. Two orders of one moment make one snapshot.
    pub at: Timestamp,
    /// How late it may begin and end.
    pub windows: Windows,
    /// Tags beside pgkeep's own.
    pub tags: Tags,
}

/// A snapshot that is there.
#[derive(Debug, Clone)]
pub struct Created {
    /// What it is of.
    pub database: RdsDatabase,
    /// The snapshot, `available`.
    pub snapshot: RdsSnapshot,
    /// Whether an earlier run had begun it.
    pub taken_up: bool,
}

/// Makes a snapshot of the instance or cluster of this name and waits until it is available. One that an earlier run has
/// begun and nobody awaited is taken up instead.
///
/// # Errors
/// `Unfit` for a database in a state in which none can be made; `Window`; `Failed`, `Gone`; `Foreign` where somebody else's
/// has its name; what AWS refuses.
pub fn create(rds: &Rds, name: &str, order: &CreateOrder, pace: &Pace<'_>) -> Result<Created> {
    let began = pace.now();
    let database = rds.database(name)?;
    if let (RdsKind::Instance, Some(cluster)) = (database.kind, &database.cluster) {
        let why = format!(
            "RDS {name} in {}: it is a member of the cluster {cluster}, whose storage it has no part of its own of",
            rds.region()
        );
        let hint = format!("name the cluster: pgkeep rds snapshot create {cluster}");
        return Err(SnapshotError::new(SnapshotErrorKind::Unfit, why).hint(&hint));
    }
    let completion = Limit::of("completion window", order.windows.completion, began);
    let all = rds.snapshots_of(database.kind, &database.name)?;
    let begun = of_database(&all, &database.resource, rds.region()).find(|s| s.status == "creating");
    if let Some(begun) = begun {
        let snapshot = available(rds, begun, completion, pace)?;
        return Ok(Created { database, snapshot, taken_up: true });
    }
    let wanted = name_of(database.kind, &database.name, order.at);
    let start = Limit::of("start window", order.windows.start, began);
    let mut taken_up = false;
    let begun = pace.until(&wanted, start, || {
        let database = rds.database(&database.name)?;
        if !is_ready(rds, &database)? {
            pace.tell(&wanted, &format!("waits: {} is {}", database.name, database.status), None);
            return Ok(None);
        }
        let tags = tags_for(&database, &wanted, rds.region(), &order.tags);
        match rds.create_snapshot(&database, &wanted, &tags) {
            Ok(begun) => Ok(Some(begun)),
            Err(e) if e.kind == CloudErrorKind::Busy => Ok(None),
            Err(e) if e.kind == CloudErrorKind::Exists => {
                let there = rds.snapshot(database.kind, &wanted)?;
                taken_up = true;
                adopted(rds, there, &database.resource)
            }
            Err(e) => Err(e.into()),
        }
    })?;
    let snapshot = available(rds, &begun, completion, pace)?;
    Ok(Created { database, snapshot, taken_up })
}

/// What has the name already is what is wanted, where it is ours: the answer to an earlier call was lost. One that failed is
/// put out of the way.
pub(crate) fn adopted(rds: &Rds, there: RdsSnapshot, resource: &str) -> Result<Option<RdsSnapshot>> {
    if is_ours(&there, rds.region()) != Some(resource) {
        let why = format!(
            "snapshot {} in {}: there is one of this name that pgkeep has not made",
            there.name,
            rds.region()
        );
        return Err(
            SnapshotError::new(SnapshotErrorKind::Foreign, why).hint("look at it, and rename or delete it")
        );
    }
    if there.status == "failed" {
        rds.delete_snapshot(&there)?;
        return Ok(None);
    }
    Ok(Some(there))
}

/// Waits until a snapshot or a copy is available.
pub(crate) fn available(
    rds: &Rds,
    begun: &RdsSnapshot,
    limit: Limit,
    pace: &Pace<'_>,
) -> Result<RdsSnapshot> {
    let what = format!("snapshot {} in {}", begun.name, rds.region());
    pace.until(&what, limit, || {
        let now = match rds.snapshot(begun.kind, &begun.name) {
            Err(e) if e.kind == CloudErrorKind::NotFound => {
                let why = format!("{what}: it is gone: somebody deleted it, or RDS gave it up");
                return Err(SnapshotError::new(SnapshotErrorKind::Gone, why)
                    .hint("CloudTrail tells who deleted it (DeleteDBSnapshot); run it again"));
            }
            other => other?,
        };
        pace.tell(&begun.name, &now.status, Some(now.percent));
        match now.status.as_str() {
            "available" => Ok(Some(now)),
            "failed" | "incompatible-restore" | "incompatible-parameters" => {
                let why = format!("{what}: RDS says that it failed ({})", now.status);
                Err(SnapshotError::new(SnapshotErrorKind::Failed, why)
                    .hint("the instance's events in RDS's console may tell why; `pgkeep rds snapshot prune` removes what is left of it"))
            }
            _ => Ok(None),
        }
    })
}

/// Whether a snapshot can be begun; an error where waiting does not help. States: RDS User Guide, "Viewing Amazon RDS DB
/// instance status" and "Viewing DB cluster status"; the two in which RDS takes it: its API reference, "CreateDBSnapshot".
fn is_ready(rds: &Rds, database: &RdsDatabase) -> Result<bool> {
    let status = database.status.as_str();
    let hint = match status {
        "available" | "storage-optimization" => return Ok(true),
        "stopped" | "stopping" => {
            "nothing in it changes while it is stopped, so that its newest snapshot holds what it holds; start it to make one"
        }
        "deleting" | "deleted" => "it is being deleted: take it out of the configuration; its snapshots stay",
        "inaccessible-encryption-credentials" => {
            "its KMS key cannot be used: enable the key, or give RDS its grant back"
        }
        "inaccessible-encryption-credentials-recoverable" => "enable its KMS key and start it",
        "failed" | "restore-error" => {
            "RDS could not recover it: restore from a snapshot or to a point in time"
        }
        "storage-full" => "give it more storage",
        s if s.starts_with("incompatible-") || s == "insufficient-capacity" => {
            "see its events in RDS's console"
        }
        _ => return Ok(false),
    };
    let why = format!(
        "RDS {} in {}: its status is \"{status}\": no snapshot can be made",
        database.name,
        rds.region()
    );
    Err(SnapshotError::new(SnapshotErrorKind::Unfit, why).hint(hint))
}
