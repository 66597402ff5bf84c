//! A snapshot with all that follows it: sharing, copies in other regions, and the deletion of what is not kept any more.

use jiff::Timestamp;
use pgkeep_cloud::{Account, Rds, RdsKind, RdsSnapshot};
use pgkeep_keep::retention::{Decision, Policy};
use pgkeep_snapshots::{
    CreateOrder, Created, Outcome, Pace, PrunePlan, SnapshotError, copy, create, delete, missing, plan,
};

use crate::failure::Result;

/// A region that snapshots are copied to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) region: String,
    /// A key of KMS in that region.
    pub(crate) kms_key: Option<String>,
}

impl Target {
    pub(crate) fn rds(&self) -> Result<Rds> {
        let account = Account::open(Some(&self.region)).map_err(SnapshotError::from)?;
        Ok(account.rds_snapshots())
    }
}

/// What is to be done.
pub(crate) struct SnapshotJob<'j> {
    pub(crate) rds: &'j Rds,
    /// The instance or cluster.
    pub(crate) instance: &'j str,
    pub(crate) order: CreateOrder,
    /// Accounts that may use it.
    pub(crate) share: &'j [String],
    pub(crate) copies: &'j [Target],
}

/// What was done.
pub(crate) struct SnapshotDone {
    pub(crate) created: Created,
    /// By region. A run that finds that earlier ones have copied nothing copies these snapshots, too.
    pub(crate) copies: Vec<(String, Result<Vec<RdsSnapshot>>)>,
}

impl SnapshotJob<'_> {
    /// Makes the snapshot, shares it, and copies it. A copy that fails does not fail the snapshot.
    pub(crate) fn run(&self, pace: &Pace<'_>) -> Result<SnapshotDone> {
        let created = create(self.rds, self.instance, &self.order, pace)?;
        if !self.share.is_empty() {
            self.rds.share_snapshot(&created.snapshot, self.share).map_err(SnapshotError::from)?;
        }
        let copies = self.copies.iter().map(|target| {
            (target.region.clone(), copy_missing(self.rds, target, &created.snapshot, &self.order, pace))
        });
        Ok(SnapshotDone { copies: copies.collect(), created })
    }
}

fn copy_missing(
    source: &Rds,
    target: &Target,
    snapshot: &RdsSnapshot,
    order: &CreateOrder,
    pace: &Pace<'_>,
) -> Result<Vec<RdsSnapshot>> {
    let destination = target.rds()?;
    missing(source, &destination, snapshot)?
        .iter()
        .map(|s| Ok(copy(source, &destination, s, target.kms_key.as_deref(), order.windows, pace)?))
        .collect()
}

/// A prune of one name in one region.
pub(crate) struct Pruned {
    pub(crate) region: String,
    pub(crate) plan: PrunePlan,
    /// What became of those that were to go, by name; nothing in a dry run.
    pub(crate) outcomes: Vec<(String, Result<Outcome>)>,
}

/// Deletes the snapshots of an instance or cluster that no rule keeps, and what failed ones left.
pub(crate) fn prune_snapshots(
    rds: &Rds,
    kind: RdsKind,
    instance: &str,
    policy: &Policy,
    dry_run: bool,
) -> Result<Pruned> {
    let plan = plan(rds, kind, instance, policy, Timestamp::now())?;
    let mut outcomes = Vec::new();
    if !dry_run {
        let of = |d: &Decision| plan.snapshots.get(d.backup.id.as_str());
        let expired = plan.plan.deletions().filter_map(of);
        for snapshot in expired.chain(&plan.failed) {
            outcomes.push((snapshot.name.clone(), delete(rds, snapshot).map_err(Into::into)));
        }
    }
    Ok(Pruned { region: rds.region().to_owned(), plan, outcomes })
}
