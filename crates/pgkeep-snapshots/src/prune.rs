//! Deleting the snapshots that no rule keeps.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pgkeep_cloud::{CloudErrorKind, Rds, RdsKind, RdsSnapshot};
use pgkeep_keep::retention::{self, Candidate, Content, Identity, Plan, Policy};
use pgkeep_keep::{BackupId, Sidecars};

use crate::error::Result;
use crate::name::taken_of;
use crate::ours::{is_held, is_ours};

/// What is to become of the snapshots of one name in one region.
#[derive(Debug, Default)]
pub struct PrunePlan {
    /// The decisions, by the floors and rules of [`retention`]; an id is a snapshot's name.
    pub plan: Plan,
    /// All snapshots that were decided about, by name.
    pub snapshots: BTreeMap<String, RdsSnapshot>,
    /// What is left of snapshots of ours that failed; it goes.
    pub failed: Vec<RdsSnapshot>,
    /// Snapshots of ours that are still being made.
    pub unfinished: Vec<RdsSnapshot>,
    /// Manual snapshots of the same name that others have made.
    pub foreign: usize,
}

/// Decides about the snapshots that pgkeep has made of what has this name, also where that is gone. Snapshots of a database
/// that was deleted and of another one that has its name now do not push each other out.
///
/// # Errors
/// What AWS refuses.
pub fn plan(rds: &Rds, kind: RdsKind, database: &str, policy: &Policy, now: Timestamp) -> Result<PrunePlan> {
    let mut planned = PrunePlan::default();
    let mut candidates = Vec::new();
    for snapshot in rds.snapshots_of(kind, database)? {
        let (Some(resource), Some(taken)) = (is_ours(&snapshot, rds.region()), taken_of(&snapshot.name))
        else {
            planned.foreign += 1;
            continue;
        };
        match snapshot.status.as_str() {
            "available" => {
                candidates.push(Candidate {
                    id: BackupId::from_text(&snapshot.name),
                    taken,
                    identity: Identity::Known {
                        cluster: resource.to_owned(),
                        oid: None,
                        database: snapshot.database.clone(),
                    },
                    content: Content::Full,
                    sidecars: Sidecars { held: is_held(&snapshot), ..Sidecars::default() },
                    locked_until: None,
                });
                planned.snapshots.insert(snapshot.name.clone(), snapshot);
            }
            "failed" => planned.failed.push(snapshot),
            _ => planned.unfinished.push(snapshot),
        }
    }
    planned.plan = retention::plan(&candidates, false, policy, now);
    Ok(planned)
}

/// What became of a snapshot that was to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is deleted.
    Deleted,
    /// It was gone already.
    Gone,
    /// It stays for the time being, for this reason.
    Stays(String),
}

/// Deletes a snapshot that was planned to go, after another look at it.
///
/// # Errors
/// What AWS refuses.
pub fn delete(rds: &Rds, planned: &RdsSnapshot) -> Result<Outcome> {
    let now = match rds.snapshot(planned.kind, &planned.name) {
        Ok(now) => now,
        Err(e) if e.kind == CloudErrorKind::NotFound => return Ok(Outcome::Gone),
        Err(e) => return Err(e.into()),
    };
    if is_ours(&now, rds.region()) != is_ours(planned, rds.region()) || now.created != planned.created {
        return Ok(Outcome::Stays("another one has its name now".into()));
    }
    if is_held(&now) {
        return Ok(Outcome::Stays("held".into()));
    }
    match rds.delete_snapshot(&now) {
        Ok(()) => Ok(Outcome::Deleted),
        Err(e) if e.kind == CloudErrorKind::NotFound => Ok(Outcome::Gone),
        Err(e) if e.kind == CloudErrorKind::Busy => {
            Ok(Outcome::Stays("in use: it is being copied or exported; the next prune tries again".into()))
        }
        Err(e) => Err(e.into()),
    }
}
