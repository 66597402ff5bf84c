//! The rules for one table, as parts of the statement that reads its rows.

use std::collections::HashMap;

use crate::conn::quote_ident;

/// What is kept of a table.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableRules {
    /// The name by which its rules may call it, quoted: of a partition its parent's.
    pub(super) alias: Vec<u8>,
    /// Which rows.
    pub(super) condition: Option<Vec<u8>>,
    /// By column, what stands for its value, as an expression of the column's type.
    pub(super) masks: HashMap<Vec<u8>, Vec<u8>>,
}

impl TableRules {
    /// What is selected for these columns.
    pub(crate) fn columns(&self, names: &[Vec<u8>]) -> Vec<u8> {
        let of = |name: &Vec<u8>| self.masks.get(name).cloned().unwrap_or_else(|| quote_ident(name));
        names.iter().map(of).collect::<Vec<_>>().join(b", ".as_slice())
    }

    /// What stands behind the table's name; a further condition may follow.
    pub(crate) fn clause(&self) -> Vec<u8> {
        let mut sql = [b"AS ", self.alias.as_slice(), b" WHERE "].concat();
        sql.extend_from_slice(self.condition.as_deref().unwrap_or(b"true"));
        sql
    }
}
