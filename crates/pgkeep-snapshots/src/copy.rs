//! Copies in other regions.

use std::collections::BTreeSet;

use pgkeep_cloud::{CloudErrorKind, Rds, RdsSnapshot};

use crate::create::{adopted, available};
use crate::error::{Result, SnapshotError, SnapshotErrorKind};
use crate::name::taken_of;
use crate::ours::{is_ours, of_database, tags_for_copy};
use crate::pace::{Limit, Pace, Windows};

/// The snapshots of ours that are to be copied, oldest first: those that are newer than the newest that the destination has
/// whole; the newest alone where it has none.
///
/// # Errors
/// What AWS refuses.
pub fn missing(source: &Rds, destination: &Rds, snapshot: &RdsSnapshot) -> Result<Vec<RdsSnapshot>> {
    let Some(resource) = is_ours(snapshot, source.region()) else { return Ok(Vec::new()) };
    let there = destination.snapshots_of(snapshot.kind, &snapshot.database)?;
    let whole: BTreeSet<&str> = of_database(&there, resource, destination.region())
        .filter(|s| s.status == "available")
        .map(|s| s.name.as_str())
        .collect();
    let here = source.snapshots_of(snapshot.kind, &snapshot.database)?;
    let mut here: Vec<&RdsSnapshot> =
        of_database(&here, resource, source.region()).filter(|s| s.status == "available").collect();
    here.sort_by_key(|s| taken_of(&s.name));
    let from = here.iter().rposition(|s| whole.contains(s.name.as_str()));
    let from = from.map_or(here.len().saturating_sub(1), |newest| newest + 1);
    Ok(here[from..].iter().map(|s| (*s).clone()).collect())
}

/// Copies a snapshot of ours into another region under its own name, and waits until it is there. One that an earlier run
/// has begun is taken up.
///
/// # Errors
/// `Unfit` for a snapshot that pgkeep has not made, or an encrypted one without a key of the destination; else as
/// [`create`](crate::create).
pub fn copy(
    source: &Rds,
    destination: &Rds,
    snapshot: &RdsSnapshot,
    kms_key: Option<&str>,
    windows: Windows,
    pace: &Pace<'_>,
) -> Result<RdsSnapshot> {
    let unfit = |why: &str| {
        let what = format!("copy of snapshot {} into {}", snapshot.name, destination.region());
        SnapshotError::new(SnapshotErrorKind::Unfit, format!("{what}: {why}"))
    };
    let resource = is_ours(snapshot, source.region())
        .ok_or_else(|| unfit("pgkeep has not made it, and copies its own only"))?;
    if source.region() == destination.region() {
        return Err(unfit("it is in this region").hint("name another region"));
    }
    if snapshot.encrypted && kms_key.is_none() {
        return Err(unfit("it is encrypted, and keys of KMS are of one region")
            .hint("name a key of the destination: --copy-to REGION=alias/… or its ARN"));
    }
    let began = pace.now();
    let start = Limit::of("start window", windows.start, began);
    let what = format!("copy {} in {}", snapshot.name, destination.region());
    let begun = pace.until(&what, start, || {
        let tags = tags_for_copy(snapshot, destination.region());
        match destination.copy_snapshot(snapshot, &snapshot.name, kms_key, &tags) {
            Ok(begun) => Ok(Some(begun)),
            Err(e) if e.kind == CloudErrorKind::Busy => Ok(None),
            Err(e) if e.kind == CloudErrorKind::Exists => {
                adopted(destination, destination.snapshot(snapshot.kind, &snapshot.name)?, resource)
            }
            Err(e) => Err(e.into()),
        }
    })?;
    available(destination, &begun, Limit::of("completion window", windows.completion, began), pace)
}
