//! An object of the store as the place that a dump goes to.

use pgkeep_engine::dump::ObjectTarget;
use pgkeep_engine::{EngineError, ErrorKind, Result};
use pgkeep_keep::KeepError;
use pgkeep_keep::encryption::{HeadLastSealer, Recipients};
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

/// Plain bytes that are encrypted at a time.
const PIECE: usize = 1 << 20;

/// A target that encrypts on the way to another.
pub(crate) struct SealedTarget<'t> {
    inner: &'t mut dyn ObjectTarget,
    recipients: &'t Recipients,
    sealer: Option<HeadLastSealer>,
    expected_size: u64,
    begun: bool,
    out: Vec<u8>,
}

impl<'t> SealedTarget<'t> {
    pub(crate) fn new(inner: &'t mut dyn ObjectTarget, recipients: &'t Recipients) -> Self {
        SealedTarget { inner, recipients, sealer: None, expected_size: 0, begun: false, out: Vec::new() }
    }

    /// Hands on what is encrypted, of an object whose encrypted head has this length.
    fn hand_on(&mut self, head_len: u64) -> Result<()> {
        if !self.begun {
            self.inner.begin(head_len, self.expected_size)?;
            self.begun = true;
        }
        self.inner.write(&self.out)?;
        self.out.clear();
        Ok(())
    }
}

impl ObjectTarget for SealedTarget<'_> {
    fn begin(&mut self, head_len: u64, expected_size: u64) -> Result<()> {
        self.sealer = Some(HeadLastSealer::new(self.recipients, head_len).map_err(encrypting)?);
        self.expected_size = expected_size;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        for piece in bytes.chunks(PIECE) {
            let Some(sealer) = &mut self.sealer else { return Ok(()) };
            sealer.write(piece, &mut self.out).map_err(encrypting)?;
            if !self.out.is_empty() {
                let head_len = sealer.head_len();
                self.hand_on(head_len)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, head: Vec<u8>) -> Result<()> {
        let Some(sealer) = self.sealer.take() else { return Ok(()) };
        let head = sealer.finish(head, &mut self.out).map_err(encrypting)?;
        self.hand_on(head.len() as u64)?;
        self.inner.finish(head)
    }
}

fn encrypting(e: KeepError) -> EngineError {
    EngineError::new(ErrorKind::Other, "encrypting the archive", e.to_string())
}
