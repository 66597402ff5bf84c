//! The files of a directory in a store.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use pgkeep_archive::Folder;
use pgkeep_store::Store;

use crate::error::{KeepError, Result};
use crate::manifest::{Manifest, ObjectRecord};
use crate::object::read;
use crate::verify::check_part;

/// All objects below a key.
pub(crate) struct StoredFolder {
    store: Store,
    prefix: String,
    /// By key.
    sizes: HashMap<String, u64>,
    checks: Option<Checks>,
}

/// What the bytes must be.
struct Checks {
    /// By key.
    records: HashMap<String, ObjectRecord>,
    /// The part read last, by its file and its begin: readers go on from it.
    last: Mutex<Option<(String, u64, Bytes)>>,
}

impl StoredFolder {
    /// Lists the files of `directory`; `""` is the store itself.
    pub(crate) fn list(store: &Store, directory: &str) -> Result<StoredFolder> {
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        let mut sizes = HashMap::new();
        for object in store.list(&prefix)? {
            let object = object?;
            sizes.insert(object.key, object.size);
        }
        Ok(StoredFolder { store: store.clone(), prefix, sizes, checks: None })
    }

    /// Sizes by key.
    pub(crate) fn sizes(&self) -> &HashMap<String, u64> {
        &self.sizes
    }

    /// The same, with all that is read checked by the hashes of the parts, which are read whole.
    pub(crate) fn checked_by(self, manifest: &Manifest) -> StoredFolder {
        let records = manifest.objects().map(|o| (o.key.clone(), o.clone())).collect();
        StoredFolder { checks: Some(Checks { records, last: Mutex::new(None) }), ..self }
    }

    fn read_checked(
        &self,
        checks: &Checks,
        record: &ObjectRecord,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<usize> {
        if offset >= record.size {
            return Ok(0);
        }
        let (key, part) = (&record.key, record.part_size.max(1));
        let from = offset - offset % part;
        let mut last = checks.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            last.as_ref().filter(|(k, f, _)| k == key && *f == from).map(|(_, _, bytes)| bytes.clone());
        let bytes = match known {
            Some(bytes) => bytes,
            None => {
                let bytes = self.store.get_range(key, from..record.size.min(from.saturating_add(part)))?;
                let index = usize::try_from(from / part).unwrap_or(usize::MAX);
                check_part(index, from, &bytes, &record.parts)
                    .map_err(|why| KeepError::Damaged { object: self.store.url_of(key), why })?;
                *last = Some((key.clone(), from, bytes.clone()));
                bytes
            }
        };
        let rest = usize::try_from(offset - from).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }
}

impl Folder for StoredFolder {
    fn size(&self, file: &str) -> io::Result<Option<u64>> {
        Ok(self.sizes.get(&format!("{}{file}", self.prefix)).copied())
    }

    fn read_at(&self, file: &str, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let key = format!("{}{file}", self.prefix);
        if let Some(checks) = &self.checks
            && let Some(record) = checks.records.get(&key)
        {
            return self.read_checked(checks, record, offset, buf).map_err(io::Error::other);
        }
        read(&self.store, &key, self.sizes.get(&key).copied().unwrap_or(0), offset, buf)
    }
}
