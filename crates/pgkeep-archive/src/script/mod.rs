//! The plain format: an archive's content as the SQL script that `pg_restore -f -` writes and `psql` runs.
//!
//! [`script`] says which text stands before, between and after the data; [`ScriptReader`] takes a script apart again.

mod contents;
mod identifier;
mod large_objects;
mod owner;
mod pass;
mod read;
mod split;
mod walk;
mod write;

pub use contents::{Contents, ScriptContents, Stretch};
pub use identifier::format_identifier;
pub use large_objects::{LargeObjectText, group_acl, is_group_acl, object_oids};
pub use owner::owned_object;
pub use pass::Pass;
pub use read::{MAX_STATEMENT, ScriptEvent, ScriptReader};
pub use walk::{Title, Visit, unhex, walk};
pub use write::{ScriptPart, script};
