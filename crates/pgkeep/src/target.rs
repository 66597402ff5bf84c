//! An object of the store as the place that a dump goes to.

use pgkeep_engine::Result;
use pgkeep_engine::dump::ObjectTarget;
use pgkeep_store::{Finished, Store, Upload, UploadPlan};

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
}

impl ObjectTarget for ArchiveUpload<'_> {
    fn begin(&mut self, head_len: u64, expected_size: u64) -> Result<()> {
        self.upload = Some(self.store.start_upload(&self.key, UploadPlan::new(head_len, expected_size))?);
        Ok(())
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
