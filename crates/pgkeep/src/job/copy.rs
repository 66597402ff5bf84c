//! One backup from store to store, from the first of several that has a whole copy.

use std::sync::atomic::Ordering;

use pgkeep_engine::Cancel;
use pgkeep_engine::progress::{Phase, Progress};
use pgkeep_keep::{Catalogue, Copied, KeepError, Listed, Look, copy};
use pgkeep_store::Store;

use crate::failure::{Exit, Failure, Result};

/// A copy to be made.
pub(crate) struct CopyJob<'j> {
    /// The backup.
    pub(crate) backup: &'j Listed,
    /// The stores that have it, the one to be preferred first.
    pub(crate) from: Vec<&'j Catalogue>,
    /// The store that is to have it.
    pub(crate) to: &'j Store,
    /// How a copy that is there already is looked at.
    pub(crate) look: Look,
}

impl CopyJob<'_> {
    /// Copies; an original that turns out damaged, or whose store fails, gives way to the next.
    ///
    /// # Errors
    /// The last original's.
    pub(crate) fn run(&self, progress: &Progress, cancel: &Cancel) -> Result<Copied> {
        progress.enter(Phase::Copying);
        let mut failure = Failure::new(Exit::Failed, "no-such-backup", "no store has a copy");
        for from in &self.from {
            progress.bytes.store(0, Ordering::Relaxed);
            let on_bytes = |n: u64| {
                Progress::add(&progress.bytes, n);
                !cancel.is_raised()
            };
            match copy(from, self.to, self.backup, self.look, &on_bytes) {
                Ok(copied) => {
                    if let Some(why) = &copied.streamed_because {
                        progress.note(format!(
                            "the store did not copy by itself, and the bytes were sent: {why}"
                        ));
                    }
                    return Ok(copied);
                }
                Err(e @ (KeepError::Cancelled | KeepError::Taken { .. })) => return Err(e.into()),
                Err(e) => {
                    progress.note(format!("copying from {}: {e}", from.store().url()));
                    failure = e.into();
                }
            }
        }
        Err(failure)
    }
}
