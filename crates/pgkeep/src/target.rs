//! Objects of the store as the place that a dump goes to.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pgkeep_archive::TOC_FILE;
use pgkeep_engine::Result;
use pgkeep_engine::dump::{DirectoryTarget, ObjectTarget};
use pgkeep_keep::encryption::EXTENSION;
use pgkeep_keep::{ObjectRecord, directory_of};
use pgkeep_store::{Finished, Store, StoreError, Upload, UploadPlan};

/// The archive of one backup, being uploaded. Dropped unfinished, it leaves nothing in the store.
pub(crate) struct ArchiveUpload<'s> {
    store: &'s Store,
    key: String,
    upload: Option<Upload>,
    finished: Option<Finished>,
}

impl<'s> ArchiveUpload<'s> {
    pub(crate) fn new(store: &'s Store, key: String) -> Self {
        ArchiveUpload { store, key, upload: None, finished: None }
    }

    /// What was uploaded, once it is whole.
    pub(crate) fn finished(&self) -> Option<&Finished> {
        self.finished.as_ref()
    }

    fn start(&mut self, plan: UploadPlan) -> Result<()> {
        self.upload = Some(self.store.start_upload(&self.key, plan)?);
        Ok(())
    }
}

impl ObjectTarget for ArchiveUpload<'_> {
    fn begin(&mut self, head_len: u64, expected_size: u64) -> Result<()> {
        self.start(UploadPlan::new(head_len, expected_size))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.upload {
            Some(upload) => Ok(upload.write(bytes)?),
            None => Ok(()),
        }
    }

    fn finish(&mut self, head: Vec<u8>) -> Result<()> {
        if let Some(upload) = self.upload.take() {
            self.finished = Some(upload.finish(head)?);
        }
        Ok(())
    }
}

/// The files of one archive in the directory format, being uploaded. An unfinished file leaves nothing in the store,
/// finished ones stay until [`discard`](Self::discard).
pub(crate) struct DirectoryUpload<'s> {
    store: &'s Store,
    directory: String,
    files: Mutex<BTreeMap<String, Finished>>,
}

impl<'s> DirectoryUpload<'s> {
    pub(crate) fn new(store: &'s Store, directory: String) -> Self {
        DirectoryUpload { store, directory, files: Mutex::default() }
    }

    /// What was uploaded: the table of contents, once it is there, and the rest.
    pub(crate) fn records(&self) -> Option<(ObjectRecord, Vec<ObjectRecord>)> {
        let mut records: Vec<ObjectRecord> = self
            .files()
            .iter()
            .map(|(name, finished)| ObjectRecord::new(&self.key(name), finished))
            .collect();
        let at = records.iter().position(|r| directory_of(&r.key) == Some(&self.directory))?;
        Some((records.remove(at), records))
    }

    /// Removes what was uploaded, first of all what makes it look like an archive.
    ///
    /// # Errors
    /// The store's: something may be left.
    pub(crate) fn discard(self) -> Result<(), StoreError> {
        let toc = self.key(TOC_FILE);
        self.store.delete(&format!("{toc}{EXTENSION}"))?;
        self.store.delete(&toc)?;
        self.files().keys().try_for_each(|name| self.store.delete(&self.key(name)))
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Finished>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DirectoryTarget for DirectoryUpload<'_> {
    fn create(&self, name: &str) -> Result<Box<dyn ObjectTarget + '_>> {
        let upload = ArchiveUpload::new(self.store, self.key(name));
        Ok(Box::new(FileUpload { directory: self, name: name.to_owned(), upload }))
    }
}

struct FileUpload<'d> {
    directory: &'d DirectoryUpload<'d>,
    name: String,
    upload: ArchiveUpload<'d>,
}

impl ObjectTarget for FileUpload<'_> {
    fn begin(&mut self, head_len: u64, expected_size: u64) -> Result<()> {
        // Many files are under way at a time: one part of each is enough.
        self.upload.start(UploadPlan { concurrency: 1, ..UploadPlan::new(head_len, expected_size) })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.upload.write(bytes)
    }

    fn finish(&mut self, head: Vec<u8>) -> Result<()> {
        self.upload.finish(head)?;
        if let Some(finished) = self.upload.finished.take() {
            self.directory.files().insert(self.name.clone(), finished);
        }
        Ok(())
    }
}
