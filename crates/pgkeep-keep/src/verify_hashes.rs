//! Comparing a backup's bytes with the hashes in its manifest, without reading what they mean: ranges in parallel, all
//! of them or a sample. It needs no key where the backup is encrypted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use pgkeep_store::Store;

use crate::damage::explain;
use crate::error::{KeepError, Result};
use crate::globals::stored_globals;
use crate::manifest::{Manifest, ObjectRecord};
use crate::verify::{check_part, check_sizes};
use crate::verify_parts::readers;

/// How much is read, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HashCheck {
    /// Ranges that are read at the same time.
    pub jobs: usize,
    /// The share of the parts to read, chosen at random, in percent; at least one part is read.
    pub percent: f64,
}

/// What was compared and found right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HashesVerified {
    /// Objects whose size was compared: all of them.
    pub objects: u64,
    /// Bytes of the archive.
    pub size: u64,
    /// Parts that the manifest has hashes of.
    pub parts: u64,
    /// Parts that were read.
    pub parts_read: u64,
    /// Bytes in them.
    pub bytes_read: u64,
}

/// A part of an object.
#[derive(Clone, Copy)]
struct Part<'m> {
    object: &'m ObjectRecord,
    index: usize,
}

impl Part<'_> {
    fn range(&self) -> std::ops::Range<u64> {
        let from = (self.index as u64).saturating_mul(self.object.part_size);
        from..self.object.size.min(from.saturating_add(self.object.part_size))
    }
}

/// Compares every object's size with the manifest, and the hash of every part that is to be read.
///
/// `tick` is called with the number of bytes read since the last call, and ends the check by returning false.
///
/// # Errors
/// `Damaged` telling what kind of damage it is, and of which bytes.
pub fn verify_hashes(
    store: &Store,
    manifest: &Manifest,
    check: &HashCheck,
    tick: &mut (dyn FnMut(u64) -> bool + Send),
) -> Result<HashesVerified> {
    let mut compared = || {
        check_sizes(store, manifest)?;
        let all = parts(store, manifest)?;
        let chosen = sample(&all, check.percent);
        let read = compare(store, &chosen, check.jobs, tick)?;
        Ok((all.len(), chosen.len(), read))
    };
    let (parts, parts_read, bytes_read) = compared().map_err(|e| explain(store, manifest, e))?;
    stored_globals(store, manifest)?;
    Ok(HashesVerified {
        objects: manifest.objects().count() as u64,
        size: manifest.size(),
        parts: parts as u64,
        parts_read: parts_read as u64,
        bytes_read,
    })
}

/// Every part that the manifest has a hash of.
fn parts<'m>(store: &Store, manifest: &'m Manifest) -> Result<Vec<Part<'m>>> {
    let mut all = Vec::new();
    for object in manifest.objects() {
        if object.size.div_ceil(object.part_size.max(1)) != object.parts.len() as u64 {
            let why = format!(
                "the manifest has {} hashes for {} bytes in parts of {}",
                object.parts.len(),
                object.size,
                object.part_size
            );
            return Err(KeepError::Damaged { object: store.url_of(&object.key), why });
        }
        all.extend((0..object.parts.len()).map(|index| Part { object, index }));
    }
    Ok(all)
}

fn sample<'m>(all: &[Part<'m>], percent: f64) -> Vec<Part<'m>> {
    let wanted = (all.len() as f64 * percent / 100.0).ceil() as usize;
    let mut indexes = fastrand::choose_multiple(0..all.len(), wanted.clamp(all.len().min(1), all.len()));
    indexes.sort_unstable();
    indexes.into_iter().filter_map(|i| all.get(i).copied()).collect()
}

enum Read<'m> {
    Right(u64),
    Wrong(Part<'m>, u64),
    Failed(KeepError),
}

/// Reads and compares; the bytes that were read.
fn compare(
    store: &Store,
    parts: &[Part<'_>],
    jobs: usize,
    tick: &mut (dyn FnMut(u64) -> bool + Send),
) -> Result<u64> {
    let next = AtomicUsize::new(0);
    let (send, receive) = crossbeam_channel::bounded(jobs);
    std::thread::scope(|scope| {
        let largest = parts.iter().map(|part| part.object.part_size).max().unwrap_or_default();
        for _ in 0..readers(jobs.min(parts.len()), largest) {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                while let Some(part) = parts.get(next.fetch_add(1, Relaxed)) {
                    if send.send(read(store, *part)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        let (mut bytes, mut wrong) = (0, BTreeMap::<&str, Vec<Part<'_>>>::new());
        // Owned here, so that leaving early ends the readers.
        for read in receive {
            let n = match read {
                Read::Right(n) => n,
                Read::Wrong(part, n) => {
                    wrong.entry(&part.object.key).or_default().push(part);
                    n
                }
                Read::Failed(e) => return Err(e),
            };
            bytes += n;
            if !tick(n) {
                return Err(KeepError::Cancelled);
            }
        }
        match wrong.into_iter().next() {
            None => Ok(bytes),
            Some((key, wrong)) => Err(KeepError::Damaged { object: store.url_of(key), why: words(wrong) }),
        }
    })
}

fn read<'m>(store: &Store, part: Part<'m>) -> Read<'m> {
    let range = part.range();
    match store.get_range(&part.object.key, range.clone()) {
        Err(e) => Read::Failed(e.into()),
        Ok(bytes) => match check_part(part.index, range.start, &bytes, &part.object.parts) {
            Ok(()) => Read::Right(bytes.len() as u64),
            Err(_) => Read::Wrong(part, bytes.len() as u64),
        },
    }
}

/// How many ranges of bytes are named.
const NAMED: usize = 3;

fn words(mut wrong: Vec<Part<'_>>) -> String {
    wrong.sort_unstable_by_key(|part| part.index);
    let ranges: Vec<_> = wrong
        .iter()
        .take(NAMED)
        .map(|part| part.range())
        .map(|range| format!("{} to {}", range.start, range.end))
        .collect();
    let more = match wrong.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} further ranges"),
    };
    format!("bytes {}{more} are not those that were written (SHA-256)", ranges.join(", "))
}
