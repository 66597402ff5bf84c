//! Somebody else's archive becomes a backup: it is read whole, and gets a manifest.

use jiff::Timestamp;
use pgkeep_engine::Cancel;
use pgkeep_engine::adopt::Adoptee;
use pgkeep_engine::progress::{Phase, Progress};
use pgkeep_engine::restore::{RestoreSource, ScriptSource};
use pgkeep_keep::encryption::{EncryptionRecord, Identities, SCHEME, is_sealed};
use pgkeep_keep::{
    BackupId, DatabaseIdentity, Format, MANIFEST_VERSION, Manifest, ObjectRecord, StoredArchive,
    directory_of, safe_name, verify, verify_script,
};
use pgkeep_store::Store;

use crate::failure::{Failure, Result};

/// An archive to be adopted.
pub(crate) struct AdoptJob<'j> {
    /// Where it is.
    pub(crate) store: &'j Store,
    /// Its key; of a directory that of its `toc.dat`.
    pub(crate) key: &'j str,
    /// The name to keep it under; else that of the database in the archive.
    pub(crate) name: Option<&'j str>,
    /// The secret keys, where it is encrypted.
    pub(crate) identities: &'j Identities,
    /// The database that it is of, if that is known.
    pub(crate) identity: Option<&'j DatabaseIdentity>,
}

impl AdoptJob<'_> {
    /// Reads it twice, for its hashes and for its rows, and writes the manifest.
    ///
    /// # Errors
    /// What a check of it finds; a usage error where nothing tells a name.
    pub(crate) fn run(&self, progress: &Progress, cancel: &Cancel) -> Result<Manifest> {
        let AdoptJob { store, key, name, identities, identity } = *self;
        let modified = store.head(key)?.modified;
        let archive = StoredArchive::open(store, key, identities)?;
        let size = archive.size();
        progress.enter(Phase::Proving);
        progress.bytes_expected.store(size.saturating_mul(2), std::sync::atomic::Ordering::Relaxed);
        let mut tick = |n: u64| {
            Progress::add(&progress.bytes, n);
            !cancel.is_raised()
        };
        let script = ScriptSource::open(&archive, archive.name())?.is_some();
        let source = if script { None } else { Some(RestoreSource::open(&archive)?) };
        let adoptee = Adoptee {
            source: source.as_ref(),
            format: match directory_of(key) {
                _ if script => Format::Plain,
                Some(_) => Format::Directory,
                None => Format::Custom,
            },
            size,
            modified,
            database: name.map(str::to_owned),
            identity: identity.cloned(),
        };
        let kept_as = kept_as(key, name, &adoptee)?;
        let mut objects = Vec::new();
        for key in keys(store, key)? {
            objects.push(ObjectRecord::read(store, &key, &mut tick)?);
        }
        let check = if script { verify_script } else { verify };
        let verified = check(store, key, None, identities, &mut tick)?;
        let report = adoptee.report(&verified.found).ok_or_else(|| no_name(key))?;
        // What pgkeep itself wrote and lost the manifest of is what it was.
        let id = match BackupId::of_own_key(key) {
            Some((_, id)) => id,
            None => BackupId::new(report.snapshot_time),
        };
        let manifest = Manifest {
            manifest_version: MANIFEST_VERSION,
            pgkeep_version: env!("CARGO_PKG_VERSION").into(),
            id: id.to_string(),
            name: kept_as.clone(),
            started: report.snapshot_time,
            finished: modified,
            object: objects.remove(0),
            files: objects,
            globals: None,
            encryption: is_sealed(key).then(|| encryption(store, key, identities)),
            copies: Vec::new(),
            adopted: Some(Timestamp::now()),
            dump: report,
        };
        store.put_if_absent(&id.manifest_key(&kept_as), manifest.to_json().into())?;
        Ok(manifest)
    }
}

/// Whose keys open it, as far as they are at hand: the object itself does not tell.
fn encryption(store: &Store, key: &str, identities: &Identities) -> EncryptionRecord {
    let opens = |one: &Identities| StoredArchive::open(store, key, one).is_ok();
    let recipients = identities.each().filter(opens).flat_map(|one| one.public()).collect();
    EncryptionRecord { scheme: SCHEME.into(), recipients }
}

fn kept_as(key: &str, name: Option<&str>, adoptee: &Adoptee<'_>) -> Result<String> {
    if let Some(name) = name {
        return Ok(safe_name(name));
    }
    if let Some((name, _)) = BackupId::of_own_key(key) {
        return Ok(name.to_owned());
    }
    adoptee.own_name().map(|name| safe_name(&name)).ok_or_else(|| no_name(key))
}

fn no_name(key: &str) -> Failure {
    Failure::usage(format!("{key}: a script does not tell which database it is of\n  hint: --name shop"))
}

/// The objects of an archive, the leading one first.
fn keys(store: &Store, key: &str) -> Result<Vec<String>> {
    let mut keys = vec![key.to_owned()];
    if let Some(directory) = directory_of(key) {
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        for object in store.list(&prefix)? {
            keys.push(object?.key);
        }
        keys[1..].sort();
        let mut seen = std::collections::HashSet::new();
        keys.retain(|k| seen.insert(k.clone()));
    }
    Ok(keys)
}
