//! The files of a directory in a store.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use pgkeep_archive::{Folder, ReadAt};
use pgkeep_store::Store;

use crate::encryption::{EXTENSION, Identities, Opened, locked};
use crate::error::{KeepError, Result};
use crate::manifest::{Manifest, ObjectRecord};
use crate::object::read;
use crate::verify::check_part;

/// All objects below a key.
pub(crate) struct StoredFolder {
    files: Arc<Files>,
    prefix: String,
    sealed: Option<Sealed>,
}

/// Objects as they lie in the store.
pub(crate) struct Files {
    store: Store,
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

/// Files that are encrypted, each on its own; their names have an ending more.
struct Sealed {
    identities: Identities,
    opened: Mutex<HashMap<String, Arc<Opened<File>>>>,
}

/// One of the objects.
pub(crate) struct File {
    files: Arc<Files>,
    key: String,
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
        let files = Arc::new(Files { store: store.clone(), sizes, checks: None });
        Ok(StoredFolder { files, prefix, sealed: None })
    }

    /// Sizes in the store by key.
    pub(crate) fn sizes(&self) -> &HashMap<String, u64> {
        &self.files.sizes
    }

    /// The same, with all that is read checked by the hashes of the parts, which are read whole.
    pub(crate) fn checked_by(self, manifest: &Manifest) -> StoredFolder {
        let files = Files::new(&self.files.store, self.files.sizes.clone(), Some(manifest));
        StoredFolder { files: Arc::new(files), ..self }
    }

    /// The same, of encrypted files.
    pub(crate) fn opened_by(self, identities: &Identities) -> StoredFolder {
        let sealed = Sealed { identities: identities.clone(), opened: Mutex::default() };
        StoredFolder { sealed: Some(sealed), ..self }
    }

    fn opened(&self, sealed: &Sealed, key: String) -> Result<Arc<Opened<File>>> {
        let opened = || sealed.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = opened().get(&key) {
            return Ok(known.clone());
        }
        let new = Arc::new(File::new(&self.files, &key).open(&sealed.identities)?);
        opened().insert(key, new.clone());
        Ok(new)
    }
}

impl Files {
    pub(crate) fn new(store: &Store, sizes: HashMap<String, u64>, manifest: Option<&Manifest>) -> Files {
        let checks = manifest.map(|m| Checks {
            records: m.objects().map(|o| (o.key.clone(), o.clone())).collect(),
            last: Mutex::new(None),
        });
        Files { store: store.clone(), sizes, checks }
    }

    fn read_at(&self, key: &str, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(checks) = &self.checks
            && let Some(record) = checks.records.get(key)
        {
            return self.read_checked(checks, record, offset, buf).map_err(io::Error::other);
        }
        read(&self.store, key, self.sizes.get(key).copied().unwrap_or(0), offset, buf)
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

impl File {
    pub(crate) fn new(files: &Arc<Files>, key: &str) -> File {
        File { files: files.clone(), key: key.to_owned() }
    }

    /// What is in it, decrypted.
    pub(crate) fn open(self, identities: &Identities) -> Result<Opened<File>> {
        let url = self.files.store.url_of(&self.key);
        Opened::open(self, identities).map_err(|e| locked(e, &url, identities))
    }
}

impl ReadAt for File {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.files.read_at(&self.key, offset, buf)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.files.sizes.get(&self.key).copied().unwrap_or(0))
    }
}

impl Folder for StoredFolder {
    fn size(&self, file: &str) -> io::Result<Option<u64>> {
        let key = format!("{}{file}", self.prefix);
        let Some(sealed) = &self.sealed else { return Ok(self.files.sizes.get(&key).copied()) };
        let key = format!("{key}{EXTENSION}");
        match self.files.sizes.contains_key(&key) {
            true => self.opened(sealed, key).map_err(io::Error::other)?.len().map(Some),
            false => Ok(None),
        }
    }

    fn read_at(&self, file: &str, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let key = format!("{}{file}", self.prefix);
        match &self.sealed {
            Some(sealed) => {
                let key = format!("{key}{EXTENSION}");
                self.opened(sealed, key).map_err(io::Error::other)?.read_at(offset, buf)
            }
            None => self.files.read_at(&key, offset, buf),
        }
    }
}
