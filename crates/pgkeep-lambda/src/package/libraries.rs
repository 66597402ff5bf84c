//! Finds shared libraries as the loader would, also for a processor that this machine does not have.

use std::path::{Path, PathBuf};

use super::elf::{self, Elf};
use super::{Arch, PackageError, Result};

/// A program or library that was found.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) data: Vec<u8>,
    pub(super) elf: Elf,
}

/// Where libraries are looked for after a program's own folders.
pub(super) struct Libraries {
    arch: Arch,
    folders: Vec<PathBuf>,
}

impl Libraries {
    /// `extra` folders come before the system's.
    pub(super) fn new(arch: Arch, extra: &[PathBuf]) -> Libraries {
        let mut folders = extra.to_vec();
        let triple = arch.triple();
        for root in ["/lib", "/usr/lib"] {
            // Debian's folder for a processor, that of its cross compiler's, and those of others.
            folders.push(Path::new(root).join(triple));
            folders.push(format!("{root}64").into());
            folders.push(root.into());
        }
        folders.push(format!("/usr/{triple}/lib").into());
        Libraries { arch, folders }
    }

    /// Reads a program.
    pub(super) fn program(&self, path: &Path) -> Result<Found> {
        let data = std::fs::read(path).map_err(|e| PackageError(format!("{}: {e}", path.display())))?;
        let elf = elf::read(&data, self.arch).ok_or_else(|| {
            PackageError(format!(
                "{} is no program for {}\n  hint: name one that is: --pgkeep and --pg-dump, or another --arch",
                path.display(),
                self.arch
            ))
        })?;
        Ok(Found { path: path.into(), data, elf })
    }

    /// Finds a library that this one needs.
    pub(super) fn find(&self, name: &str, needed_by: &Found) -> Result<Found> {
        let origin = needed_by.path.canonicalize().unwrap_or_else(|_| needed_by.path.clone());
        let origin = origin.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
        let own = needed_by.elf.search.iter();
        let own = own.map(|folder| folder.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin).into());
        for folder in own.chain(self.folders.iter().cloned()) {
            let path = folder.join(name);
            let Ok(data) = std::fs::read(&path) else { continue };
            if let Some(elf) = elf::read(&data, self.arch) {
                return Ok(Found { path, data, elf });
            }
        }
        Err(PackageError(format!(
            "{} needs {name}, and there is none for {} on this machine\n  hint: install it, or name its folder by \
             --library-dir",
            needed_by.path.display(),
            self.arch
        )))
    }
}
