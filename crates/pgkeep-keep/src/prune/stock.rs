//! Everything in a store, as a prune finds it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;

use jiff::Timestamp;
use pgkeep_archive::TOC_FILE;
use pgkeep_store::Store;

use crate::catalogue::{Catalogue, Foreign, Listed, Summary, Survey};
use crate::encryption::EXTENSION;
use crate::error::{KeepError, Result};
use crate::retention::{Plan, Policy, plan};

/// What lies in a store, with the summary of every backup.
pub struct Stock {
    pub(super) survey: Survey,
    summaries: Vec<Result<Summary>>,
    /// How many manifests name a key.
    named: HashMap<String, usize>,
    /// Places in `survey.backups`, by name.
    by_name: BTreeMap<String, Vec<usize>>,
    /// Whether the store locks anything, once it was asked.
    locks: OnceLock<bool>,
    /// Why the index could not be kept, which only costs time.
    pub index_failed: Option<KeepError>,
}

impl Stock {
    /// Looks through a store.
    pub fn look(catalogue: &Catalogue) -> Result<Stock> {
        let survey = catalogue.survey("")?;
        let (summaries, index_failed) = catalogue.summaries_of_all(&survey.backups);
        let mut named: HashMap<String, usize> = HashMap::new();
        for summary in summaries.found.iter().flatten() {
            for key in std::iter::once(&summary.key).chain(&summary.globals) {
                *named.entry(key.clone()).or_default() += 1;
            }
        }
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (i, listed) in survey.backups.iter().enumerate() {
            by_name.entry(listed.name.clone()).or_default().push(i);
        }
        Ok(Stock { survey, summaries: summaries.found, named, by_name, locks: OnceLock::new(), index_failed })
    }

    /// Names under which backups are kept.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The backups of a name, each with its summary or why its manifest cannot be read.
    pub fn of_name(&self, name: &str) -> impl Iterator<Item = (&Listed, &Result<Summary>)> {
        let places = self.by_name.get(name).map(Vec::as_slice).unwrap_or_default();
        places.iter().map(|i| (&self.survey.backups[*i], &self.summaries[*i]))
    }

    /// What retention decides about the backups of a name. Whether the store has locked a backup is asked of those alone
    /// that would go.
    pub fn plan(&self, store: &Store, name: &str, policy: &Policy, now: Timestamp) -> Result<Plan> {
        let (keys, mut candidates): (Vec<_>, Vec<_>) =
            self.of_name(name).filter_map(|(l, s)| s.as_ref().ok().map(|s| (&s.key, s.candidate(l)))).unzip();
        let unreadable = self.of_name(name).any(|(_, s)| s.is_err());
        let first = plan(&candidates, unreadable, policy, now);
        if first.deletions().next().is_none() || !self.has_locks(store)? {
            return Ok(first);
        }
        let going: HashSet<_> = first.deletions().map(|d| &d.backup.id).collect();
        for (key, candidate) in keys.into_iter().zip(&mut candidates).filter(|(_, c)| going.contains(&c.id)) {
            let manifest = candidate.id.manifest_key(name);
            candidate.locked_until = locked(store, &manifest, now)?.max(locked(store, key, now)?);
        }
        Ok(plan(&candidates, unreadable, policy, now))
    }

    /// Whether the store locks anything; it is asked once.
    fn has_locks(&self, store: &Store) -> Result<bool> {
        if let Some(known) = self.locks.get() {
            return Ok(*known);
        }
        let locks = store.capabilities().locks && store.has_locks()?;
        Ok(*self.locks.get_or_init(|| locks))
    }

    /// Whether a manifest names this key, or the folder that it is in as its archive.
    pub fn is_named(&self, key: &str) -> bool {
        self.named.contains_key(key) || in_archive(key).any(|toc| self.named.contains_key(&toc))
    }

    /// Archives that others put here.
    pub fn foreign(&self, store: &Store) -> Result<Vec<Foreign>> {
        Foreign::find(store, &self.survey.others, |key| self.is_named(key))
    }

    /// The key of an archive by its own words, those of a directory included.
    pub fn archive_key(&self, words: &str) -> Option<String> {
        let toc = format!("{}/{TOC_FILE}", words.trim_end_matches('/'));
        let found = self.survey.others.iter().find(|o| o.key == words || o.key == toc)?;
        Some(found.key.clone())
    }

    /// Whether more than one manifest names this key: files that were copied without their archive.
    pub(super) fn is_shared(&self, key: &str) -> bool {
        let shared = |key: &str| self.named.get(key).is_some_and(|n| *n > 1);
        shared(key) || in_archive(key).any(|toc| shared(&toc))
    }
}

/// The objects that would lead to an archive of many objects with this key among them.
fn in_archive(key: &str) -> impl Iterator<Item = String> + '_ {
    let folders = key.rsplit_once('/').into_iter().map(|(folder, _)| folder);
    folders.flat_map(|folder| ["", EXTENSION].map(|end| format!("{folder}/{TOC_FILE}{end}")))
}

/// Until when the store refuses to delete an object; a legal hold has no end.
fn locked(store: &Store, key: &str, now: Timestamp) -> Result<Option<Timestamp>> {
    let lock = match store.retention(key) {
        Ok(lock) => lock.filter(|l| l.holds(now)),
        Err(e) if e.is_not_found() => None,
        Err(e) => return Err(e.into()),
    };
    Ok(lock.map(|l| match l.retention {
        Some(retention) if !l.legal_hold => retention.until,
        _ => Timestamp::MAX,
    }))
}
