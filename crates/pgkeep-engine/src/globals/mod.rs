//! What belongs to a server and not to one of its databases: roles, their settings and memberships, tablespaces, and
//! the list of its databases.

mod databases;
mod pattern;
mod read;
mod restore;
mod script;

pub use databases::{ServerDatabases, SkippedDatabase, server_databases};
pub use read::{Globals, read_globals};
pub use restore::{GlobalsError, GlobalsReport, restore_globals};
