//! What of a database is backed up: pg_dump's filters, filter files, and presets for managed services.

mod arguments;
mod filter_file;
mod preset;
mod presets;
mod prune;

pub use filter_file::read_filter_file;
pub use pgkeep_keep::Selection;
pub use preset::{Kind, Owned, PRESETS, Preset, preset};

pub(crate) use arguments::{arguments, needed_major};
pub(crate) use prune::{drop_owned, holds_nothing, prune};
