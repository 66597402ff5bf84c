//! One database into a store.

use jiff::Timestamp;
use pgkeep_archive::Algorithm;
use pgkeep_engine::dump::{DumpOptions, DumpTarget, dump};
use pgkeep_engine::globals::Globals;
use pgkeep_engine::progress::Progress;
use pgkeep_engine::{Cancel, ConnInfo};
use pgkeep_keep::encryption::{EXTENSION, EncryptionRecord, Recipients, seal_bytes};
use pgkeep_keep::{
    BackupId, GlobalsRecord, KeyFacts, KeyTemplate, MANIFEST_VERSION, Manifest, ObjectRecord, Run, sweep,
};
use pgkeep_store::Store;

use crate::failure::{Exit, Failure, Result};
use crate::keys;
use crate::target::{ArchiveUpload, SealedTarget};

/// A backup to be made.
pub(crate) struct BackupJob<'j> {
    /// Where it goes.
    pub(crate) store: &'j Store,
    /// The name it is kept under, fit for a key (`safe_name`).
    pub(crate) name: &'j str,
    /// Where in the store the archive stands.
    pub(crate) key: &'j KeyTemplate,
    /// The database.
    pub(crate) info: &'j ConnInfo,
    /// The server's roles and tablespaces, to be kept beside the archive.
    pub(crate) globals: Option<&'j Globals>,
    /// How it is dumped.
    pub(crate) dump: &'j DumpOptions,
    /// Whom it is encrypted to; nobody for a backup that is not encrypted.
    pub(crate) recipients: &'j Recipients,
}

impl BackupJob<'_> {
    /// Dumps into the store; the manifest, written last, makes it a backup.
    ///
    /// # Errors
    /// The database's, the store's. Nothing that looks like a backup is left then.
    pub(crate) fn run(&self, progress: &Progress, cancel: &Cancel) -> Result<Manifest> {
        let BackupJob { store, name, key, info, globals, dump: options, recipients } = *self;
        let started = Timestamp::now();
        let id = BackupId::new(started);
        let codec = options.compression.map_or(Algorithm::None, |c| c.algorithm);
        let key = key.key(&KeyFacts {
            name,
            id: &id,
            database: &info.database,
            host: &info.host,
            started,
            extension: &options.format.extension(codec),
        })?;
        let encryption = (!recipients.is_empty()).then(|| EncryptionRecord::new(recipients));
        let ending = if encryption.is_some() { EXTENSION } else { "" };
        let key = format!("{key}{ending}");
        let globals_key = format!("{}{ending}", id.globals_key(name));
        // The mark comes first: a store that cannot be written to is noticed before the database is touched.
        let run = Run::begin(store, name, &id, &key)?;
        for swept in sweep(store, Timestamp::now())? {
            progress
                .note(format!("removed what the interrupted backup {} of {} had left", swept.id, swept.name));
        }
        let mut upload = ArchiveUpload::new(store, key.clone());
        let mut report = match encryption {
            None => dump(info, options, DumpTarget::Object(&mut upload), progress, cancel)?,
            Some(_) => {
                let mut sealed = SealedTarget::new(&mut upload, recipients);
                dump(info, options, DumpTarget::Object(&mut sealed), progress, cancel)?
            }
        };
        if let Some(warning) = keys::warning(recipients.len()) {
            progress.note(warning.clone());
            report.notes.push(warning);
        }
        let finished = upload
            .finished()
            .ok_or_else(|| Failure::new(Exit::Failed, "failed", "the archive was not finished"))?;
        let globals_sql = match globals {
            Some(g) if encryption.is_some() => seal_bytes(recipients, g.sql.clone())?,
            Some(g) => g.sql.clone(),
            None => Vec::new(),
        };
        let globals_record =
            globals.map(|g| GlobalsRecord::new(&globals_key, &globals_sql, g.source.clone(), g.passwords));
        let manifest = Manifest {
            manifest_version: MANIFEST_VERSION,
            pgkeep_version: env!("CARGO_PKG_VERSION").into(),
            id: id.to_string(),
            name: name.to_owned(),
            started,
            finished: Timestamp::now(),
            object: ObjectRecord::new(&key, finished),
            files: Vec::new(),
            globals: globals_record,
            encryption,
            adopted: None,
            dump: report,
        };
        let commit = || {
            if globals.is_some() {
                store.put(&globals_key, globals_sql.into())?;
            }
            store.put_if_absent(&id.manifest_key(name), manifest.to_json().into())
        };
        if let Err(e) = commit() {
            // Without its manifest the archive is no backup; it must not stay as something that looks like one.
            let _ = store.delete(&key);
            let _ = store.delete(&globals_key);
            return Err(e.into());
        }
        if let Err(e) = run.end() {
            progress.note(format!("the backup is whole; its run mark could not be removed: {e}"));
        }
        Ok(manifest)
    }
}
