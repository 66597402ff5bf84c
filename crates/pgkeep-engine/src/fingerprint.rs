//! Fingerprints of rows; defined in `pgkeep-keep`, where archives are checked by them without a database.

pub use pgkeep_keep::fingerprint::{Fingerprint, RowHasher, large_object};
