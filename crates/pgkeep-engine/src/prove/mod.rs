//! Proving a restore: every row, sequence and large object is read again from the restored database and compared
//! with what was dumped, by fingerprint.

mod catalog;
mod fingerprints;
mod large_objects;
mod pieces;
mod run;
mod sequences;
mod verdict;

pub(crate) use fingerprints::{compare_sequences, fingerprints, tables_of};
pub use run::prove;
pub use verdict::{Difference, Value, Verdict};
