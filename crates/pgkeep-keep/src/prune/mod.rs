//! Deleting backups as retention plans it, and what dead runs left.
//!
//! A deletion is four steps, each of which can be the last: the *journal* `.pgkeep/deleting/<name>/<id>.json` names all
//! keys; the manifest goes, and now it is no backup any more; archive, globals and sidecars go; the journal goes. Whoever
//! prunes next finishes what a journal without manifest names. Right before the manifest goes everything is looked at
//! once more: that it is the backup that was planned for, that nobody holds or has proven it since, and that the backups
//! for whose sake it may go are still there.
//!
//! So two prunes at once are safe even where the [`Lease`](crate::Lease) that keeps them apart fails.

mod delete;
mod journal;
mod orphans;
mod stock;
mod versions;

use jiff::{SignedDuration, Timestamp};

pub use delete::{Outcome, delete};
pub(crate) use journal::is_going;
pub use journal::{Unfinished, finish, unfinished};
pub use orphans::{Orphan, Orphans, clear};
pub use stock::Stock;
pub use versions::{Buried, Purged, buried, purge, purge_notes};

/// Whether the grace time of what was written at `at` is over. Without one it is, however coarse the store's clock.
fn is_past(grace: SignedDuration, at: Timestamp, now: Timestamp) -> bool {
    grace.is_zero() || now.duration_since(at) >= grace
}
