//! Has a growing file written to the disk while it grows, so that the sync at its end has little left to do.

use crossbeam_channel::{Sender, TrySendError, bounded};
use std::fs::File;
use std::io;
use std::thread::{self, JoinHandle};

/// Bytes between two syncs: some tenths of a second of a slow disk.
const STEP: u64 = 32 << 20;

/// A thread that syncs one file. Dropped unfinished, it ends by itself.
pub(super) struct Writeback {
    running: Option<(Sender<()>, JoinHandle<io::Result<()>>)>,
    asked: u64,
}

impl Writeback {
    /// Starts the thread for `file`.
    pub(super) fn start(file: &File) -> io::Result<Writeback> {
        let file = file.try_clone()?;
        let (begin, told) = bounded::<()>(1);
        let thread = thread::Builder::new().name("pgkeep-sync".into()).spawn(move || {
            // A failed write is told once per open file: it must not get lost here.
            told.iter().try_for_each(|()| file.sync_data())
        })?;
        Ok(Writeback { running: Some((begin, thread)), asked: 0 })
    }

    /// Says how far the file has grown.
    ///
    /// # Errors
    /// An earlier sync's.
    pub(super) fn grown(&mut self, position: u64) -> io::Result<()> {
        if position < self.asked + STEP {
            return Ok(());
        }
        self.asked = position;
        match self.running.as_ref().map(|(begin, _)| begin.try_send(())) {
            Some(Err(TrySendError::Disconnected(()))) => self.finish(),
            // Full: what is written now is part of the sync that is due.
            _ => Ok(()),
        }
    }

    /// Waits for what was begun.
    ///
    /// # Errors
    /// A sync's.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let Some((begin, thread)) = self.running.take() else { return Ok(()) };
        drop(begin);
        thread.join().map_err(|_| io::Error::other("the syncing thread ended"))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_that_cannot_be_synced_fails_the_upload() {
        // fsync on a pipe is EINVAL (fsync(2)).
        let (_read, write) = io::pipe().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(write));
        let mut writeback = Writeback::start(&file).unwrap();
        writeback.grown(STEP - 1).unwrap();
        writeback.grown(STEP).unwrap();
        assert_eq!(writeback.finish().unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_growing_file_is_synced() {
        let mut file = tempfile::tempfile().unwrap();
        let mut writeback = Writeback::start(&file).unwrap();
        for at in 1..5 {
            file.write_all(b"x").unwrap();
            writeback.grown(at * STEP).unwrap();
        }
        writeback.finish().unwrap();
    }
}
