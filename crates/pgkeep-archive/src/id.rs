//! Dump ids: the names by which TOC entries and data blocks know each other.

use std::fmt;

/// Number of a TOC entry, above 0.
///
/// Assigned by `pg_dump` in `AssignDumpId` (src/bin/pg_dump/common.c). Dependency lists may name ids that have no
/// entry, such as the section boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DumpId(pub i32);

impl fmt::Display for DumpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl DumpId {
    /// Length of the id as the decimal string that dependency lists hold.
    pub(crate) fn digits(self) -> usize {
        decimal_digits(i64::from(self.0))
    }
}

/// Digits of a number, with its sign.
pub(crate) fn decimal_digits(n: i64) -> usize {
    let digits = n.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    digits + usize::from(n < 0)
}
