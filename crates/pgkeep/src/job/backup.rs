//! One database into one store or several.

use std::time::Duration;

use jiff::Timestamp;
use pgkeep_archive::{Algorithm, TOC_FILE};
use pgkeep_engine::dump::{DumpOptions, DumpReport, DumpTarget, Format, dump};
use pgkeep_engine::globals::Globals;
use pgkeep_engine::progress::Progress;
use pgkeep_engine::{Cancel, ConnInfo};
use pgkeep_keep::encryption::{EXTENSION, EncryptionRecord, Recipients, seal_bytes};
use pgkeep_keep::{
    BackupId, GlobalsRecord, KeyFacts, KeyTemplate, MANIFEST_VERSION, Manifest, ObjectRecord, directory_of,
};
use pgkeep_store::{Mirror, Store};

use super::copies::Copies;
use super::deadline::within;
use crate::failure::{Exit, Failure, Result};
use crate::keys;
use crate::sealed::{SealedDirectory, SealedTarget};
use crate::target::{ArchiveUpload, DirectoryUpload};

/// A backup to be made.
pub(crate) struct BackupJob<'j> {
    /// Where it goes; one at least.
    pub(crate) stores: &'j [Store],
    /// With several stores: how long one may take nothing before the others go on without it.
    pub(crate) patience: Duration,
    /// How long it may take.
    pub(crate) max_duration: Option<Duration>,
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

/// All of a backup but its manifest.
struct Written {
    report: DumpReport,
    object: ObjectRecord,
    files: Vec<ObjectRecord>,
    globals: Option<GlobalsRecord>,
}

impl BackupJob<'_> {
    /// Dumps into the stores; the manifest, written last, makes it a backup. A store that fails is left behind as long as
    /// another goes on: then [`Manifest::copies`] says so.
    ///
    /// # Errors
    /// The database's, or the store's if none is left. Nothing that looks like a backup is left then.
    pub(crate) fn run(&self, progress: &Progress, cancel: &Cancel) -> Result<Manifest> {
        let BackupJob { stores, name, key, info, dump: options, .. } = *self;
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
        let key = match options.format {
            Format::Directory => format!("{key}/{TOC_FILE}"),
            Format::Custom | Format::Plain => key,
        };
        let key = self.sealed_name(key);
        // The marks come first: a store that cannot be written to is noticed before the database is touched.
        let mut copies = Copies::begin(stores, name, &id, started, &key, progress)?;
        let made = within(self.max_duration, cancel, |stop| {
            self.write(&mut copies, started, &id, &key, progress, stop)
        });
        match made {
            Ok(manifest) => {
                copies.end(progress);
                Ok(manifest)
            }
            Err(failure) => {
                copies.discard(progress);
                Err(failure)
            }
        }
    }

    /// Writes all there is of it.
    fn write(
        &self,
        copies: &mut Copies,
        started: Timestamp,
        id: &BackupId,
        key: &str,
        progress: &Progress,
        cancel: &Cancel,
    ) -> Result<Manifest> {
        let mirror = Mirror::new(copies.stores(), self.patience);
        let store = match copies.stores().as_slice() {
            [one] => one.clone(),
            _ => mirror.store(),
        };
        let written = self.write_into(&store, id, key, progress, cancel);
        copies.lose(&mirror.lost(), progress);
        let Written { mut report, object, files, globals } = written?;
        // An upload that is held back does not hear a stop before its block is through.
        cancel.check()?;
        if let Some(warning) = keys::warning(self.recipients.len()) {
            progress.note(warning.clone());
            report.notes.push(warning);
        }
        let mut manifest = Manifest {
            manifest_version: MANIFEST_VERSION,
            pgkeep_version: env!("CARGO_PKG_VERSION").into(),
            id: id.to_string(),
            name: self.name.to_owned(),
            started,
            finished: Timestamp::now(),
            object,
            files,
            globals,
            encryption: (!self.recipients.is_empty()).then(|| EncryptionRecord::new(self.recipients)),
            copies: copies.records(),
            adopted: None,
            dump: report,
        };
        copies.commit(&id.manifest_key(self.name), &mut manifest, progress)?;
        Ok(manifest)
    }

    /// Writes all but the manifest.
    fn write_into(
        &self,
        store: &Store,
        id: &BackupId,
        key: &str,
        progress: &Progress,
        cancel: &Cancel,
    ) -> Result<Written> {
        let is_plain = self.recipients.is_empty();
        let dump = |target| dump(self.info, self.dump, target, progress, cancel);
        let (report, written) = match directory_of(key) {
            Some(directory) => {
                let files = DirectoryUpload::new(store, directory.to_owned());
                let report = match is_plain {
                    true => dump(DumpTarget::Directory(&files))?,
                    false => {
                        let sealed = SealedDirectory { inner: &files, recipients: self.recipients };
                        dump(DumpTarget::Directory(&sealed))?
                    }
                };
                (report, files.records())
            }
            None => {
                let mut upload = ArchiveUpload::new(store, key.to_owned());
                let report = match is_plain {
                    true => dump(DumpTarget::Object(&mut upload))?,
                    false => dump(DumpTarget::Object(&mut SealedTarget::new(&mut upload, self.recipients)))?,
                };
                (report, upload.finished().map(|f| (ObjectRecord::new(key, f), Vec::new())))
            }
        };
        let (object, files) =
            written.ok_or_else(|| Failure::new(Exit::Failed, "failed", "the archive was not finished"))?;
        let globals = self.globals.map(|g| self.write_globals(store, id, g)).transpose()?;
        Ok(Written { report, object, files, globals })
    }

    fn write_globals(&self, store: &Store, id: &BackupId, globals: &Globals) -> Result<GlobalsRecord> {
        let sql = match self.recipients.is_empty() {
            true => globals.sql.clone(),
            false => seal_bytes(self.recipients, globals.sql.clone())?,
        };
        let key = self.sealed_name(id.globals_key(self.name));
        let record = GlobalsRecord::new(&key, &sql, globals.source.clone(), globals.passwords);
        store.put(&key, sql.into())?;
        Ok(record)
    }

    /// The key of what is written, which says whether it is encrypted.
    fn sealed_name(&self, key: String) -> String {
        if self.recipients.is_empty() { key } else { key + EXTENSION }
    }
}
