//! The index: summaries of many manifests in one small object, so that a listing of 100,000 backups does not read 100,000
//! manifests.
//!
//! It is a cache and never the truth. What exists is what the store lists; a line of the index counts only for a manifest
//! whose size, time and tag are those that the listing gives, and an index that is missing, damaged or of another version
//! is passed over and written anew. Writers do not wait for each other: the last one wins, and what it lacks is read
//! again. It is zstd over a line of JSON with the version, then one for each manifest.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};

use jiff::Timestamp;
use pgkeep_store::Store;
use serde::{Deserialize, Serialize};

use super::{Listed, Summaries, Summary};
use crate::error::{KeepError, Result};

const KEY: &str = ".pgkeep/index.jsonl.zst";
/// Changes with the meaning of [`Line`].
const VERSION: u32 = 2;
/// With fewer backups the manifests themselves are as quick, and the store is left alone.
const FROM: usize = 200;
/// The index is written again when so many manifests had to be read, or so many of its lines are of no use.
const STALE: usize = 100;
/// An index larger than this is none of ours: a line takes about 60 bytes compressed.
const MAX_SIZE: u64 = 256 << 20;
/// No line is longer.
const MAX_LINE: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Head {
    pgkeep_index: u32,
}

#[derive(Serialize, Deserialize)]
struct Line<S> {
    name: String,
    id: String,
    size: u64,
    modified: Timestamp,
    etag: Option<String>,
    summary: S,
}

/// The index of a store, if it is worth having one.
pub(super) struct Index<'s> {
    store: Option<&'s Store>,
}

impl<'s> Index<'s> {
    /// The index of a store with so many backups.
    pub(super) fn of(store: &'s Store, backups: usize) -> Index<'s> {
        Index { store: (backups >= FROM).then_some(store) }
    }

    /// Fills in what the index knows of these backups; gives the number of lines that fit none.
    pub(super) fn fill(&self, listed: &[Listed], found: &mut [Option<Result<Summary>>]) -> usize {
        let Some(lines) = self.store.and_then(|store| lines(store)) else { return 0 };
        let places: HashMap<(&str, &str), usize> =
            listed.iter().enumerate().map(|(i, l)| ((l.name.as_str(), l.id.as_str()), i)).collect();
        let mut useless = 0;
        for line in lines {
            match places.get(&(line.name.as_str(), line.id.as_str())) {
                Some(i) if fits(&line, &listed[*i]) => found[*i] = Some(Ok(line.summary)),
                _ => useless += 1,
            }
        }
        useless
    }

    /// Writes the index anew if much has changed since.
    pub(super) fn keep(&self, listed: &[Listed], summaries: &Summaries, useless: usize) -> Result<()> {
        let Some(store) = self.store.filter(|_| summaries.read >= STALE || useless >= STALE) else {
            return Ok(());
        };
        let failed = |e: std::io::Error| KeepError::Index { object: store.url_of(KEY), why: e.to_string() };
        let mut out = zstd::Encoder::new(Vec::new(), 3).map_err(failed)?;
        let mut write = |line: serde_json::Result<Vec<u8>>| {
            let mut line = line.map_err(std::io::Error::other)?;
            line.push(b'\n');
            out.write_all(&line)
        };
        write(serde_json::to_vec(&Head { pgkeep_index: VERSION })).map_err(failed)?;
        for (l, summary) in listed.iter().zip(&summaries.found) {
            let Ok(summary) = summary else { continue };
            let (name, id, etag) = (l.name.clone(), l.id.to_string(), l.etag.clone());
            let line = Line { name, id, size: l.manifest_size, modified: l.committed, etag, summary };
            write(serde_json::to_vec(&line)).map_err(failed)?;
        }
        store.put(KEY, out.finish().map_err(failed)?.into())?;
        Ok(())
    }
}

fn fits<S>(line: &Line<S>, listed: &Listed) -> bool {
    line.size == listed.manifest_size && line.modified == listed.committed && line.etag == listed.etag
}

/// The lines of the index up to the first that cannot be read; `None` where there is no index.
fn lines(store: &Store) -> Option<impl Iterator<Item = Line<Summary>>> {
    if store.head(KEY).ok()?.size > MAX_SIZE {
        return None;
    }
    let bytes = store.get(KEY).ok()?;
    let decoder = zstd::Decoder::new(std::io::Cursor::new(bytes)).ok()?;
    let mut text = BufReader::new(decoder);
    let head: Head = next(&mut text)?;
    (head.pgkeep_index == VERSION).then(|| std::iter::from_fn(move || next(&mut text)))
}

fn next<T: serde::de::DeserializeOwned>(text: &mut impl BufRead) -> Option<T> {
    let mut line = Vec::new();
    text.take(MAX_LINE).read_until(b'\n', &mut line).ok()?;
    serde_json::from_slice(&line).ok()
}
