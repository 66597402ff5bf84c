//! What backups a store holds. The store is the only truth: every manifest in it is a backup, nothing else is.

use jiff::Timestamp;
use pgkeep_store::Store;

use crate::error::{KeepError, Result};
use crate::id::BackupId;
use crate::manifest::{GlobalsRecord, Manifest, ObjectRecord};

/// Requests at a time when many manifests are read.
const READERS: usize = 8;

/// A backup that was found, before its manifest is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Name it is kept under.
    pub name: String,
    /// Its id.
    pub id: BackupId,
    /// When the manifest was written, by the store's clock.
    pub committed: Timestamp,
}

/// Which backup is wanted, in the words of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// `name@latest`: the newest of a name.
    Latest(String),
    /// An id or the beginning of one.
    Id(String),
}

impl Wanted {
    /// `shop@latest`, or an id or its beginning.
    pub fn parse(text: &str) -> Wanted {
        match text.strip_suffix("@latest") {
            Some(name) => Wanted::Latest(name.to_owned()),
            None => Wanted::Id(text.to_owned()),
        }
    }

    /// The one backup that is meant among these, oldest first; `store` names the place for the error.
    ///
    /// # Errors
    /// `NoSuchBackup`, or `Ambiguous` where the beginning of an id fits several.
    pub fn pick(&self, all: Vec<Listed>, store: &str) -> Result<Listed> {
        let words = match self {
            Wanted::Latest(name) => format!("{name}@latest"),
            Wanted::Id(id) => id.clone(),
        };
        let none = || KeepError::NoSuchBackup { wanted: words.clone(), store: store.to_owned() };
        match self {
            Wanted::Latest(name) => all.into_iter().rfind(|l| l.name == *name).ok_or_else(none),
            Wanted::Id(id) => {
                let (name, id) = id.rsplit_once('/').map_or((None, id.as_str()), |(n, i)| (Some(n), i));
                let fit: Vec<Listed> = all
                    .into_iter()
                    .filter(|l| {
                        !id.is_empty() && l.id.as_str().starts_with(id) && name.is_none_or(|n| n == l.name)
                    })
                    .collect();
                match fit.as_slice() {
                    [] => Err(none()),
                    [one] => Ok(one.clone()),
                    many => Err(KeepError::Ambiguous {
                        wanted: words,
                        store: store.to_owned(),
                        candidates: many
                            .iter()
                            .take(5)
                            .map(|l| l.id.to_string())
                            .collect::<Vec<_>>()
                            .join(", "),
                    }),
                }
            }
        }
    }
}

/// The backups of one store.
pub struct Catalogue {
    store: Store,
}

impl Catalogue {
    /// The catalogue of a store. Reads nothing yet.
    pub fn new(store: Store) -> Catalogue {
        Catalogue { store }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Every backup, oldest first, without reading manifests.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let mut found = Vec::new();
        for object in self.store.list("")? {
            let object = object?;
            if let Some((name, id)) = BackupId::of_manifest_key(&object.key) {
                found.push(Listed { name: name.to_owned(), id, committed: object.modified });
            }
        }
        found.sort_by(|a, b| a.id.cmp(&b.id).then_with(|| a.name.cmp(&b.name)));
        Ok(found)
    }

    /// Reads one backup's manifest.
    pub fn manifest(&self, listed: &Listed) -> Result<Manifest> {
        self.manifest_at(&listed.id.manifest_key(&listed.name))
    }

    /// Reads the manifest under a key.
    pub fn manifest_at(&self, key: &str) -> Result<Manifest> {
        let manifest = Manifest::from_json(&self.store.get(key)?, &self.store.url_of(key))?;
        // Files that were moved or renamed together stay together: they lie beside their manifest, unless a template put
        // the archive elsewhere from the beginning.
        let Some(stem) = key.strip_suffix(".manifest.json") else { return Ok(manifest) };
        let own = format!("{}/{}", manifest.name, manifest.id);
        let beside = |key: &str| match key.strip_prefix(&own).filter(|end| end.starts_with('.')) {
            Some(end) => format!("{stem}{end}"),
            None => key.to_owned(),
        };
        let moved = |o: ObjectRecord| ObjectRecord { key: beside(&o.key), ..o };
        let object = moved(manifest.object);
        let files = manifest.files.into_iter().map(moved).collect();
        let globals = manifest.globals.map(|g| GlobalsRecord { key: beside(&g.key), ..g });
        Ok(Manifest { object, files, globals, ..manifest })
    }

    /// Reads the manifests of these backups, several at a time, each with its own result: one that cannot be read
    /// does not hide the others.
    pub fn manifests(&self, listed: &[Listed]) -> Vec<Result<Manifest>> {
        let next = std::sync::atomic::AtomicUsize::new(0);
        let mut results: Vec<Option<Result<Manifest>>> = listed.iter().map(|_| None).collect();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..READERS.min(listed.len()))
                .map(|_| {
                    scope.spawn(|| {
                        let mut read = Vec::new();
                        loop {
                            let i = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                            let Some(one) = listed.get(i) else { return read };
                            read.push((i, self.manifest(one)));
                        }
                    })
                })
                .collect();
            for (i, result) in workers.into_iter().filter_map(|w| w.join().ok()).flatten() {
                results[i] = Some(result);
            }
        });
        results.into_iter().map(|r| r.unwrap_or(Err(KeepError::Cancelled))).collect()
    }

    /// Finds the one backup that is meant.
    ///
    /// # Errors
    /// As [`Wanted::pick`].
    pub fn find(&self, wanted: &Wanted) -> Result<Listed> {
        wanted.pick(self.list()?, &self.store.url())
    }
}
