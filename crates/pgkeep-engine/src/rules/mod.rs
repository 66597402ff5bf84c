//! Row filters and masks, for copies that are not to hold everything: `where` by table, an expression by column.
//!
//! Rules are looked at by the server under the dump's own snapshot and locks, before the first row is read. They become
//! part of the statements that read the rows, so that segments, fingerprints and proof are those of what is kept.

mod builtin;
mod catalog;
mod encoding;
mod expression;
mod name;
mod notes;
mod resolve;
mod salt;
mod table;

use std::collections::{HashMap, HashSet};

pub use salt::Salt;
pub(crate) use table::TableRules;

use crate::conn::{Client, quote_literal};
use crate::error::{EngineError, Result};
use crate::select::Selection;

/// Rules that the server understands, by the tables whose rows they change.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    tables: HashMap<u32, TableRules>,
    salted: bool,
}

/// What was made of a selection's rules.
pub(crate) struct Resolved {
    pub(crate) rules: Rules,
    /// What a restore may trip over.
    pub(crate) notes: Vec<String>,
    /// What makes no sense; then the rules are not whole.
    pub(crate) problems: Vec<EngineError>,
}

/// Where rules are looked at.
pub(crate) struct Scope<'a> {
    /// The snapshot's time, which is the current one in every rule.
    pub(crate) time: jiff::Timestamp,
    /// Tables whose rows are read; `None` where that is not known, or where none are.
    pub(crate) read: Option<&'a HashSet<u32>>,
    /// Milliseconds to wait for a lock that a rule's own tables may need.
    pub(crate) lock_timeout: u128,
}

/// What of a `where` can be told without a server to make no sense.
///
/// # Errors
/// `Config`: why.
pub fn check_filter(table: &str, condition: &str) -> Result<()> {
    resolve::parts(table, 2)?;
    expression::at_time(condition, "").map_err(resolve::wrong)?;
    Ok(())
}

/// What of a `mask` can be told without a server to make no sense.
///
/// # Errors
/// `Config`: why.
pub fn check_mask(column: &str, rule: &str) -> Result<()> {
    resolve::parts(column, 3)?;
    if builtin::Builtin::parse(rule).map_err(resolve::wrong)?.is_none() {
        expression::at_time(rule, "").map_err(resolve::wrong)?;
    }
    Ok(())
}

/// Looks at every rule of the selection. The session must be in a transaction and prepared as for reading rows.
///
/// # Errors
/// Only what keeps it from looking; what is wrong with a rule is a problem.
pub(crate) fn resolve(client: &mut Client, selection: &Selection, scope: &Scope<'_>) -> Result<Resolved> {
    if !selection.changes_rows() {
        return Ok(Resolved { rules: Rules::default(), notes: Vec::new(), problems: Vec::new() });
    }
    resolve::Resolver::new(client, scope)?.all(selection)
}

/// An error that a rule met at some row, without the row's value, which the server puts behind a colon
/// (`invalid input syntax for type integer: "…"`).
pub(crate) fn without_values(e: EngineError) -> EngineError {
    // Class 22: data exception (PostgreSQL documentation, "PostgreSQL Error Codes").
    let Some(code) = e.sqlstate.clone().filter(|code| code.starts_with("22")) else { return e };
    let message = e.why.split(": ").next().unwrap_or_default();
    let why = format!("a rule cannot be worked out for every row: {message} [SQLSTATE {code}]");
    EngineError { why, ..e }.hint("the row's value is not shown; try the expression in psql")
}

impl Rules {
    /// The rules for a table's own rows.
    pub(crate) fn of(&self, table: u32) -> Option<&TableRules> {
        self.tables.get(&table)
    }

    /// What a session must be told before it reads under these rules.
    ///
    /// # Errors
    /// Where the system gives no random numbers for a salt that was not given.
    pub(crate) fn settings(&self, salt: Option<&Salt>) -> Result<Vec<u8>> {
        if !self.salted {
            return Ok(Vec::new());
        }
        let salt = salt.cloned().map_or_else(Salt::random, Ok)?;
        let mut sql = format!("SET {} = ", salt::SETTING).into_bytes();
        sql.extend(quote_literal(salt.text().as_bytes()));
        Ok(sql)
    }
}
