//! What backups a store holds. The store is the only truth: every manifest in it is a backup, nothing else is.

mod foreign;
mod index;
mod listing;
mod summary;

use std::sync::atomic::{AtomicUsize, Ordering};

use pgkeep_store::Store;

use crate::error::{KeepError, Result};
use crate::manifest::{GlobalsRecord, Manifest, ObjectRecord};
pub use foreign::{Foreign, ForeignFormat};
use index::Index;
pub(crate) use listing::NOTES;
pub use listing::{Listed, Survey};
pub use summary::{Summaries, Summary};

/// Requests at a time when many manifests are read.
const READERS: usize = 16;

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

    /// What the key of its manifest begins with, as far as the words tell.
    pub fn prefix(&self) -> String {
        let name = match self {
            Wanted::Latest(name) => Some(name.as_str()),
            Wanted::Id(id) => id.rsplit_once('/').map(|(name, _)| name),
        };
        name.map(|n| format!("{n}/")).unwrap_or_default()
    }

    /// The one backup that is meant among these, oldest first; `stores` names the places for the error.
    ///
    /// # Errors
    /// `NoSuchBackup`, or `Ambiguous` where the beginning of an id fits several.
    pub fn pick(&self, all: Vec<Listed>, stores: &[String]) -> Result<Listed> {
        let words = match self {
            Wanted::Latest(name) => format!("{name}@latest"),
            Wanted::Id(id) => id.clone(),
        };
        let none = || KeepError::NoSuchBackup { wanted: words.clone(), stores: stores.to_vec() };
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
                        store: stores.join(", "),
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
        Ok(self.survey("")?.backups)
    }

    /// Everything in the store whose key begins with `prefix`, by one listing.
    pub fn survey(&self, prefix: &str) -> Result<Survey> {
        let objects = self.store.list(prefix)?;
        Survey::of(objects.map(|o| o.map_err(KeepError::from)))
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

    /// What is known of these backups, each with its own result: a manifest that cannot be read does not hide the
    /// others. Where there are many, an index in the store spares reading those that it knows already.
    pub fn summaries(&self, listed: &[Listed]) -> Summaries {
        self.look_up(listed).0
    }

    /// As [`summaries`](Self::summaries), for everything that [`list`](Self::list) gave; keeps the index up to date.
    ///
    /// The second result says why the index could not be written, which costs time and nothing else.
    pub fn summaries_of_all(&self, listed: &[Listed]) -> (Summaries, Option<KeepError>) {
        let (summaries, useless) = self.look_up(listed);
        let failed = Index::of(&self.store, listed.len()).keep(listed, &summaries, useless).err();
        (summaries, failed)
    }

    /// The summaries, and how many lines of the index were of no use.
    fn look_up(&self, listed: &[Listed]) -> (Summaries, usize) {
        let mut found: Vec<Option<Result<Summary>>> = listed.iter().map(|_| None).collect();
        let useless = Index::of(&self.store, listed.len()).fill(listed, &mut found);
        let missing: Vec<usize> = (0..found.len()).filter(|i| found[*i].is_none()).collect();
        let wanted: Vec<&Listed> = missing.iter().map(|i| &listed[*i]).collect();
        for (i, summary) in missing.iter().zip(self.each(&wanted, Summary::of)) {
            found[*i] = Some(summary);
        }
        let found = found.into_iter().map(|s| s.unwrap_or(Err(KeepError::Cancelled))).collect();
        (Summaries { found, read: missing.len() }, useless)
    }

    /// Reads the manifests of these backups, several at a time, and makes something of each.
    fn each<T: Send>(&self, listed: &[&Listed], of: impl Fn(&Manifest) -> T + Sync) -> Vec<Result<T>> {
        let next = AtomicUsize::new(0);
        let mut results: Vec<Option<Result<T>>> = listed.iter().map(|_| None).collect();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..READERS.min(listed.len()))
                .map(|_| {
                    scope.spawn(|| {
                        let mut read = Vec::new();
                        loop {
                            let i = next.fetch_add(1, Ordering::Relaxed);
                            let Some(one) = listed.get(i) else { return read };
                            read.push((i, self.manifest(one).map(|m| of(&m))));
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
        wanted.pick(self.survey(&wanted.prefix())?.backups, &[self.store.url()])
    }
}
