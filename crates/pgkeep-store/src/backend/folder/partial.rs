//! A file that is being written and not yet there.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::key::{PARTIAL_SUFFIX, is_partial};

/// A locked file beside its target. Dropped without having been published, it is removed.
#[derive(Debug)]
pub(crate) struct Partial {
    /// The open, locked file.
    pub(crate) file: File,
    path: PathBuf,
    target: PathBuf,
    gone: bool,
}

impl Partial {
    /// Creates the partial for `target`, which lies below `root`, and the folders on the way.
    pub(crate) fn create(root: &Path, target: &Path) -> io::Result<Partial> {
        let folder = target.parent().unwrap_or(root);
        let mut last = io::Error::other("no unused name found for a partial file");
        // More than one round when a folder is pruned just after we made it, or when a cleaner takes
        // the file for a dead one in the moment before it is locked.
        for _ in 0..16 {
            make_folders(folder)?;
            let path = folder.join(partial_name(target));
            let file = match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => file,
                Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => {
                    last = e;
                    continue;
                }
                Err(e) => return Err(e),
            };
            // Some network file systems have no locks. There a dead partial cannot be told from a
            // live one, and `is_dead` says so by never finding any.
            match file.lock() {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::Unsupported => {}
                Err(e) => {
                    let _ = fs::remove_file(&path);
                    return Err(e);
                }
            }
            if file.metadata()?.nlink() > 0 {
                return Ok(Partial { file, path, target: target.to_owned(), gone: false });
            }
        }
        Err(last)
    }

    /// Where the partial is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the content durable, then moves it to its place, replacing what is there.
    pub(crate) fn publish(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, &self.target)?;
        self.gone = true;
        sync_folder_of(&self.target)
    }

    /// As [`publish`](Self::publish), but fails with `AlreadyExists` when something is there.
    pub(crate) fn publish_if_absent(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        match fs::hard_link(&self.path, &self.target) {
            Ok(()) => {
                fs::remove_file(&self.path)?;
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(e),
            // Without hard links (FAT, some SMB and FUSE mounts): Linux and macOS can rename so too.
            Err(_) => rename_if_absent(&self.path, &self.target)?,
        }
        self.gone = true;
        sync_folder_of(&self.target)
    }

    /// Removes the file; done already is fine.
    pub(crate) fn remove(&mut self) -> io::Result<()> {
        if self.gone {
            return Ok(());
        }
        self.gone = true;
        match fs::remove_file(&self.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

fn rename_if_absent(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

/// `.<name>.<16 hex digits>.partial`, with a name that is too long for this cut.
fn partial_name(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let mut end = name.len().min(255 - 2 - 16 - PARTIAL_SUFFIX.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    // The standard library seeds every RandomState anew from the system's entropy.
    let random = RandomState::new().build_hasher().finish();
    format!(".{}.{random:016x}{PARTIAL_SUFFIX}", name.get(..end).unwrap_or_default())
}

/// The name of the object a partial was to become.
pub(crate) fn target_name(partial: &str) -> Option<&str> {
    if !is_partial(partial) {
        return None;
    }
    let (name, random) = partial.strip_prefix('.')?.strip_suffix(PARTIAL_SUFFIX)?.rsplit_once('.')?;
    (random.len() == 16 && random.bytes().all(|b| b.is_ascii_hexdigit())).then_some(name)
}

/// Whether nobody writes to the partial at `path` any more; with the lock that keeps it so.
///
/// The lock is a shared one, so that two who look at the same time both find it dead.
pub(crate) fn dead(path: &Path) -> io::Result<Option<File>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(_) => Ok(None),
    }
}

/// As `create_dir_all`, and makes every folder it creates durable.
fn make_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folders(parent)?;
    }
    match fs::create_dir(folder) {
        Ok(()) => sync_folder_of(folder),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(io::ErrorKind::NotADirectory.into()),
        Err(e) => Err(e),
    }
}

/// Makes the entry of `path` in its folder durable.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    match File::open(folder)?.sync_all() {
        // Not every file system can sync a folder: EINVAL on some FUSE and SMB mounts.
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        r => r,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partials_name_tells_its_target() {
        let name = partial_name(Path::new("/x/shop.dump"));
        assert!(is_partial(&name), "{name}");
        assert_eq!(target_name(&name), Some("shop.dump"));
        assert_eq!(target_name(".x.partial"), None);
        assert_eq!(target_name("shop.dump"), None);
    }

    #[test]
    fn a_partials_name_fits_the_file_system_however_long_the_targets_is() {
        let name = partial_name(Path::new(&"ü".repeat(127)));
        assert!(name.len() <= 255, "{}", name.len());
        assert!(target_name(&name).unwrap().starts_with('ü'));
    }

    #[test]
    fn a_partial_is_dead_only_once_its_writer_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a");
        let mut partial = Partial::create(dir.path(), &target).unwrap();
        assert!(dead(partial.path()).unwrap().is_none());
        let path = partial.path().to_owned();
        partial.gone = true; // as if the process had been killed
        drop(partial);
        assert!(dead(&path).unwrap().is_some());
    }
}
