//! What can go wrong in keeping backups.

use pgkeep_archive::ArchiveError;
use pgkeep_store::StoreError;

/// Result of everything in this crate.
pub type Result<T, E = KeepError> = std::result::Result<T, E>;

/// An error of this crate, by meaning.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeepError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The archive is damaged.
    #[error("{object}: {source}\n  hint: restore from another backup or copy; this one cannot be trusted")]
    Archive {
        /// The archive's URL.
        object: String,
        /// What is wrong with it.
        source: ArchiveError,
    },
    /// A manifest that cannot be understood.
    #[error("{object}: not a manifest that this version reads: {why}\n  hint: {hint}")]
    Manifest {
        /// The manifest's URL.
        object: String,
        /// Why.
        why: String,
        /// What to do.
        hint: String,
    },
    /// There is no such backup.
    #[error(
        "no backup \"{wanted}\" in {}\n  hint: `pgkeep list --store {}` shows what is there",
        .stores.join(", "),
        .stores.join(" --store ")
    )]
    NoSuchBackup {
        /// What was asked for.
        wanted: String,
        /// Where.
        stores: Vec<String>,
    },
    /// The backup was made without roles and tablespaces.
    #[error(
        "backup {backup} holds no roles and tablespaces\n  hint: `pgkeep backup --globals` or `--all` takes them along"
    )]
    NoGlobals {
        /// Name and id.
        backup: String,
    },
    /// The words fit more than one backup.
    #[error("\"{wanted}\" fits several backups in {store}: {candidates}\n  hint: give the whole id")]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// Where.
        store: String,
        /// Some of what fits.
        candidates: String,
    },
    /// The object is not what its manifest says.
    #[error("{object}: {why}\n  hint: restore from another backup or copy; this one cannot be trusted")]
    Damaged {
        /// The archive's URL.
        object: String,
        /// What differs.
        why: String,
    },
    /// A key, or a file with keys, that cannot be used.
    #[error("{what}: {why}\n  hint: {hint}")]
    Key {
        /// Which; never a secret one itself.
        what: String,
        /// Why.
        why: String,
        /// What to do.
        hint: String,
    },
    /// Something encrypted for which no fitting key was given.
    #[error("{object}: it is encrypted, and {why}\n  hint: --identity FILE with the secret key of {}", owners(.recipients))]
    Locked {
        /// Its URL.
        object: String,
        /// What is missing.
        why: String,
        /// The public keys whose owners can read it, where the manifest tells.
        recipients: Vec<String>,
    },
    /// The cryptographic library failed.
    #[error(
        "encrypting: the cryptographic library failed and gave no reason\n  hint: look whether the machine has randomness (getrandom)"
    )]
    Crypto,
    /// A template for keys that cannot be used.
    #[error("the key template \"{template}\": {why}\n  hint: {hint}")]
    KeyTemplate {
        /// The template.
        template: String,
        /// Why.
        why: String,
        /// What to do.
        hint: String,
    },
    /// Another object is, or is about to be, under the key of a backup.
    #[error(
        "{object}: {why}\n  hint: put {{id}} or {{database}} into the key template, or run again in a second"
    )]
    KeyTaken {
        /// Its URL.
        object: String,
        /// What stands in the way.
        why: String,
    },
    /// A drill's record that cannot be understood.
    #[error(
        "{object}: not a record of a drill that this version reads: {why}\n  hint: the file was changed or cut, or a newer pgkeep wrote it"
    )]
    DrillRecord {
        /// Its URL or file.
        object: String,
        /// Why.
        why: String,
    },
    /// Somebody else does the same work in the same store.
    #[error("{store}: {owner} is at it, and last gave a sign of life {age} ago\n  hint: {hint}")]
    Busy {
        /// The store.
        store: String,
        /// Who.
        owner: String,
        /// Since when nothing was heard, in words.
        age: String,
        /// What to do.
        hint: String,
    },
    /// A backup that is being deleted cannot be held any more.
    #[error(
        "{backup} is being deleted right now\n  hint: hold another one; `pgkeep list` shows what is there"
    )]
    Going {
        /// Name and id.
        backup: String,
    },
    /// There is nothing to release.
    #[error("{backup} is not held\n  hint: `pgkeep list` shows which are")]
    NotHeld {
        /// Name and id.
        backup: String,
    },
    /// The index of a store could not be written. It only saves time.
    #[error("{object}: the index could not be written: {why}")]
    Index {
        /// Its URL.
        object: String,
        /// Why.
        why: String,
    },
    /// A copy cannot be made because of what is in its place.
    #[error("{object}: {why}\n  hint: nothing was changed; look at both by `pgkeep show`")]
    Taken {
        /// Its URL.
        object: String,
        /// What stands in the way.
        why: String,
    },
    /// A file that holds no key for records of drills.
    #[error("key for records of drills {place}: {why}\n  hint: {hint}")]
    DrillKey {
        /// The file.
        place: String,
        /// Why.
        why: String,
        /// What to do.
        hint: String,
    },
    /// The run was asked to stop.
    #[error("stopped: the run was asked to stop")]
    Cancelled,
}

fn owners(recipients: &[String]) -> String {
    match recipients {
        [] => "somebody whom it was encrypted to".into(),
        known => known.join(" or "),
    }
}

impl From<aws_lc_rs::error::Unspecified> for KeepError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        KeepError::Crypto
    }
}
