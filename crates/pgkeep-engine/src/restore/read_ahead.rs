//! Reading a stretch of the archive ahead of its use: a remote store answers while the server takes rows.

use std::io::{self, Read};
use std::thread::Scope;

use crossbeam_channel::{Receiver, bounded};
use pgkeep_archive::ReadAt;

use super::places::Place;
use crate::progress::Progress;

/// Bytes asked for at a time; a remote store answers each in one round trip.
const BLOCK: u64 = 2 << 20;
/// Blocks that wait to be used.
const AHEAD: usize = 3;

/// A reader over a stretch of the archive.
pub(crate) struct ReadAhead {
    blocks: Receiver<io::Result<Vec<u8>>>,
    block: Vec<u8>,
    used: usize,
}

impl ReadAhead {
    /// Begins to read. What fits one block is read here and now; for more a thread of `scope` reads on until the end
    /// or until this reader is dropped.
    pub(crate) fn begin<'scope>(
        scope: &'scope Scope<'scope, '_>,
        archive: &'scope (dyn ReadAt + Sync),
        place: Place,
        progress: &'scope Progress,
    ) -> ReadAhead {
        let (send, blocks) = bounded(AHEAD);
        let mut at = place.from;
        let mut next = move || -> Option<io::Result<Vec<u8>>> {
            if at >= place.to {
                return None;
            }
            let want = usize::try_from(BLOCK.min(place.to - at)).unwrap_or(usize::MAX);
            let block = read(archive, at, want);
            if let Ok(block) = &block {
                Progress::add(&progress.archive_bytes, block.len() as u64);
                at = if block.is_empty() { place.to } else { at + block.len() as u64 };
            } else {
                at = place.to;
            }
            Some(block)
        };
        if place.len() <= BLOCK {
            let block = next().unwrap_or_else(|| Ok(Vec::new()));
            let _ = send.send(block);
        } else {
            scope.spawn(move || {
                while let Some(block) = next() {
                    if send.send(block).is_err() {
                        break;
                    }
                }
            });
        }
        ReadAhead { blocks, block: Vec::new(), used: 0 }
    }
}

fn read(archive: &dyn ReadAt, at: u64, want: usize) -> io::Result<Vec<u8>> {
    let mut block = vec![0; want];
    let mut have = 0;
    while have < want {
        match archive.read_at(at + have as u64, &mut block[have..]) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    block.truncate(have);
    Ok(block)
}

impl Read for ReadAhead {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.used == self.block.len() {
            match self.blocks.recv() {
                Ok(block) => {
                    self.block = block?;
                    self.used = 0;
                }
                Err(_) => return Ok(0),
            }
        }
        let n = buf.len().min(self.block.len() - self.used);
        buf[..n].copy_from_slice(&self.block[self.used..self.used + n]);
        self.used += n;
        Ok(n)
    }
}
