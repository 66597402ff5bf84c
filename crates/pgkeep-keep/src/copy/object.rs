//! One object from one store to another.

use bytes::Bytes;
use crossbeam_channel::bounded;
use pgkeep_store::{Store, UploadPlan};
use sha2::{Digest, Sha256};

use crate::error::{KeepError, Result};
use crate::manifest::{ObjectRecord, hex};

/// Bytes that are asked for at once.
const CHUNK: u64 = 8 << 20;
/// Chunks that are read ahead.
const AHEAD: usize = 2;

/// How an object came.
pub(super) enum Sent {
    /// Through this process; why, where the store was to copy it by itself.
    Streamed(Option<String>),
    ByStore,
}

/// What there is of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum There {
    Nothing,
    /// Something else than its record says.
    Damaged,
    Whole,
}

/// Whether the object is there and is what its record says, by all its hashes.
pub(super) fn look(
    store: &Store,
    record: &ObjectRecord,
    on_bytes: &(dyn Fn(u64) -> bool + Sync),
) -> Result<There> {
    match store.head(&record.key) {
        Ok(info) if info.size == record.size => {}
        Ok(_) => return Ok(There::Damaged),
        Err(e) if e.is_not_found() => return Ok(There::Nothing),
        Err(e) => return Err(e.into()),
    }
    match read(store, record, on_bytes, |_| Ok(())) {
        Ok(()) => Ok(There::Whole),
        Err(KeepError::Damaged { .. }) => Ok(There::Damaged),
        Err(e) => Err(e),
    }
}

/// Copies the object: within the store where that can be, else through this process. What is there in its place goes only
/// when the copy is whole.
pub(super) fn bring(
    from: &Store,
    to: &Store,
    record: &ObjectRecord,
    there: There,
    on_bytes: &(dyn Fn(u64) -> bool + Sync),
) -> Result<Sent> {
    let mut why = None;
    if there == There::Nothing && to.can_copy_from(from) {
        match by_store(from, to, record, on_bytes) {
            Ok(()) => return Ok(Sent::ByStore),
            Err(KeepError::Cancelled) => return Err(KeepError::Cancelled),
            // For want of a right, say; what is wrong with the original shows below.
            Err(e) => why = Some(e.to_string()),
        }
    }
    let can = to.capabilities();
    let as_it_was = (can.min_part_size..=can.max_part_size).contains(&record.part_size)
        && record.parts.len() <= can.part_limit as usize;
    let plan = UploadPlan {
        expected_size: record.size,
        part_size: as_it_was.then_some(record.part_size),
        ..UploadPlan::default()
    };
    let mut upload = to.start_upload(&record.key, plan)?;
    // Dropped on the way, the upload leaves nothing.
    read(from, record, on_bytes, |bytes| Ok(upload.write(bytes)?))?;
    upload.finish(Vec::new())?;
    Ok(Sent::Streamed(why))
}

/// Lets the store copy. Its copy is read once unless the store itself says that it has the original's bytes.
fn by_store(
    from: &Store,
    to: &Store,
    record: &ObjectRecord,
    on_bytes: &(dyn Fn(u64) -> bool + Sync),
) -> Result<()> {
    if to.copy_from(&record.key, from, &record.key, Some(record.part_size))?.is_equal {
        return if on_bytes(record.size) { Ok(()) } else { Err(KeepError::Cancelled) };
    }
    if look(to, record, on_bytes)? == There::Whole {
        return Ok(());
    }
    to.delete(&record.key)?;
    let why = "what the store copied is not what the manifest says".into();
    Err(KeepError::Damaged { object: to.url_of(&record.key), why })
}

/// Reads the object, a little ahead, and checks each part against its hash before the next is begun.
fn read(
    store: &Store,
    record: &ObjectRecord,
    on_bytes: &(dyn Fn(u64) -> bool + Sync),
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let (send, chunks) = bounded::<Result<Bytes>>(AHEAD);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for (start, end) in pieces(record) {
                let bytes = store.get_range(&record.key, start..end).map_err(KeepError::from);
                let failed = bytes.is_err();
                if send.send(bytes).is_err() || failed {
                    return;
                }
            }
        });
        let (mut hash, mut parts) = (Sha256::new(), record.parts.iter());
        for (start, end) in pieces(record) {
            let bytes = chunks.recv().map_err(|_| KeepError::Cancelled)??;
            if !on_bytes(bytes.len() as u64) {
                return Err(KeepError::Cancelled);
            }
            let damaged = |why: String| KeepError::Damaged { object: store.url_of(&record.key), why };
            if bytes.len() as u64 != end - start {
                return Err(damaged(format!("it ends at byte {}", start + bytes.len() as u64)));
            }
            hash.update(&bytes);
            if end == record.size || end % record.part_size == 0 {
                let digest = hex(&std::mem::take(&mut hash).finalize());
                if parts.next() != Some(&digest) {
                    let part = (end - 1) / record.part_size * record.part_size;
                    let why = format!("bytes {part} to {end} are not those that were written (SHA-256)");
                    return Err(damaged(why));
                }
            }
            take(&bytes)?;
        }
        Ok(())
    })
}

/// The ranges in which the object is read: none reaches over the end of a part.
fn pieces(record: &ObjectRecord) -> impl Iterator<Item = (u64, u64)> + use<> {
    let (size, part) = (record.size, record.part_size.max(1));
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        at = size.min(start + CHUNK.min(part - start % part));
        (start < size).then_some((start, at))
    })
}
