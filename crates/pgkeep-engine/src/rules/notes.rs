//! What a restore may trip over, although every rule by itself is fine: keys whose two sides no longer fit.

use std::collections::{HashMap, HashSet};

use super::catalog::{self, Column, Key, Relation};
use super::resolve::{Cut, Mask, any_read, is_below};
use crate::conn::Client;
use crate::error::Result;

pub(super) struct Look<'a> {
    pub(super) relations: &'a HashMap<u32, Relation>,
    pub(super) cuts: &'a [Cut],
    pub(super) masks: &'a [Mask],
    pub(super) read: Option<&'a HashSet<u32>>,
}

impl Look<'_> {
    pub(super) fn all(&self, client: &mut Client) -> Result<Vec<String>> {
        // A foreign key may be a parent's.
        let ruled: HashSet<u32> =
            self.cuts.iter().map(|c| c.table).chain(self.masks.iter().map(|m| m.table)).collect();
        let concerned: Vec<u32> = self
            .relations
            .keys()
            .copied()
            .filter(|t| ruled.iter().any(|r| is_below(self.relations, *r, *t)))
            .collect();
        let mut notes = Vec::new();
        for key in catalog::keys(client, &concerned)? {
            match &key.refers_to {
                Some((parent, columns)) => {
                    notes.extend(self.cut_parent(client, &key, *parent, columns)?);
                    notes.extend(self.masked_reference(client, &key, *parent, columns)?);
                }
                None => notes.extend(self.masked_key(client, &key)?),
            }
        }
        Ok(notes)
    }

    /// A foreign key whose parent loses rows while its child keeps all.
    fn cut_parent(
        &self,
        client: &mut Client,
        key: &Key,
        parent: u32,
        columns: &[i16],
    ) -> Result<Option<String>> {
        let Some(cut) = self.cuts.iter().find(|c| self.is_about(c.table, parent)) else { return Ok(None) };
        let (child, parent_name) = (self.name(key.table), self.name(parent));
        let why = format!(
            "{child} refers to {parent_name} ({}), of which rows are left out: where rows that refer to those are kept, \
             the restore cannot make the foreign key",
            key.name
        );
        if key.table == parent {
            return Ok(Some(format!("{why}; keep what a kept row refers to")));
        }
        let rows = any_read(self.relations, self.read, key.table);
        let is_cut = |table: u32| self.cuts.iter().any(|c| is_below(self.relations, table, c.table));
        if rows.into_iter().all(is_cut) {
            return Ok(None);
        }
        let own = named(&catalog::columns(client, key.table)?, &key.columns);
        let theirs = named(&catalog::columns(client, parent)?, columns);
        let list = |columns: &[Column]| {
            let names: Vec<_> =
                columns.iter().map(|c| String::from_utf8_lossy(&c.quoted).into_owned()).collect();
            names.join(", ")
        };
        let one_or_many = |list: String| if own.len() == 1 { list } else { format!("({list})") };
        let without: String = own
            .iter()
            .filter(|c| !c.not_null)
            .map(|c| format!("{} is null or ", String::from_utf8_lossy(&c.quoted)))
            .collect();
        let rule = format!(
            "{child}={without}{} in (select {} from {} where {})",
            one_or_many(list(&own)),
            list(&theirs),
            self.name(cut.table),
            cut.text
        );
        Ok(Some(format!("{why}; cut it as well: --where {}", shell_quoted(&rule))))
    }

    /// A foreign key whose sides are not masked alike.
    fn masked_reference(
        &self,
        client: &mut Client,
        key: &Key,
        parent: u32,
        columns: &[i16],
    ) -> Result<Option<String>> {
        if !self.masks.iter().any(|m| self.is_about(m.table, key.table) || self.is_about(m.table, parent)) {
            return Ok(None);
        }
        let own = named(&catalog::columns(client, key.table)?, &key.columns);
        let theirs = named(&catalog::columns(client, parent)?, columns);
        let different = own.iter().zip(&theirs).find(|(mine, other)| {
            match (self.mask_of(key.table, mine), self.mask_of(parent, other)) {
                (None, None) => false,
                (Some(a), Some(b)) => a.text != b.text || !a.by_value || mine.type_name != other.type_name,
                _ => true,
            }
        });
        Ok(different.map(|(mine, other)| {
            format!(
                "{}.{} refers to {}.{} ({}), and the two are not masked by the same built-in mask: unless their masked \
                 values fit, the restore cannot make the foreign key",
                self.name(key.table),
                String::from_utf8_lossy(&mine.quoted),
                self.name(parent),
                String::from_utf8_lossy(&other.quoted),
                key.name
            )
        }))
    }

    /// A key or check over a masked column.
    fn masked_key(&self, client: &mut Client, key: &Key) -> Result<Option<String>> {
        if !self.masks.iter().any(|m| self.is_about(m.table, key.table)) {
            return Ok(None);
        }
        let columns = named(&catalog::columns(client, key.table)?, &key.columns);
        let mut masks = columns.iter().filter_map(|c| self.mask_of(key.table, c));
        let Some(mask) = masks.find(|m| key.kind == b'c' || !m.keeps_apart) else { return Ok(None) };
        let (what, outcome) = match key.kind {
            b'c' => (
                "a check constraint",
                "a masked value that does not fulfil it keeps the restore from loading the table",
            ),
            b'p' => ("the primary key", "two rows with equal masked values keep the restore from making it"),
            b'i' => ("a unique index", "two rows with equal masked values keep the restore from making it"),
            b'x' => (
                "an exclusion constraint",
                "rows whose masked values exclude each other keep the restore from making it",
            ),
            _ => ("a unique constraint", "two rows with equal masked values keep the restore from making it"),
        };
        let place = format!("{}.{}", self.name(key.table), String::from_utf8_lossy(&mask.column.quoted));
        Ok(Some(format!("{place} is masked and part of {what} ({}): {outcome}", key.name)))
    }

    fn mask_of(&self, table: u32, column: &Column) -> Option<&Mask> {
        self.masks.iter().find(|m| self.is_about(m.table, table) && m.column.name == column.name)
    }

    /// Whether a rule for `ruled` changes rows of `table`, or those of a part of it.
    fn is_about(&self, ruled: u32, table: u32) -> bool {
        is_below(self.relations, ruled, table) || is_below(self.relations, table, ruled)
    }

    fn name(&self, table: u32) -> String {
        self.relations.get(&table).map_or_else(|| table.to_string(), Relation::display)
    }
}

/// Columns by their numbers, in that order.
fn named(columns: &[Column], numbers: &[i16]) -> Vec<Column> {
    numbers.iter().filter_map(|n| columns.iter().find(|c| c.number == *n)).cloned().collect()
}

/// As one word of a shell.
fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
