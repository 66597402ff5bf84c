//! Walking a folder in the order of keys.
//!
//! In a bucket `a-b` comes before `a/x`, since `-` sorts before `/`. To list the same objects in the same
//! order, a folder is sorted as if its name ended with `/`. One folder's names are in memory at a time
//! for each level, not the whole tree.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::meaning;
use super::partial::target_name;
use super::store::info;
use crate::error::Result;
use crate::key::is_partial;
use crate::types::ObjectInfo;

/// One name in a folder.
struct Entry {
    key: String,
    is_folder: bool,
}

/// The walk: what is left to visit, the next last.
pub(crate) struct Walk {
    url: String,
    root: PathBuf,
    prefix: String,
    partials: bool,
    stack: Vec<Entry>,
    failed: Option<io::Error>,
}

impl Walk {
    /// Walks the objects whose keys begin with `prefix`.
    pub(crate) fn objects(url: &str, root: &Path, prefix: &str) -> Walk {
        Walk::new(url, root, prefix, false)
    }

    /// Walks the partial files instead; their keys are those of the partials themselves.
    pub(crate) fn partials(url: &str, root: &Path, prefix: &str) -> Walk {
        Walk::new(url, root, prefix, true)
    }

    fn new(url: &str, root: &Path, prefix: &str, partials: bool) -> Walk {
        let mut walk = Walk {
            url: url.to_owned(),
            root: root.to_owned(),
            prefix: prefix.to_owned(),
            partials,
            stack: Vec::new(),
            failed: None,
        };
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        walk.enter(folder);
        walk
    }

    /// Puts what is in `folder` on the stack.
    fn enter(&mut self, folder: &str) {
        match self.read(folder) {
            Ok(mut entries) => self.stack.append(&mut entries),
            // Removed in the meantime, or never there: there is nothing in it.
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(e) => self.failed = Some(e),
        }
    }

    fn read(&self, folder: &str) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.root.join(folder))? {
            let entry = entry?;
            // A name that is not UTF-8 is none of ours, since keys are.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let is_folder = entry.file_type()?.is_dir();
            if !is_folder && is_partial(&name) != self.partials {
                continue;
            }
            let mut key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if is_folder {
                key.push('/');
            }
            if self.wanted(&key, is_folder) {
                entries.push(Entry { key, is_folder });
            }
        }
        entries.sort_unstable_by(|a, b| b.key.cmp(&a.key));
        Ok(entries)
    }

    fn wanted(&self, key: &str, is_folder: bool) -> bool {
        if is_folder {
            return key.starts_with(&self.prefix) || self.prefix.starts_with(key);
        }
        if !self.partials {
            return key.starts_with(&self.prefix);
        }
        target_key(key).is_some_and(|key| key.starts_with(&self.prefix))
    }
}

/// The key of the object that the partial under `key` was to become.
pub(crate) fn target_key(key: &str) -> Option<String> {
    match key.rsplit_once('/') {
        Some((folder, name)) => Some(format!("{folder}/{}", target_name(name)?)),
        None => target_name(key).map(str::to_owned),
    }
}

impl Iterator for Walk {
    type Item = Result<ObjectInfo>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(e) = self.failed.take() {
                return Some(Err(meaning(&self.url, &e)));
            }
            let entry = self.stack.pop()?;
            if entry.is_folder {
                self.enter(entry.key.trim_end_matches('/'));
                continue;
            }
            match fs::metadata(self.root.join(&entry.key)) {
                Ok(meta) if meta.is_file() => return Some(Ok(info(entry.key, &meta))),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Some(Err(meaning(&format!("{}/{}", self.url, entry.key), &e))),
            }
        }
    }
}
