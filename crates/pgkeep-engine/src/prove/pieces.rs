//! Cutting the expected tables into pieces of work.

use std::collections::{HashMap, HashSet};

use super::catalog::{self, Name, Relation};
use super::verdict::{Difference, Value};
use crate::conn::Client;
use crate::error::Result;
use crate::report::TableReport;
use crate::rows::{Blocks, copy_statement, ranges};

/// Aimed size of a piece: small enough that all sessions end at about the same time, large enough that its statement
/// costs nothing beside its rows.
const PIECE: u64 = 32 << 20;

/// Rows to be read by one statement.
pub(super) struct Piece {
    /// Index into the expected tables.
    pub(super) table: usize,
    pub(super) sql: Vec<u8>,
    pub(super) bytes: u64,
}

/// Work for the sessions, and what needs no reading to be told.
pub(super) struct Work {
    /// Biggest first.
    pub(super) pieces: Vec<Piece>,
    pub(super) differences: Vec<Difference>,
    /// Root of the partition tree, by expected table.
    pub(super) roots: Vec<Option<u32>>,
}

pub(super) fn cut(
    client: &mut Client,
    relations: &HashMap<Name, Relation>,
    expected: &[TableReport],
    jobs: usize,
) -> Result<Work> {
    let found: Vec<Option<&Relation>> = expected
        .iter()
        .map(|t| relations.get(&(t.schema.clone(), t.table.clone())).filter(|r| r.kind != b'S'))
        .collect();
    let oids: HashSet<u32> = found.iter().flatten().map(|r| r.oid).collect();
    let columns = catalog::columns(client, &oids)?;
    let sizes = catalog::sizes(client, &oids)?;
    let total: u64 = sizes.values().map(|(_, bytes)| *bytes).sum();
    let piece = PIECE.min(total / (4 * jobs.max(1) as u64)).max(1 << 20);
    let by_tuple_id = client.server_major() >= 14;

    let mut work = Work { pieces: Vec::new(), differences: Vec::new(), roots: vec![None; expected.len()] };
    for (t, table) in expected.iter().enumerate() {
        let missing = |why: String| Difference {
            object: object(table),
            expected: Value::Content(table.fingerprint),
            found: Value::Missing,
            why,
        };
        let Some(relation) = found[t] else {
            work.differences.push(missing("the table is not there".into()));
            continue;
        };
        let list = match quoted_columns(table, columns.get(&relation.oid)) {
            Ok(list) => list,
            Err(column) => {
                work.differences.push(missing(format!("the table has no column \"{column}\"")));
                continue;
            }
        };
        work.roots[t] = relation.root;
        let filter =
            table.filter.as_ref().map(|f| f.clone().into_bytes()).or_else(|| relation.condition.clone());
        let (blocks, bytes) = sizes.get(&relation.oid).copied().unwrap_or_default();
        let ranges = if by_tuple_id && relation.heap && relation.kind == b'r' && filter.is_none() {
            cut_table(blocks, bytes, piece)
        } else {
            vec![None]
        };
        let share = bytes / ranges.len() as u64;
        for range in ranges {
            work.pieces.push(Piece {
                table: t,
                sql: copy_statement(&relation.quoted, relation.kind == b'r', &list, filter.as_deref(), range),
                bytes: share,
            });
        }
    }
    work.pieces.sort_by_key(|p| std::cmp::Reverse(p.bytes));
    Ok(work)
}

pub(super) fn object(table: &TableReport) -> String {
    format!("table {}.{}", table.schema, table.table)
}

fn quoted_columns(
    table: &TableReport,
    columns: Option<&HashMap<String, Vec<u8>>>,
) -> Result<Vec<u8>, String> {
    let mut list = Vec::new();
    for (i, column) in table.columns.iter().enumerate() {
        let quoted = columns.and_then(|c| c.get(column)).ok_or_else(|| column.clone())?;
        if i > 0 {
            list.extend_from_slice(b", ");
        }
        list.extend_from_slice(quoted);
    }
    Ok(list)
}

/// Ranges of about a piece's size, nothing for a table that is one; TOAST is taken to be spread evenly.
fn cut_table(blocks: u64, bytes: u64, piece: u64) -> Vec<Option<Blocks>> {
    match bytes.div_ceil(piece).min(blocks) {
        0 | 1 => vec![None],
        count => ranges(blocks, count).into_iter().map(Some).collect(),
    }
}
