//! What the program does with databases and stores, without a command line: a plain struct goes in, a record comes out,
//! nothing is printed.

mod adopt;
mod backup;
mod copies;
mod copy;
mod deadline;
mod drill;
#[cfg(test)]
mod faults;
mod rds_restore;
mod restore;
mod snapshot;

pub(crate) use adopt::AdoptJob;
pub(crate) use backup::BackupJob;
pub(crate) use copy::CopyJob;
pub(crate) use drill::{DrillJob, Drilled};
pub(crate) use rds_restore::{RdsRestoreJob, look_into};
pub(crate) use restore::{Plan, RestoreJob, RestoreRecord, SwapFlags};
pub(crate) use snapshot::{Pruned, SnapshotDone, SnapshotJob, Target as CopyTarget, prune_snapshots};
