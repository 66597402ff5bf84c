//! An archive in a store, read at random.

use std::io;

use pgkeep_archive::ReadAt;
use pgkeep_store::{Store, StoreError};

/// Adapts an object to the archive reader. Each `read_at` is one range request: callers ask for large ranges.
pub struct StoredArchive {
    store: Store,
    key: String,
    size: u64,
}

impl StoredArchive {
    /// Looks the object up.
    pub fn open(store: &Store, key: &str) -> Result<StoredArchive, StoreError> {
        let size = store.head(key)?.size;
        Ok(StoredArchive { store: store.clone(), key: key.to_owned(), size })
    }

    /// Bytes of the object.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// URL of the object, without secrets.
    pub fn url(&self) -> String {
        self.store.url_of(&self.key)
    }
}

impl ReadAt for StoredArchive {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let end = self.size.min(offset.saturating_add(buf.len() as u64));
        if offset >= end {
            return Ok(0);
        }
        let bytes = self.store.get_range(&self.key, offset..end).map_err(io::Error::other)?;
        let n = bytes.len().min(buf.len());
        buf[..n].copy_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.size)
    }
}
