//! An upload into a bucket: parts of the body as they fill up, the parts that hold the head last.

use bytes::Bytes;
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{PutMultipartOptions, PutOptions, PutPayload};
use std::sync::Arc;
use tokio::task::JoinSet;

use super::conditional;
use super::promises;
use super::store::{Remote, stat};
use crate::backend::Sink;
use crate::error::{Result, StoreError};
use crate::runtime::{handle, run};
use crate::types::{Finished, PartHash};
use crate::upload::hash::PartHasher;
use crate::upload::plan::Sizes;

/// A part that has been stored.
struct Stored {
    index: usize,
    id: PartId,
    hash: PartHash,
}

/// The sink.
pub(crate) struct PartsSink {
    remote: Arc<Remote>,
    key: String,
    path: Path,
    sizes: Sizes,
    position: u64,
    /// The body bytes that share the parts of the head; they wait for it.
    first: Vec<u8>,
    /// The part being filled, and its index.
    current: Vec<u8>,
    index: usize,
    token: String,
    id: Option<String>,
    sending: JoinSet<Result<Stored>>,
    stored: Vec<Stored>,
}

impl PartsSink {
    pub(crate) fn new(remote: Arc<Remote>, key: &str, sizes: Sizes) -> Result<PartsSink> {
        Ok(PartsSink {
            path: remote.path(key)?,
            remote,
            key: key.to_owned(),
            position: sizes.head_len,
            first: Vec::new(),
            current: Vec::new(),
            index: usize::try_from(sizes.head_end / sizes.part_size).unwrap_or(usize::MAX),
            token: conditional::token(),
            id: None,
            sending: JoinSet::new(),
            stored: Vec::new(),
            sizes,
        })
    }

    /// Begins the multipart upload if that has not happened.
    pub(crate) fn begin(&mut self) -> Result<String> {
        if let Some(id) = &self.id {
            return Ok(id.clone());
        }
        let (remote, path, key) = (self.remote.clone(), self.path.clone(), self.key.clone());
        let attributes = conditional::with_token(&remote.attributes, &self.token);
        let id = run(async move {
            let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
            let begun = match remote.begins.create_multipart_opts(&path, options).await {
                // Azure: no token then, and none needed, since a block list can be committed twice.
                Err(object_store::Error::NotSupported { .. }) if remote.attributes.is_empty() => {
                    remote.begins.create_multipart(&path).await
                }
                begun => begun,
            };
            begun.map_err(|e| remote.fail(&key, &e))
        })?;
        self.id = Some(id.clone());
        Ok(id)
    }

    /// Sends a part, after waiting for another if enough are under way.
    fn send(&mut self, index: usize, body: Vec<Bytes>) -> Result<()> {
        let id = self.begin()?;
        while self.sending.len() >= self.sizes.concurrency {
            self.wait_for_one()?;
        }
        let (remote, path, key) = (self.remote.clone(), self.path.clone(), self.key.clone());
        let work = async move {
            let hash = hash_off_thread(body.clone());
            let put = remote.parts.put_part(&path, &id, index, PutPayload::from_iter(body));
            let (put, hash) = tokio::join!(put, hash);
            let id = put.map_err(|e| of_upload(&remote, &key, &e))?;
            Ok(Stored { index, id, hash: hash.map_err(|cause| broken(&remote.url.of(&key), &cause))? })
        };
        self.sending.spawn_on(work, handle()?);
        Ok(())
    }

    fn wait_for_one(&mut self) -> Result<()> {
        let mut sending = std::mem::take(&mut self.sending);
        let (sending, joined) = run(async move {
            let joined = sending.join_next().await;
            Ok((sending, joined))
        })?;
        self.sending = sending;
        match joined {
            Some(Ok(stored)) => self.stored.push(stored?),
            Some(Err(e)) => return Err(broken(&self.remote.url.of(&self.key), &e.to_string())),
            None => {}
        }
        Ok(())
    }

    /// The parts that hold the head, put together without copying.
    fn head_parts(&mut self, head: Vec<u8>) -> Vec<Vec<Bytes>> {
        let mut left = [Bytes::from(head), Bytes::from(std::mem::take(&mut self.first))];
        let mut parts = Vec::new();
        while left.iter().any(|b| !b.is_empty()) {
            let mut room = in_memory(self.sizes.part_size);
            let mut part = Vec::new();
            for bytes in &mut left {
                let piece = bytes.split_to(bytes.len().min(room));
                room -= piece.len();
                if !piece.is_empty() {
                    part.push(piece);
                }
            }
            parts.push(part);
        }
        parts
    }

    /// An object that fits into one part: a plain put.
    fn put_whole(&mut self, body: Vec<Bytes>) -> Result<Finished> {
        self.abort()?;
        let (remote, path, key) = (self.remote.clone(), self.path.clone(), self.key.clone());
        let (size, part_size) = (self.position, self.sizes.part_size);
        run(async move {
            let options = PutOptions { attributes: remote.attributes.clone(), ..PutOptions::default() };
            let put = remote.puts.put_opts(&path, PutPayload::from_iter(body.clone()), options).await;
            let etag = put.map_err(|e| remote.fail(&key, &e))?.e_tag;
            promises::check(&remote, &key, &[]).await?;
            let hash = hash_off_thread(body).await.map_err(|e| broken(&remote.url.of(&key), &e))?;
            let parts = if size == 0 { Vec::new() } else { vec![hash] };
            Ok(Finished { size, part_size, parts, etag })
        })
    }

    /// Makes one object of the stored parts.
    fn complete(&mut self) -> Result<Finished> {
        let id = self.begin()?;
        self.stored.sort_unstable_by_key(|s| s.index);
        let parts: Vec<_> = self.stored.iter().map(|s| s.hash).collect();
        let hashes = parts.clone();
        let ids: Vec<_> = self.stored.iter().map(|s| s.id.clone()).collect();
        let (remote, path, key) = (self.remote.clone(), self.path.clone(), self.key.clone());
        let (size, part_size, token) = (self.position, self.sizes.part_size, self.token.clone());
        let etag = run(async move {
            let completed = remote.parts.complete_multipart(&path, &id, ids).await;
            // Not every server tells the tag with its answer, and what it made is better seen than believed.
            let there = stat(&*remote.control, &path).await;
            let etag = match (completed, there) {
                (Ok(_), Ok(there)) if there.meta.size == size => Ok(there.meta.e_tag),
                (Ok(_), Ok(there)) if conditional::is_ours(&there.attributes, &token) => {
                    Err(StoreError::new(
                        StoreError::Other,
                        remote.url.of(&key),
                        format_args!("{size} bytes were sent, the store has {}", there.meta.size),
                        "do not use this object; the store is at fault",
                    ))
                }
                // Replaced by somebody else already, or we may write but not read.
                (Ok(put), _) => Ok(put.e_tag.filter(|tag| !tag.is_empty())),
                // The answer got lost and the request was sent again: the upload is gone because it
                // has become the object.
                (Err(_), Ok(there))
                    if there.meta.size == size && conditional::is_ours(&there.attributes, &token) =>
                {
                    Ok(there.meta.e_tag)
                }
                (Err(e), _) => Err(of_upload(&remote, &key, &e)),
            }?;
            promises::check(&remote, &key, &hashes).await?;
            Ok(etag)
        })?;
        self.id = None;
        Ok(Finished { size, part_size, parts, etag })
    }
}

/// Hashes a part on a thread that may be kept busy.
async fn hash_off_thread(body: Vec<Bytes>) -> Result<PartHash, String> {
    let hash = move || {
        let mut hasher = PartHasher::new(u64::MAX);
        body.iter().for_each(|b| hasher.update(b));
        hasher.finish().pop().unwrap_or(PartHash { size: 0, sha256: [0; 32] })
    };
    tokio::task::spawn_blocking(hash).await.map_err(|e| e.to_string())
}

/// The meaning of an error of a multipart upload: that it is not found is no matter of an object.
fn of_upload(remote: &Remote, key: &str, e: &object_store::Error) -> StoreError {
    match remote.fail(key, e) {
        StoreError::NotFound(detail) => StoreError::new(
            StoreError::Interrupted,
            detail.url,
            detail.cause,
            "somebody else has aborted this upload, by hand or by a lifecycle rule of the bucket: begin a new one",
        ),
        e => e,
    }
}

/// A length as one of something in memory.
fn in_memory(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

fn broken(url: &str, cause: &str) -> StoreError {
    StoreError::new(StoreError::Other, url, cause, "this is a bug in pgkeep")
}

impl Sink for PartsSink {
    fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        let end = self.position.saturating_add(bytes.len() as u64);
        self.sizes.check_end(&self.remote.url.of(&self.key), end)?;
        while !bytes.is_empty() {
            let (into, room) = match self.sizes.head_end.saturating_sub(self.position) {
                0 => {
                    // Sent only when there is more to come: an object of one part is put plainly.
                    if self.current.len() as u64 == self.sizes.part_size {
                        let part = Bytes::from(std::mem::take(&mut self.current));
                        self.send(self.index, vec![part])?;
                        self.index += 1;
                    }
                    if self.current.capacity() == 0 {
                        self.current.reserve_exact(in_memory(self.sizes.part_size));
                    }
                    let room = self.sizes.part_size - self.current.len() as u64;
                    (&mut self.current, room)
                }
                room => {
                    if self.first.capacity() == 0 {
                        self.first.reserve_exact(in_memory(room));
                    }
                    (&mut self.first, room)
                }
            };
            let (now, later) = bytes.split_at(bytes.len().min(in_memory(room)));
            into.extend_from_slice(now);
            self.position += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn id(&self) -> Option<String> {
        self.id.clone()
    }

    fn finish(&mut self, head: Vec<u8>) -> Result<Finished> {
        let mut parts: Vec<_> = self.head_parts(head).into_iter().enumerate().collect();
        if !self.current.is_empty() {
            parts.insert(0, (self.index, vec![Bytes::from(std::mem::take(&mut self.current))]));
        }
        if self.position <= self.sizes.part_size {
            return self.put_whole(parts.into_iter().flat_map(|(_, part)| part).collect());
        }
        for (index, part) in parts {
            self.send(index, part)?;
        }
        while !self.sending.is_empty() {
            self.wait_for_one()?;
        }
        self.complete()
    }

    fn abort(&mut self) -> Result<()> {
        let Some(id) = self.id.take() else { return Ok(()) };
        let mut sending = std::mem::take(&mut self.sending);
        let (remote, path, key) = (self.remote.clone(), self.path.clone(), self.key.clone());
        run(async move {
            // A part that arrives after the abort would stay and be paid for
            // (https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html), so the
            // sending ends first, and if any was cut off the abort is sent twice.
            let cut_off = !sending.is_empty();
            sending.shutdown().await;
            let abort = async || match remote.parts.abort_multipart(&path, &id).await {
                Err(e) => match remote.fail(&key, &e) {
                    StoreError::NotFound(_) => Ok(()),
                    e => Err(e),
                },
                Ok(()) => Ok(()),
            };
            abort().await?;
            if cut_off {
                let _ = abort().await;
            }
            Ok(())
        })
    }
}
