//! Encryption on the way to where a dump goes.

use std::ops::DerefMut;

use pgkeep_engine::dump::{DirectoryTarget, ObjectTarget};
use pgkeep_engine::{EngineError, ErrorKind, Result};
use pgkeep_keep::KeepError;
use pgkeep_keep::encryption::{EXTENSION, HeadLastSealer, Recipients};

/// Plain bytes that are encrypted at a time.
const PIECE: usize = 1 << 20;

/// An object that is encrypted on its way to another.
pub(crate) struct SealedTarget<'r, T> {
    inner: T,
    recipients: &'r Recipients,
    sealer: Option<HeadLastSealer>,
    expected_size: u64,
    begun: bool,
    out: Vec<u8>,
}

impl<'r, T> SealedTarget<'r, T>
where
    T: DerefMut<Target: ObjectTarget> + Send,
{
    pub(crate) fn new(inner: T, recipients: &'r Recipients) -> Self {
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

impl<T> ObjectTarget for SealedTarget<'_, T>
where
    T: DerefMut<Target: ObjectTarget> + Send,
{
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

/// A directory whose files are encrypted each on its own, and are named so.
pub(crate) struct SealedDirectory<'r> {
    pub(crate) inner: &'r dyn DirectoryTarget,
    pub(crate) recipients: &'r Recipients,
}

impl DirectoryTarget for SealedDirectory<'_> {
    fn create(&self, name: &str) -> Result<Box<dyn ObjectTarget + '_>> {
        let file = self.inner.create(&format!("{name}{EXTENSION}"))?;
        Ok(Box::new(SealedTarget::new(file, self.recipients)))
    }
}

fn encrypting(e: KeepError) -> EngineError {
    EngineError::new(ErrorKind::Other, "encrypting the archive", e.to_string())
}
