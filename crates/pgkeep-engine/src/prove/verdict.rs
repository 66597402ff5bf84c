//! What proving found out.

use crate::fingerprint::Fingerprint;

/// The outcome of reading a restored database again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Tables compared.
    pub tables: u64,
    /// Rows read.
    pub rows: u64,
    /// Bytes of COPY text read.
    pub bytes: u64,
    /// Sequences compared.
    pub sequences: u64,
    /// Large objects compared.
    pub large_objects: u64,
    /// Everything that is not as expected; empty when the database is proven.
    pub differences: Vec<Difference>,
    /// What the user should know although it is no difference.
    pub notes: Vec<String>,
    /// Version of the server that holds the restored database.
    pub server_version: String,
}

impl Verdict {
    /// Whether everything that was expected is there, to the last byte.
    pub fn is_proven(&self) -> bool {
        self.differences.is_empty()
    }
}

/// One thing that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What: `table public.orders`, `sequence public.orders_id_seq`, `large objects`.
    pub object: String,
    /// What was dumped.
    pub expected: Value,
    /// What is there.
    pub found: Value,
    /// The difference in words.
    pub why: String,
}

/// One side of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// It is not there.
    Missing,
    /// Rows of a table, or large objects.
    Content(Fingerprint),
    /// State of a sequence.
    Sequence {
        /// `last_value`.
        last_value: i64,
        /// `is_called`.
        is_called: bool,
    },
}

/// Says how two fingerprints that are not equal differ.
pub(super) fn explain(expected: &Fingerprint, found: &Fingerprint, things: &str) -> String {
    if found.rows < expected.rows {
        format!("{} {things} are missing", expected.rows - found.rows)
    } else if found.rows > expected.rows {
        format!("{} {things} too many", found.rows - expected.rows)
    } else {
        format!("as many {things} as expected, but not the same")
    }
}
