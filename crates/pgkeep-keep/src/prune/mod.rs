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

pub use delete::{Outcome, delete};
pub(crate) use journal::is_going;
pub use journal::{Unfinished, finish, unfinished};
pub use orphans::{Orphan, Orphans, clear};
pub use stock::Stock;
