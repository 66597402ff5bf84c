//! An archive in a store, read at random.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use pgkeep_archive::{ArchiveError, DirectoryArchive, ReadAt, TOC_FILE};
use pgkeep_store::{Store, StoreError};

use crate::encryption::{Identities, Opened, plain_name};
use crate::error::{KeepError, Result};
use crate::folder::{File, Files, StoredFolder};
use crate::manifest::Manifest;

/// The directory whose table of contents is under this key; `None` where the archive is a single object. A table of
/// contents right below the store has the directory `""`.
pub fn directory_of(key: &str) -> Option<&str> {
    let folder = plain_name(key).unwrap_or(key).strip_suffix(TOC_FILE)?;
    if folder.is_empty() { Some(folder) } else { folder.strip_suffix('/') }
}

/// URL of an archive by its key, without secrets: the object's, or its directory's.
pub fn archive_url(store: &Store, key: &str) -> String {
    let url = store.url_of(key);
    match directory_of(key) {
        Some(_) => {
            plain_name(&url).unwrap_or(&url).trim_end_matches(TOC_FILE).trim_end_matches('/').to_owned()
        }
        None => url,
    }
}

/// Adapts an archive in a store to the archive reader: one object, or a directory of them, encrypted or not. Each
/// `read_at` is one range request at most: callers ask for large ranges.
pub struct StoredArchive {
    store: Store,
    key: String,
    /// By key.
    sizes: HashMap<String, u64>,
    form: Form,
}

enum Form {
    Object,
    Sealed(Box<Opened<File>>),
    Directory(Box<DirectoryArchive<StoredFolder>>),
}

impl StoredArchive {
    /// Looks the object up, or every file of the directory whose `toc.dat` is under the key. What is encrypted, as its
    /// name says, is opened by `identities`.
    ///
    /// # Errors
    /// The store's; `Archive` for a directory whose table of contents is damaged or speaks of files that are not there;
    /// `Locked` where no identity fits.
    pub fn open(store: &Store, key: &str, identities: &Identities) -> Result<StoredArchive> {
        StoredArchive::open_with(store, key, identities, None)
    }

    /// As [`open`](Self::open), with lengths checked by the manifest; of a directory and of what is encrypted also
    /// every byte that will be read, by the hashes of the parts.
    ///
    /// # Errors
    /// Also `Damaged`, naming the object.
    pub fn open_checked(
        store: &Store,
        key: &str,
        identities: &Identities,
        manifest: &Manifest,
    ) -> Result<StoredArchive> {
        StoredArchive::open_with(store, key, identities, Some(manifest))
    }

    fn open_with(
        store: &Store,
        key: &str,
        identities: &Identities,
        manifest: Option<&Manifest>,
    ) -> Result<StoredArchive> {
        let is_sealed = plain_name(key).is_some();
        let Some(directory) = directory_of(key) else {
            let sizes = HashMap::from([(key.to_owned(), store.head(key)?.size)]);
            manifest.map_or(Ok(()), |m| fits(store, &sizes, m))?;
            let form = match is_sealed {
                true => {
                    let files = Arc::new(Files::new(store, sizes.clone(), manifest));
                    Form::Sealed(Box::new(File::new(&files, key).open(identities)?))
                }
                false => Form::Object,
            };
            return Ok(StoredArchive { store: store.clone(), key: key.to_owned(), sizes, form });
        };
        let mut folder = StoredFolder::list(store, directory)?;
        let sizes = folder.sizes().clone();
        if let Some(m) = manifest {
            fits(store, &sizes, m)?;
            folder = folder.checked_by(m);
        }
        if is_sealed {
            folder = folder.opened_by(identities);
        }
        let opened =
            DirectoryArchive::open(folder).map_err(|source| failed(archive_url(store, key), source))?;
        let form = Form::Directory(Box::new(opened));
        Ok(StoredArchive { store: store.clone(), key: key.to_owned(), sizes, form })
    }

    /// Bytes of the archive in the store.
    pub fn size(&self) -> u64 {
        self.sizes.values().sum()
    }

    /// URL of the archive, without secrets.
    pub fn url(&self) -> String {
        archive_url(&self.store, &self.key)
    }

    /// What the archive would be called were it not encrypted.
    pub fn name(&self) -> &str {
        plain_name(&self.key).unwrap_or(&self.key)
    }

    /// Whether every object that the manifest names is there in its full length.
    ///
    /// # Errors
    /// `Damaged` naming the first that is not.
    pub fn fits(&self, manifest: &Manifest) -> Result<()> {
        fits(&self.store, &self.sizes, manifest)
    }
}

fn fits(store: &Store, sizes: &HashMap<String, u64>, manifest: &Manifest) -> Result<()> {
    for object in manifest.objects() {
        let why = match sizes.get(&object.key) {
            Some(size) if *size == object.size => continue,
            Some(size) => format!("it has {size} bytes and its manifest says {}", object.size),
            None => "its manifest names it, and it is not there".into(),
        };
        return Err(KeepError::Damaged { object: store.url_of(&object.key), why });
    }
    Ok(())
}

/// A store that does not answer is not a damaged archive, nor is one that says so itself.
fn failed(object: String, source: ArchiveError) -> KeepError {
    let source = match source {
        ArchiveError::Read { source, offset } => match source.downcast::<StoreError>() {
            Ok(e) => return e.into(),
            Err(source) => match source.downcast::<KeepError>() {
                Ok(e) => return e,
                Err(source) => ArchiveError::Read { source, offset },
            },
        },
        other => other,
    };
    KeepError::Archive { object, source }
}

impl ReadAt for StoredArchive {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        match &self.form {
            Form::Directory(archive) => archive.read_at(offset, buf),
            Form::Sealed(archive) => archive.read_at(offset, buf),
            Form::Object => read(&self.store, &self.key, self.size(), offset, buf),
        }
    }

    fn len(&self) -> io::Result<u64> {
        match &self.form {
            Form::Directory(archive) => archive.len(),
            Form::Sealed(archive) => archive.len(),
            Form::Object => Ok(self.size()),
        }
    }
}

pub(crate) fn read(store: &Store, key: &str, size: u64, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let end = size.min(offset.saturating_add(buf.len() as u64));
    if offset >= end {
        return Ok(0);
    }
    let bytes = store.get_range(key, offset..end).map_err(io::Error::other)?;
    let n = bytes.len().min(buf.len());
    buf[..n].copy_from_slice(&bytes[..n]);
    Ok(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_known_by_its_table_of_contents() {
        assert_eq!(directory_of("shop/1.dir/toc.dat"), Some("shop/1.dir"));
        assert_eq!(directory_of("toc.dat"), Some(""));
        assert_eq!(directory_of("shop/1.dir/toc.dat.age"), Some("shop/1.dir"));
        assert_eq!(directory_of("shop/1.dump"), None);
        assert_eq!(directory_of("shop/mytoc.dat"), None);
        let store = Store::open("memory://urls").unwrap();
        assert_eq!(archive_url(&store, "shop/1.dir/toc.dat"), "memory://urls/shop/1.dir");
        assert_eq!(archive_url(&store, "toc.dat"), "memory://urls");
    }
}
