//! Snapshots that RDS makes: begun, awaited, copied, pruned, exported and restored.
//!
//! Everything is one blocking call over [`pgkeep_cloud::Rds`]; time and the user's wish to stop come in by a [`Pace`]. What
//! is begun has a name of its own before it is begun, so that a call whose answer was lost is not made twice, and a run
//! that was cut off is taken up by the next. Only what [`is_ours`] says was made by pgkeep is ever deleted.

mod copy;
mod create;
mod error;
mod export;
mod name;
mod ours;
mod pace;
mod prune;
mod restore;
mod status;

pub use copy::{copy, missing};
pub use create::{CreateOrder, Created, create};
pub use error::{Result, SnapshotError, SnapshotErrorKind};
pub use export::{export, export_name};
pub use name::{name_of, taken_of};
pub use ours::{is_held, is_ours, tags_for};
pub use pace::{Limit, Pace, Step, Windows};
pub use prune::{Outcome, PrunePlan, delete, plan};
pub use restore::{Restored, Source, Wanted, adopt, find, remove, restore};
pub use status::{Finding, Status, status};
