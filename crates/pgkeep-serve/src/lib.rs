//! `pgkeep serve`: keeps a fleet of databases backed up, proven and pruned, and shows it.
//!
//! Every piece of work is a child process, `pgkeep <command> … --json`: what the daemon does is what one can type, a
//! crash or a leak in one run touches no other, and a reload or an end of the daemon need not end a run. So this crate
//! knows commands by their words, their JSON results and their exit codes, and nothing of databases.
//!
//! - [`Fleet`]: what is to be done and when, made from the configuration by a [`FleetSource`]; loaded anew on a reload.
//! - [`Run`]: one try at one [`Task`], and how it went; [`RecoveryPoint`]: a backup as the store had it last.
//! - [`History`]: runs, recovery points and marks in an embedded SQLite. The store is the truth: the file can be deleted
//!   at any time and fills again.
//! - [`Live`]: what running runs said last of how far they are.
//! - [`Orders`]: what people ask of the daemon (run now, stop a run, reload).
//! - [`Daemon`]: the loop that runs what is due; what it decides is planned without clock or process, and so is tried
//!   through years in tests.
//! - [`Watcher`]: who looks on: notifications, metrics, traces, the audit log. They hear of runs and never touch them.

mod error;
mod fleet;
mod history;
mod live;
mod orders;
mod run;
mod runner;
mod shared;
mod status;
mod supervisor;
mod survey;
mod watch;

pub use error::{Result, ServeError};
pub use fleet::{Fleet, FleetSource, Limits, Member, Retries, StoreUrl, Task, TaskKind, Windows};
pub use history::{History, RunFilter};
pub use live::{Live, Progress};
pub use orders::{Inbox, Order, Orders};
pub use run::{PointState, RecoveryPoint, Run, RunId, RunState, RunTrigger};
pub use shared::Shared;
pub use status::DaemonStatus;
pub use supervisor::{Daemon, DaemonOptions, overdue_since};
pub use watch::{Act, Watcher, Watchers};
