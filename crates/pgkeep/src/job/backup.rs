//! One database into a store.

use jiff::Timestamp;
use pgkeep_archive::Algorithm;
use pgkeep_engine::dump::{DumpOptions, DumpTarget, dump};
use pgkeep_engine::globals::Globals;
use pgkeep_engine::progress::Progress;
use pgkeep_engine::{Cancel, ConnInfo};
use pgkeep_keep::{
    BackupId, GlobalsRecord, KeyFacts, KeyTemplate, MANIFEST_VERSION, Manifest, ObjectRecord, Run, sweep,
};
use pgkeep_store::Store;

use crate::failure::{Exit, Failure, Result};
use crate::target::ArchiveUpload;

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
}

impl BackupJob<'_> {
    /// Dumps into the store; the manifest, written last, makes it a backup.
    ///
    /// # Errors
    /// The database's, the store's. Nothing that looks like a backup is left then.
    pub(crate) fn run(&self, progress: &Progress, cancel: &Cancel) -> Result<Manifest> {
        let BackupJob { store, name, key, info, globals, dump: options } = *self;
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
        // The mark comes first: a store that cannot be written to is noticed before the database is touched.
        let run = Run::begin(store, name, &id, &key)?;
        for swept in sweep(store, Timestamp::now())? {
            progress
                .note(format!("removed what the interrupted backup {} of {} had left", swept.id, swept.name));
        }
        let mut upload = ArchiveUpload::new(store, key.clone());
        let report = dump(info, options, DumpTarget::Object(&mut upload), progress, cancel)?;
        let finished = upload
            .finished()
            .ok_or_else(|| Failure::new(Exit::Failed, "failed", "the archive was not finished"))?;
        let manifest = Manifest {
            manifest_version: MANIFEST_VERSION,
            pgkeep_version: env!("CARGO_PKG_VERSION").into(),
            id: id.to_string(),
            name: name.to_owned(),
            started,
            finished: Timestamp::now(),
            object: ObjectRecord::new(&key, finished),
            files: Vec::new(),
            globals: globals
                .map(|g| GlobalsRecord::new(&id.globals_key(name), &g.sql, g.source.clone(), g.passwords)),
            adopted: None,
            dump: report,
        };
        let commit = || {
            if let Some(g) = globals {
                store.put(&id.globals_key(name), g.sql.clone().into())?;
            }
            store.put_if_absent(&id.manifest_key(name), manifest.to_json().into())
        };
        if let Err(e) = commit() {
            // Without its manifest the archive is no backup; it must not stay as something that looks like one.
            let _ = store.delete(&key);
            let _ = store.delete(&id.globals_key(name));
            return Err(e.into());
        }
        if let Err(e) = run.end() {
            progress.note(format!("the backup is whole; its run mark could not be removed: {e}"));
        }
        Ok(manifest)
    }
}
