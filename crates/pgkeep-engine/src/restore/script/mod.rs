//! SQL scripts: run statement by statement, and read for their table of contents.

mod run;
mod source;
mod words;

pub use run::{RestoredScript, ScriptOptions, restore_script};
pub use source::ScriptSource;
