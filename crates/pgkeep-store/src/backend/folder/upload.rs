//! An upload into a folder: the body is written where it belongs, the head before it at the end.
//!
//! Memory: one block being filled, one being hashed and [`QUEUE`] between them, of [`BLOCK`] bytes each,
//! whatever the part size.

use bytes::Bytes;
use std::io;
use std::os::unix::fs::FileExt;

use super::error::meaning;
use super::partial::Partial;
use super::store::info;
use super::writeback::Writeback;
use crate::backend::Sink;
use crate::error::{Result, StoreError};
use crate::types::{Finished, PartHash};
use crate::upload::hash::{PartHasher, PartHashing};
use crate::upload::plan::Sizes;

/// How much is written and hashed at once.
const BLOCK: usize = 256 << 10;
/// How many blocks may wait for the hash.
const QUEUE: usize = 8;

/// The sink.
pub(crate) struct FolderSink {
    url: String,
    id: String,
    partial: Partial,
    sizes: Sizes,
    /// Body bytes taken, as an absolute offset.
    position: u64,
    block: Vec<u8>,
    /// Hashes the parts behind those that hold the head.
    hashing: Option<PartHashing>,
    writeback: Option<Writeback>,
}

impl FolderSink {
    pub(crate) fn new(url: String, id: String, partial: Partial, sizes: Sizes) -> FolderSink {
        let position = sizes.head_len;
        FolderSink { url, id, partial, sizes, position, block: Vec::new(), hashing: None, writeback: None }
    }

    fn fail(&self, e: io::Error) -> StoreError {
        meaning(&self.url, &e)
    }

    /// Writes the filled block and hands it on to be hashed.
    fn flush(&mut self) -> Result<()> {
        let block = Bytes::from(std::mem::take(&mut self.block));
        if block.is_empty() {
            return Ok(());
        }
        let start = self.position - block.len() as u64;
        self.partial.file.write_all_at(&block, start).map_err(|e| self.fail(e))?;
        // Bytes before this lie in parts of the head and are hashed with it, at the end.
        let skip = self.sizes.head_end.saturating_sub(start).min(block.len() as u64);
        let rest = block.slice(usize::try_from(skip).unwrap_or(block.len())..);
        if rest.is_empty() {
            return Ok(());
        }
        self.pass_on(rest).map_err(|e| self.fail(e))
    }

    /// Hands a written block to the threads that hash it and bring it to the disk.
    fn pass_on(&mut self, block: Bytes) -> io::Result<()> {
        if self.hashing.is_none() {
            self.hashing = Some(PartHashing::start(self.sizes.part_size, QUEUE)?);
            self.writeback = Some(Writeback::start(&self.partial.file)?);
        }
        if let Some(hashing) = &self.hashing {
            hashing.push(block)?;
            self.block = hashing.spare();
        }
        match &mut self.writeback {
            Some(writeback) => writeback.grown(self.position),
            None => Ok(()),
        }
    }

    /// The hashes of the parts that hold the head; their body bytes are read back from the file.
    fn hash_head(&self, head: &[u8]) -> io::Result<Vec<PartHash>> {
        let mut hasher = PartHasher::new(self.sizes.part_size);
        hasher.update(head);
        let end = self.sizes.head_end.min(self.position);
        let mut at = self.sizes.head_len;
        let mut block = vec![0; BLOCK];
        while at < end {
            let len = usize::try_from(end - at).unwrap_or(BLOCK).min(BLOCK);
            let block = &mut block[..len];
            self.partial.file.read_exact_at(block, at)?;
            hasher.update(block);
            at += len as u64;
        }
        Ok(hasher.finish())
    }
}

impl Sink for FolderSink {
    fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.sizes.check_end(&self.url, self.position.saturating_add(bytes.len() as u64))?;
        while !bytes.is_empty() {
            if self.block.capacity() == 0 {
                self.block.reserve_exact(BLOCK);
            }
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(now);
            self.position += now.len() as u64;
            bytes = later;
            if self.block.len() == BLOCK {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn id(&self) -> Option<String> {
        Some(self.id.clone())
    }

    fn finish(&mut self, head: Vec<u8>) -> Result<Finished> {
        self.flush()?;
        self.partial.file.write_all_at(&head, 0).map_err(|e| self.fail(e))?;
        let mut parts = self.hash_head(&head).map_err(|e| self.fail(e))?;
        if let Some(hashing) = self.hashing.take() {
            parts.extend(hashing.finish().map_err(|e| self.fail(e))?);
        }
        if let Some(mut writeback) = self.writeback.take() {
            writeback.finish().map_err(|e| self.fail(e))?;
        }
        self.partial.publish().map_err(|e| self.fail(e))?;
        let meta = self.partial.file.metadata().map_err(|e| self.fail(e))?;
        let etag = info(String::new(), &meta).etag;
        Ok(Finished { size: self.position, part_size: self.sizes.part_size, parts, etag })
    }

    fn abort(&mut self) -> Result<()> {
        self.hashing = None;
        self.writeback = None;
        self.partial.remove().map_err(|e| self.fail(e))
    }
}
