//! Hashing a stream of bytes part by part, off the thread that makes them.

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded};
use sha2::{Digest, Sha256};
use std::io;
use std::thread::{self, JoinHandle};

use crate::types::PartHash;

/// Cuts what it is fed into parts and hashes each.
pub(crate) struct PartHasher {
    part_size: u64,
    filled: u64,
    hash: Sha256,
    done: Vec<PartHash>,
}

impl PartHasher {
    /// Hashes parts of `part_size` bytes.
    pub(crate) fn new(part_size: u64) -> PartHasher {
        PartHasher { part_size, filled: 0, hash: Sha256::new(), done: Vec::new() }
    }

    /// Takes the next bytes.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = usize::try_from(self.part_size - self.filled).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.hash.update(now);
            self.filled += now.len() as u64;
            bytes = later;
            if self.filled == self.part_size {
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        let sha256 = self.hash.finalize_reset().into();
        self.done.push(PartHash { size: std::mem::take(&mut self.filled), sha256 });
    }

    /// The hashes, with that of the last, shorter part if there is one.
    pub(crate) fn finish(mut self) -> Vec<PartHash> {
        if self.filled > 0 {
            self.cut();
        }
        self.done
    }
}

/// A thread with a [`PartHasher`] in it. Dropped unfinished, the thread ends by itself.
pub(crate) struct PartHashing {
    send: Sender<Bytes>,
    spare: Receiver<Vec<u8>>,
    thread: JoinHandle<Vec<PartHash>>,
}

impl PartHashing {
    /// Starts the thread; up to `queue` pushed blocks wait for it, then [`push`](Self::push) does.
    pub(crate) fn start(part_size: u64, queue: usize) -> io::Result<PartHashing> {
        let (send, receive) = bounded::<Bytes>(queue);
        let (give, spare) = bounded(queue);
        let thread = thread::Builder::new().name("pgkeep-hash".into()).spawn(move || {
            let mut hasher = PartHasher::new(part_size);
            for block in receive {
                hasher.update(&block);
                if let Ok(block) = block.try_into_mut() {
                    let mut block = Vec::from(block);
                    block.clear();
                    let _ = give.try_send(block);
                }
            }
            hasher.finish()
        })?;
        Ok(PartHashing { send, spare, thread })
    }

    /// An empty buffer of a block that was hashed, if one is at hand: fresh memory costs page faults.
    pub(crate) fn spare(&self) -> Vec<u8> {
        self.spare.try_recv().unwrap_or_default()
    }

    /// Hands on the next bytes.
    pub(crate) fn push(&self, block: Bytes) -> io::Result<()> {
        self.send.send(block).map_err(|_| io::Error::other("the hashing thread ended"))
    }

    /// Waits for the hashes.
    pub(crate) fn finish(self) -> io::Result<Vec<PartHash>> {
        drop(self.send);
        self.thread.join().map_err(|_| io::Error::other("the hashing thread ended"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(bytes: &[u8]) -> PartHash {
        PartHash { size: bytes.len() as u64, sha256: Sha256::digest(bytes).into() }
    }

    #[test]
    fn parts_are_cut_where_the_part_size_says_however_the_bytes_come() {
        let body: Vec<u8> = (0..1000u32).map(|i| i as u8).collect();
        for piece in [1, 7, 99, 100, 101, 1000] {
            let mut hasher = PartHasher::new(100);
            body.chunks(piece).for_each(|c| hasher.update(c));
            let want: Vec<_> = body.chunks(100).map(part).collect();
            assert_eq!(hasher.finish(), want, "in pieces of {piece}");
        }
    }

    #[test]
    fn nothing_has_no_parts() {
        assert_eq!(PartHasher::new(100).finish(), []);
    }
}
