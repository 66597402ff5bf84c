//! Keeping backups: what a backup is in a store, what its manifest says, and whether it is still whole.
//!
//! A backup is two objects: the archive, `<name>/<id>.dump` or where a [`KeyTemplate`] puts it, and the manifest
//! `<name>/<id>.manifest.json`, which names it and is written last: it is the commit, without which there is no backup.
//! A third, `<name>/<id>.globals.sql`, holds the server's roles and tablespaces where they were asked for.
//!
//! What becomes known of a backup later lies beside its manifest under names that begin alike, and so is found by a
//! listing alone and goes with the backup: `<name>/<id>.hold.json`, and a drill's record,
//! `<name>/<id>.drill.<time>.<proven or failed>.json`, with a report of the same stem.
//!
//! This crate knows stores and archives and nothing of database connections.

mod catalogue;
mod copy;
mod damage;
pub mod drill;
pub mod encryption;
mod error;
pub mod fingerprint;
mod folder;
mod found;
mod globals;
pub mod hold;
mod id;
mod key_template;
mod lease;
mod manifest;
mod object;
mod process;
pub mod prune;
pub mod retention;
mod run;
mod selection;
mod self_digest;
mod sidecar;
pub mod sync;
mod verify;
mod verify_hashes;
mod verify_parts;
mod verify_script;

pub use catalogue::{Catalogue, Foreign, ForeignFormat, Listed, Summaries, Summary, Survey, Wanted};
pub use copy::{Copied, Look, copy};
pub use damage::explain;
pub use error::{KeepError, Result};
pub use fingerprint::{Fingerprint, RowHasher};
pub use found::{FoundRows, FoundTable};
pub use globals::read_globals;
pub use id::{BackupId, safe_name};
pub use key_template::{KeyFacts, KeyTemplate, PRESETS};
pub use lease::Lease;
pub use manifest::{
    CopyRecord, DatabaseIdentity, DumpReport, Format, GlobalsRecord, MANIFEST_VERSION, Manifest,
    ObjectRecord, OptionsRecord, SequenceReport, TableReport, name_text,
};
pub use object::{StoredArchive, archive_url, directory_of};
pub use run::{Run, Swept, backup_under_way, sweep};
pub use selection::Selection;
pub use sidecar::{Drill, Sidecar, Sidecars};
pub use verify::{Verified, look_whole, verify, verify_head};
pub use verify_hashes::{HashCheck, HashesVerified, verify_hashes};
pub use verify_script::verify_script;
