//! What a schema consists of, definition by definition, and how two schemas differ. The words are pg_dump's, out of the
//! TOC of an archive or of a database.

mod compare;
mod read;

pub(crate) use compare::count;
pub use compare::{Change, Side, compare};
pub use read::read_definitions;
