//! Keeping backups: what a backup is in a store, what its manifest says, and whether it is still whole.
//!
//! A backup is two objects: the archive `<name>/<id>.dump` and the manifest `<name>/<id>.manifest.json`. The
//! manifest is written last and is the commit: without it there is no backup. This crate knows stores and
//! archives and nothing of database connections.

mod catalogue;
mod error;
pub mod fingerprint;
mod id;
mod manifest;
mod object;
mod run;
mod verify;

pub use catalogue::{Catalogue, Listed, Wanted};
pub use error::{KeepError, Result};
pub use fingerprint::{Fingerprint, RowHasher};
pub use id::{BackupId, safe_name};
pub use manifest::{
    DatabaseIdentity, DumpReport, Format, MANIFEST_VERSION, Manifest, ObjectRecord, OptionsRecord,
    SequenceReport, TableReport, name_text,
};
pub use object::StoredArchive;
pub use run::{Run, Swept, sweep};
pub use verify::{Verified, verify, verify_head};
