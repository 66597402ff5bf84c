//! Restoring a database from an archive: the schema on one session, then rows, indexes and constraints over many.
//!
//! The meaning of every entry is pg_restore's (src/bin/pg_dump/pg_backup_archiver.c). The order is not: there is no
//! border between loading rows and building indexes. Every entry is a task that waits for what it depends on, and
//! the task at the head of the longest chain starts first, so that the indexes of the biggest table are built while
//! small tables are still loaded, and no core waits for another at the end.
//!
//! ```no_run
//! use pgkeep_engine::{Cancel, ConnInfo, progress::Progress, restore};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = std::fs::File::open("shop.dump")?;
//! let source = restore::RestoreSource::open(&file)?;
//! let target = ConnInfo::parse("postgres://localhost/shop_restored")?;
//! let report =
//!     restore::restore(&source, &target, &Default::default(), &Progress::new(), &Cancel::new())?;
//! println!("{} tables", report.tables);
//! # Ok(()) }
//! ```

mod adapt;
mod analyze;
mod beside;
mod choose;
mod clean;
pub(crate) mod collect;
pub(crate) mod copy_statement;
mod entry;
mod estimate;
mod execute;
mod hints;
mod large_objects;
mod last;
mod lead;
mod load;
mod options;
mod owner;
pub(crate) mod places;
mod plan;
mod preview;
pub(crate) mod read_ahead;
mod report;
mod room;
mod rows;
mod run;
mod schedule;
mod script;
mod settings;
mod source;
mod sql_text;
mod state;
mod statements;
mod swap;
mod target;
mod tolerate;
mod unique_index;
mod workers;

pub use adapt::{adapt, change_owner, rename_database};
pub use beside::{Beside, Moved, put_beside};
pub use choose::{Choice, Chosen, Contents, choose, list, read_list};
pub use options::RestoreOptions;
pub use preview::{Load, Measured, Preview, TimeEstimate, preview};
pub use report::{RestoreProblem, RestoreReport, RestoreTimings};
pub use room::free_space;
pub use run::restore;
pub use script::{RestoredScript, ScriptOptions, ScriptSource, restore_script};
pub use source::RestoreSource;
pub use swap::Swap;
pub use target::{TargetState, examine};
