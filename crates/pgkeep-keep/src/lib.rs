//! Keeping backups: what a backup is in a store, what its manifest says, and whether it is still whole.
//!
//! A backup is two objects: the archive, `<name>/<id>.dump` or where a [`KeyTemplate`] puts it, and the manifest
//! `<name>/<id>.manifest.json`, which names it. The
//! manifest is written last and is the commit: without it there is no backup. This crate knows stores and
//! archives and nothing of database connections.

mod catalogue;
mod error;
pub mod fingerprint;
mod id;
mod key_template;
mod manifest;
mod object;
mod run;
mod verify;
mod verify_script;

pub use catalogue::{Catalogue, Listed, Wanted};
pub use error::{KeepError, Result};
pub use fingerprint::{Fingerprint, RowHasher};
pub use id::{BackupId, safe_name};
pub use key_template::{KeyFacts, KeyTemplate, PRESETS};
pub use manifest::{
    DatabaseIdentity, DumpReport, Format, MANIFEST_VERSION, Manifest, ObjectRecord, OptionsRecord,
    SequenceReport, TableReport, name_text,
};
pub use object::StoredArchive;
pub use run::{Run, Swept, sweep};
pub use verify::{Verified, verify, verify_head};
pub use verify_script::verify_script;
