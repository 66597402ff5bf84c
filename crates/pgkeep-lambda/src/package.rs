//! The package of the function: one zip that brings everything, so that it runs where nothing is installed.
//!
//! `bootstrap` is the program, which Lambda starts (AWS Lambda Developer Guide, "Building a custom runtime"), `bin/pg_dump`
//! what it starts, `lib` the loader and all libraries of both, `etc` the certificates of authorities for where the system
//! has none. Lambda unpacks it to `/var/task`, and only there it runs: the kernel wants a loader's path in full.

mod authorities;
mod elf;
mod libraries;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

pub(crate) use authorities::use_packaged;
use libraries::{Found, Libraries};

/// Where Lambda unpacks it (Developer Guide, "Lambda runtimes", `LAMBDA_TASK_ROOT`), and the libraries in it.
const LIB: &str = "/var/task/lib";
/// The most that Lambda takes unpacked, and zipped when uploaded directly rather than by S3, in bytes (Developer Guide,
/// "Lambda quotas").
const MOST_UNPACKED: u64 = 250 << 20;
const MOST_DIRECTLY: u64 = 50 << 20;

/// Why there is no package; the next step on lines of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PackageError(String);

type Result<T> = std::result::Result<T, PackageError>;

/// A processor that Lambda has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// Intel's and AMD's.
    X86_64,
    /// AWS Graviton.
    Arm64,
}

impl Arch {
    /// This machine's, if it is one of Lambda's.
    pub fn of_this_machine() -> Option<Arch> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Arch::X86_64),
            "aarch64" => Some(Arch::Arm64),
            _ => None,
        }
    }

    fn machine(self) -> object::elf::Machine {
        match self {
            Arch::X86_64 => object::elf::EM_X86_64,
            Arch::Arm64 => object::elf::EM_AARCH64,
        }
    }

    fn triple(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64-linux-gnu",
            Arch::Arm64 => "aarch64-linux-gnu",
        }
    }
}

impl fmt::Display for Arch {
    /// Lambda's word for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Arch::X86_64 => "x86_64",
            Arch::Arm64 => "arm64",
        })
    }
}

/// All that goes into the zip.
#[derive(Debug, Default)]
pub struct Package {
    files: BTreeMap<String, Vec<u8>>,
}

/// A package that was written.
#[derive(Debug)]
pub struct Written {
    /// Bytes of the zip.
    pub size: u64,
    /// Bytes of what is in it.
    pub unpacked: u64,
    /// The zip's SHA-256.
    pub sha256: [u8; 32],
    /// Its files, in their order.
    pub files: Vec<String>,
}

impl Written {
    /// Whether Lambda takes it by way of S3 only.
    pub fn is_too_big_for_direct_upload(&self) -> bool {
        self.size > MOST_DIRECTLY
    }
}

impl Package {
    /// Gathers both programs and what they need. Libraries come from the programs' own folders, `library_folders`, then
    /// the system's.
    ///
    /// # Errors
    /// A program for another processor, a library that is not there, no patchelf, more than Lambda takes.
    pub fn gather(arch: Arch, pgkeep: &Path, pg_dump: &Path, library_folders: &[PathBuf]) -> Result<Package> {
        let libraries = Libraries::new(arch, library_folders);
        let mut package = Package::default();
        package.files.insert(authorities::FILE.into(), authorities::of_this_machine()?);
        for (name, path) in [("bootstrap", pgkeep), ("bin/pg_dump", pg_dump)] {
            let program = libraries.program(path)?;
            package.add_needed(&program, &libraries)?;
            let data = match loader(&program) {
                Some(loader) => changed(&program.data, |file| elf::move_program(file, loader, LIB))?,
                None => program.data,
            };
            package.files.insert(name.into(), data);
        }
        let unpacked = package.unpacked();
        if unpacked > MOST_UNPACKED {
            return Err(PackageError(format!(
                "unpacked it is {} MiB, and Lambda takes {}\n  hint: take a release build of pgkeep, without debugging \
                 information (strip)",
                unpacked >> 20,
                MOST_UNPACKED >> 20
            )));
        }
        Ok(package)
    }

    /// Adds the loader and the libraries of this one, and theirs.
    fn add_needed(&mut self, of: &Found, libraries: &Libraries) -> Result<()> {
        for name in loader(of).into_iter().chain(of.elf.needed.iter().map(String::as_str)) {
            let key = format!("lib/{name}");
            if self.files.contains_key(&key) {
                continue;
            }
            let found = libraries.find(name, of)?;
            let data = match found.elf.search.is_empty() {
                true => found.data.clone(),
                false => changed(&found.data, elf::free_library)?,
            };
            self.files.insert(key, data);
            self.add_needed(&found, libraries)?;
        }
        Ok(())
    }

    fn unpacked(&self) -> u64 {
        self.files.values().map(|data| data.len() as u64).sum()
    }

    /// Writes the zip; the same files make the same bytes. Whatever was there is replaced once it is whole.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, path: &Path) -> Result<Written> {
        let failed = |e: &dyn fmt::Display| PackageError(format!("{}: {e}", path.display()));
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(DateTime::default())
            .unix_permissions(0o755);
        let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, data) in &self.files {
            zip.start_file(name.as_str(), options).map_err(|e| failed(&e))?;
            zip.write_all(data).map_err(|e| failed(&e))?;
        }
        let zip = zip.finish().map_err(|e| failed(&e))?.into_inner();
        let part = path.with_added_extension("part");
        std::fs::write(&part, &zip).and_then(|()| std::fs::rename(&part, path)).map_err(|e| failed(&e))?;
        Ok(Written {
            size: zip.len() as u64,
            unpacked: self.unpacked(),
            sha256: Sha256::digest(&zip).into(),
            files: self.files.keys().cloned().collect(),
        })
    }
}

/// The file name of a program's loader.
fn loader(of: &Found) -> Option<&str> {
    of.elf.interpreter.as_deref().map(|path| path.rsplit('/').next().unwrap_or(path))
}

/// These bytes after `change`, which works on files.
fn changed(data: &[u8], change: impl FnOnce(&Path) -> Result<()>) -> Result<Vec<u8>> {
    let failed = |e: std::io::Error| PackageError(format!("a temporary file: {e}"));
    let file = tempfile::NamedTempFile::new().map_err(failed)?;
    std::fs::write(file.path(), data).map_err(failed)?;
    change(file.path())?;
    std::fs::read(file.path()).map_err(failed)
}
