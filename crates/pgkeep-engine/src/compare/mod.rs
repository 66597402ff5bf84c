//! Comparing two databases, or a database and a backup: definitions, the rows of every table, sequences.
//!
//! Each side is read under one snapshot. Rows are compared by fingerprint, and where two tables differ and have a primary
//! key, by key: both sides are read in the order of their keys' text, whose bytes sort alike on every server.

mod backup;
mod databases;
mod keys;
mod reworded;

pub use backup::compare_with_backup;
pub use databases::compare_databases;
pub use keys::{KeyDifference, Keys};

use pgkeep_archive::Toc;

use crate::cancel::Cancel;
use crate::conn::{ConnInfo, major_of};
use crate::definitions::{Change, Side};
use crate::error::Result;
use crate::fingerprint::Fingerprint;

/// What comparing gave.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// Tables that are on both sides.
    pub tables: u64,
    /// Rows of the first side.
    pub rows: u64,
    /// Definitions that are not the same.
    pub definitions: Vec<Change>,
    /// Tables whose rows are not the same.
    pub differences: Vec<TableDifference>,
    /// What else is not the same, in words: sequences, large objects.
    pub others: Vec<(String, String)>,
    /// What one should know about the comparison.
    pub notes: Vec<String>,
}

impl Comparison {
    /// Whether nothing differs.
    pub fn is_same(&self) -> bool {
        self.definitions.is_empty() && self.differences.is_empty() && self.others.is_empty()
    }
}

/// What two majors say of the same definition need not be the same. Takes out of the changes what a server finds to
/// mean the same, and gives notes on that.
fn reworded(
    [first, second]: &[String; 2],
    changes: &mut Vec<Change>,
    sides: [&Toc; 2],
    server: &ConnInfo,
    cancel: &Cancel,
) -> Result<Vec<String>> {
    if major_of(first) == major_of(second) || changes.is_empty() {
        return Ok(Vec::new());
    }
    let mut notes = Vec::new();
    let views = reworded::take_out(changes, sides, server, cancel)?;
    if views > 0 {
        notes.push(format!(
            "{views} views are worded otherwise by {first} than by {second}, and mean the same to one server"
        ));
    }
    if !changes.is_empty() {
        notes.push(format!(
            "the servers' versions are {first} and {second}: a definition that differs may be the same in other words"
        ));
    }
    Ok(notes)
}

/// A table whose rows are not the same.
#[derive(Debug, Clone)]
pub struct TableDifference {
    /// Schema and name.
    pub table: String,
    /// On which side it is.
    pub side: Side,
    /// Rows of the first side, where it is there.
    pub first: Option<Fingerprint>,
    /// Rows of the second side, where it is there.
    pub second: Option<Fingerprint>,
    /// Which rows, where both sides are databases and the table has a primary key.
    pub keys: Option<Keys>,
}
