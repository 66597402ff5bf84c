//! A drill: a backup is restored into a server that is thrown away, and everything that can be known of it is proven.
//!
//! Proven are the rows of every table, sequences and large objects against the manifest, every definition against the
//! archive's, that constraints and indexes are valid, and what the user asserts in SQL. What this server cannot tell (an
//! extension that it lacks, a locale, a role) is no damage: it makes the drill incomplete, which is neither proven nor
//! failed.
//!
//! Where to restore is behind [`DrillPlace`]: another kind of place, such as a fresh instance of a managed service, is
//! another way to a `ConnInfo` and another clean-up.

mod checks;
mod constraints;
mod database;
mod limits;
mod place;
mod roles;
mod rows;
mod run;
mod schema;
mod unproven;
mod whole;

pub use place::{DrillPlace, Place};
pub use run::{Drill, DrillRequest};
pub use whole::{WholeRead, read_whole};
