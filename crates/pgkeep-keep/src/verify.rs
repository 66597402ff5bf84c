//! Checking a stored archive without a database: object, hashes, TOC, every block, every row.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;

use bstr::ByteSlice;
use pgkeep_archive::{
    Algorithm, ArchiveError, BlockKind, BlockReader, DumpId, Entry, Offset, Toc, decoder, read_toc_at,
};
use pgkeep_store::Store;
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::Xxh3;

use crate::encryption::{Identities, is_sealed, name_recipients};
use crate::error::{KeepError, Result};
use crate::fingerprint::{Fingerprint, RowHasher, large_object};
use crate::found::FoundRows;
use crate::globals::read_globals;
use crate::manifest::{Manifest, hex, name_text};
use crate::object::StoredArchive;
use crate::verify_hashes::{HashCheck, verify_hashes};
use crate::verify_parts::{Parts, READERS};

/// What stands after a table's last row in an archive.
const END_OF_DATA: &[u8] = b"\\.\n\n\n";

/// What a check found to be in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Bytes of the archive.
    pub size: u64,
    /// Entries in its TOC.
    pub entries: u64,
    /// Data blocks that were decompressed whole.
    pub blocks: u64,
    /// Blocks that no entry names: what lost connections left behind, skipped by every reader.
    pub dead_blocks: u64,
    /// Tables whose rows, bytes and hash match the manifest.
    pub tables: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of COPY text in them.
    pub bytes: u64,
    /// Whether there was a manifest to compare with; without one only the archive's own form was checked.
    pub against_manifest: bool,
    /// Whether it is encrypted and no key was given: then only sizes and hashes were compared, and the counts are 0.
    pub unread: bool,
    /// The rows of each table as they are in the archive.
    pub found: FoundRows,
}

/// Reads a whole archive once, from its first byte to its last, and checks everything that can be checked without a
/// database: the object's size, the hash of each part, the TOC, that every block decompresses to its end, and for
/// every table that rows, bytes and fingerprint are those of the manifest.
///
/// What is encrypted is read with `identities`; without any, sizes and hashes are compared, which need no key.
///
/// `tick` is called with the number of archive bytes read since the last call, and ends the check by returning false.
///
/// # Errors
/// `Damaged` or `Archive` naming the first thing that is wrong; `Locked` where no identity fits.
pub fn verify(
    store: &Store,
    key: &str,
    manifest: Option<&Manifest>,
    identities: &Identities,
    tick: &mut (dyn FnMut(u64) -> bool + Send),
) -> Result<Verified> {
    if let Some(m) = manifest.filter(|_| is_sealed(key) && identities.is_empty()) {
        return verify_unread(store, m, tick);
    }
    let object = open(store, key, manifest, identities)?;
    let url = object.url();
    let damaged = |why: String| KeepError::Damaged { object: url.clone(), why };
    let archive = |source: ArchiveError| KeepError::Archive { object: url.clone(), source };
    let (toc, data_start) = read_toc_at(&object).map_err(archive)?;
    let mut blocks = Blocks::new(&toc);
    let mut stream = Parts::of(store, key, &object, manifest, tick);
    let outcome = (|| -> Result<(), WalkError> {
        skip(&mut stream, data_start)?;
        blocks.walk(&mut stream, &toc, data_start)
    })();
    // A wrong part explains whatever the decoder stumbled over.
    if let Some(why) = stream.wrong.take() {
        return Err(damaged(why));
    }
    if let Some(e) = stream.failed.take() {
        return Err(e);
    }
    outcome.map_err(|e| match e {
        WalkError::Archive(source) => archive(source),
        WalkError::Damaged(why) => damaged(why),
    })?;
    if let Some(m) = manifest {
        compare(m, &blocks).map_err(damaged)?;
    }
    let mut verified = Verified {
        size: object.size(),
        entries: toc.entries.len() as u64,
        blocks: blocks.read,
        dead_blocks: blocks.dead,
        tables: 0,
        rows: 0,
        bytes: 0,
        against_manifest: manifest.is_some(),
        unread: false,
        found: FoundRows::in_order(&toc, blocks.tables, blocks.large_objects),
    };
    if let Some(m) = manifest {
        (verified.rows, verified.bytes) = m.dump.totals();
        verified.tables = m.dump.tables.len() as u64;
        if m.globals.is_some() {
            read_globals(store, m, identities)?;
        }
    }
    Ok(verified)
}

/// The archive, its lengths and hashes checked where there is a manifest.
pub(crate) fn open(
    store: &Store,
    key: &str,
    manifest: Option<&Manifest>,
    identities: &Identities,
) -> Result<Arc<StoredArchive>> {
    let opened = match manifest {
        Some(m) => StoredArchive::open_checked(store, key, identities, m).map_err(|e| name_recipients(e, m)),
        None => StoredArchive::open(store, key, identities),
    };
    opened.map(Arc::new)
}

/// Compares what can be compared without a key.
fn verify_unread(
    store: &Store,
    manifest: &Manifest,
    tick: &mut (dyn FnMut(u64) -> bool + Send),
) -> Result<Verified> {
    let check = HashCheck { jobs: READERS, percent: 100.0 };
    verify_hashes(store, manifest, &check, tick)?;
    Ok(Verified {
        size: manifest.size(),
        entries: 0,
        blocks: 0,
        dead_blocks: 0,
        tables: 0,
        rows: 0,
        bytes: 0,
        against_manifest: true,
        unread: true,
        found: FoundRows { tables: Vec::new(), large_objects: None },
    })
}

/// Checks header and TOC alone, by the hashes of the parts that hold them: a quick look before a restore, since rows
/// prove themselves afterwards and the words of the schema do not.
///
/// # Errors
/// `Damaged` naming the bytes that are not those that were written.
pub fn verify_head(store: &Store, key: &str, manifest: &Manifest) -> Result<()> {
    let object = &manifest.object;
    let part = object.part_size.max(1);
    let plain = manifest.dump.head_len;
    let head = manifest.encryption.as_ref().map_or(plain, |e| e.sealed_end(plain)).min(object.size);
    for (i, from) in (0..head).step_by(usize::try_from(part).unwrap_or(usize::MAX)).enumerate() {
        let bytes = store.get_range(key, from..object.size.min(from.saturating_add(part)))?;
        check_part(i, from, &bytes, &object.parts)
            .map_err(|why| KeepError::Damaged { object: store.url_of(key), why })?;
    }
    Ok(())
}

/// Whether everything of the backup is there with the size it was written with, and its head is what was written: the
/// quick look by which one copy is preferred to another.
///
/// # Errors
/// `Damaged` naming the object that is missing, cut or changed; the store's.
pub fn look_whole(store: &Store, manifest: &Manifest) -> Result<()> {
    check_sizes(store, manifest)?;
    verify_head(store, &manifest.object.key, manifest)
}

/// Whether everything of the backup is there with the size it was written with.
pub(crate) fn check_sizes(store: &Store, manifest: &Manifest) -> Result<()> {
    let globals = manifest.globals.iter().map(|g| (g.key.as_str(), g.size));
    for (key, size) in manifest.objects().map(|o| (o.key.as_str(), o.size)).chain(globals) {
        let damaged = |why: String| KeepError::Damaged { object: store.url_of(key), why };
        match store.head(key) {
            Ok(info) if info.size == size => {}
            Ok(info) => {
                return Err(damaged(format!("it has {} bytes and its manifest says {size}", info.size)));
            }
            Err(e) if e.is_not_found() => return Err(damaged("it is not there".into())),
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

pub(crate) fn check_part(
    i: usize,
    from: u64,
    bytes: &[u8],
    hashes: &[String],
) -> std::result::Result<(), String> {
    if hashes.get(i).map(String::as_str) == Some(hex(&Sha256::digest(bytes)).as_str()) {
        return Ok(());
    }
    let to = from + bytes.len() as u64;
    Err(format!("bytes {from} to {to} are not those that were written (SHA-256)"))
}

fn compare(manifest: &Manifest, blocks: &Blocks) -> std::result::Result<(), String> {
    for t in &manifest.dump.tables {
        let found = blocks.tables.get(&(t.schema.clone(), t.table.clone())).copied().unwrap_or_default();
        if found != t.fingerprint {
            return Err(format!(
                "table {}.{}: the archive holds {found}, and {} were dumped",
                t.schema, t.table, t.fingerprint
            ));
        }
    }
    let dumped = manifest.dump.large_objects.unwrap_or_default();
    if blocks.large_objects != dumped {
        return Err(format!(
            "large objects: the archive holds {}, and {dumped} were dumped",
            blocks.large_objects
        ));
    }
    Ok(())
}

enum WalkError {
    Archive(ArchiveError),
    Damaged(String),
}

impl From<ArchiveError> for WalkError {
    fn from(e: ArchiveError) -> Self {
        WalkError::Archive(e)
    }
}

impl From<io::Error> for WalkError {
    fn from(e: io::Error) -> Self {
        WalkError::Damaged(e.to_string())
    }
}

fn skip(r: &mut impl Read, n: u64) -> Result<(), WalkError> {
    let skipped = io::copy(&mut r.take(n), &mut io::sink())?;
    if skipped == n { Ok(()) } else { Err(WalkError::Damaged(format!("it ends after {skipped} bytes"))) }
}

/// What the walk over the data found.
struct Blocks<'t> {
    due: HashMap<DumpId, &'t Entry>,
    read: u64,
    dead: u64,
    tables: HashMap<(String, String), Fingerprint>,
    large_objects: Fingerprint,
}

impl<'t> Blocks<'t> {
    fn new(toc: &'t Toc) -> Self {
        let due = toc
            .entries
            .iter()
            .filter(|e| e.has_data && e.offset != Offset::NoData)
            .map(|e| (e.id, e))
            .collect();
        Blocks { due, read: 0, dead: 0, tables: HashMap::new(), large_objects: Fingerprint::default() }
    }

    fn walk(&mut self, stream: &mut Parts<'_>, toc: &Toc, head_len: u64) -> Result<(), WalkError> {
        let unplaced = self.due.values().any(|e| e.offset == Offset::NotSet);
        while stream.left() > 0 {
            // pg_dump -Fc > file, from 16 on: the table of contents once more; see find_blocks.
            if unplaced && self.due.is_empty() && stream.left() < head_len {
                io::copy(stream, &mut io::sink())?;
                break;
            }
            let offset = stream.position();
            let mut block = BlockReader::open(&mut *stream)?;
            let Some(entry) = self.due.remove(&block.id()) else {
                self.dead += 1;
                drain(&mut block)?;
                continue;
            };
            if let Offset::At(at) = entry.offset
                && at != offset
            {
                let why = format!("{} lies at byte {offset} and the TOC says {at}", entry.display());
                return Err(WalkError::Damaged(why));
            }
            let read = match block.kind() {
                BlockKind::Data => self.table(&mut block, entry, toc.header.compression),
                BlockKind::Blobs => self.blobs(&mut block, toc.header.compression),
            };
            read.map_err(|e| match e {
                WalkError::Damaged(why) => WalkError::Damaged(format!("{}: {why}", entry.display())),
                other => other,
            })?;
            self.read += 1;
        }
        match self.due.values().next() {
            Some(entry) => Err(WalkError::Damaged(format!("the data of {} is missing", entry.display()))),
            None => Ok(()),
        }
    }

    fn table<R: Read>(
        &mut self,
        block: &mut BlockReader<R>,
        entry: &Entry,
        codec: Algorithm,
    ) -> Result<(), WalkError> {
        let mut text = decoder(codec, &mut *block)?;
        let mut hasher = RowHasher::new();
        let mut buf = vec![0; 128 << 10];
        // The last bytes are held back until it is known whether they are the end mark.
        let mut held = 0;
        loop {
            let n = text.read(&mut buf[held..])?;
            let filled = held + n;
            if n == 0 {
                break;
            }
            let ready = filled.saturating_sub(END_OF_DATA.len());
            hasher.update(&buf[..ready]);
            buf.copy_within(ready..filled, 0);
            held = filled - ready;
        }
        drop(text);
        drain(block)?;
        // Data as INSERT statements has no end mark.
        if entry.copy.is_some() && &buf[..held] != END_OF_DATA {
            return Err(WalkError::Damaged("its data does not end as it should: it was cut".into()));
        }
        let name = |part: &Option<bstr::BString>| name_text(part.as_ref().map_or(b"", |p| p.as_bytes()));
        *self.tables.entry((name(&entry.namespace), name(&entry.tag))).or_default() += hasher.finish();
        Ok(())
    }

    fn blobs<R: Read>(&mut self, block: &mut BlockReader<R>, codec: Algorithm) -> Result<(), WalkError> {
        let mut buf = vec![0; 128 << 10];
        while let Some(oid) = block.next_blob()? {
            let mut hash = Xxh3::new();
            let mut length = 0u64;
            let mut bytes = decoder(codec, &mut *block)?;
            loop {
                let n = bytes.read(&mut buf)?;
                if n == 0 {
                    break;
                }
                hash.update(&buf[..n]);
                length += n as u64;
            }
            drop(bytes);
            self.large_objects += large_object(oid, length, hash.digest128());
        }
        Ok(())
    }
}

fn drain<R: Read>(block: &mut BlockReader<R>) -> Result<(), WalkError> {
    if block.kind() == BlockKind::Blobs {
        while block.next_blob()?.is_some() {
            io::copy(block, &mut io::sink())?;
        }
    } else {
        io::copy(block, &mut io::sink())?;
    }
    Ok(())
}
