//! A database that came out of something else than a backup of ours, such as a snapshot: there is nothing to compare it with,
//! but it can be read whole.

use pgkeep_keep::drill::CheckResult;

use super::checks::ask;
use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo};
use crate::error::Result;
use crate::progress::{Phase, Progress};
use crate::prove::{fingerprints, tables_of};
use crate::session::prepare;
use crate::snapshot::Snapshot;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeRead {
    /// Tables that were read to their end.
    pub tables: u64,
    /// Rows in them.
    pub rows: u64,
    /// What the user asserts.
    pub checks: Vec<CheckResult>,
}

/// Reads every row of every table, by `jobs` connections, and runs each assertion, which must give one row that begins with
/// `true`.
///
/// # Errors
/// What keeps it from being read, a damaged block above all; an assertion that is not true is no error.
pub fn read_whole(
    database: &ConnInfo,
    checks: &[String],
    jobs: usize,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<WholeRead> {
    let mut client = Client::connect(database, cancel)?;
    let checks = checks.iter().map(|sql| Ok(ask(&mut client, sql)?.0)).collect::<Result<Vec<_>>>()?;
    drop(client);
    let mut snapshot = Snapshot::begin(database, cancel)?;
    prepare(&mut snapshot.client, "UTF8")?;
    let tables = tables_of(&mut snapshot.client)?;
    progress.enter(Phase::Proving);
    let found = fingerprints(&snapshot, &tables, jobs, progress, cancel)?;
    let read = found.iter().flatten();
    Ok(WholeRead { tables: read.clone().count() as u64, rows: read.map(|f| f.rows).sum(), checks })
}
