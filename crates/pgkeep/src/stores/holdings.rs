//! What several stores hold together.

use pgkeep_keep::sync::Side;
use pgkeep_keep::{Catalogue, Listed, Survey};
use pgkeep_store::ObjectInfo;

use super::StoreName;
use crate::failure::{Failure, Result};
use crate::show::warn;

/// One store and the backups in it.
pub(crate) struct Holding {
    /// The configured name, or the URL where it has none.
    pub(crate) name: String,
    /// Reads its manifests.
    pub(crate) catalogue: Catalogue,
    /// Its backups, oldest first.
    pub(crate) listed: Vec<Listed>,
    /// What else lies there: archives, and what others keep.
    pub(crate) others: Vec<ObjectInfo>,
}

impl Holding {
    /// The store as copies are planned by it.
    pub(crate) fn side(&self) -> Side {
        Side::new(&self.listed, self.catalogue.summaries(&self.listed).found, &self.others)
    }

    /// Whether this store has a copy of the backup.
    pub(crate) fn has(&self, backup: &Listed) -> bool {
        self.listed.iter().any(|l| is_copy(l, backup))
    }
}

/// The stores that answered, in the order in which they were named.
pub(crate) struct Holdings {
    pub(crate) stores: Vec<Holding>,
    /// Those that did not, with the reason.
    pub(crate) silent: Vec<(String, Failure)>,
}

impl Holdings {
    /// Lists all stores. Where there are several, one that does not answer is passed over with a note.
    ///
    /// # Errors
    /// The first store's if none answers.
    pub(crate) fn look(names: &[StoreName]) -> Result<Holdings> {
        Holdings::look_below(names, "")
    }

    /// The same for keys that begin with `prefix`: what is asked about one name need not list all.
    pub(crate) fn look_below(names: &[StoreName], prefix: &str) -> Result<Holdings> {
        let mut holdings = Holdings { stores: Vec::new(), silent: Vec::new() };
        for named in names {
            let look = || {
                let catalogue = Catalogue::new(named.open()?);
                let Survey { backups: listed, others, .. } = catalogue.survey(prefix)?;
                Ok(Holding { name: named.name.clone(), catalogue, listed, others })
            };
            match look() {
                Ok(holding) => holdings.stores.push(holding),
                Err(failure) => holdings.silent.push((named.name.clone(), failure)),
            }
        }
        if holdings.stores.is_empty() && !holdings.silent.is_empty() {
            return Err(holdings.silent.swap_remove(0).1);
        }
        for (name, failure) in &holdings.silent {
            warn(format!("pgkeep: note: store {name} is passed over: {}", failure.message));
        }
        Ok(holdings)
    }

    /// Every backup once, oldest first.
    pub(crate) fn all(&self) -> Vec<Listed> {
        let mut all: Vec<Listed> = self.stores.iter().flat_map(|s| s.listed.iter().cloned()).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id).then_with(|| a.name.cmp(&b.name)));
        all.dedup_by(|a, b| is_copy(a, b));
        all
    }

    /// Their URLs, for messages.
    pub(crate) fn places(&self) -> Vec<String> {
        self.stores.iter().map(|s| s.catalogue.store().url()).collect()
    }

    /// The stores that have a copy of this backup.
    pub(crate) fn holders(&self, backup: &Listed) -> impl Iterator<Item = &Holding> {
        self.stores.iter().filter(|s| s.has(backup))
    }
}

fn is_copy(a: &Listed, b: &Listed) -> bool {
    (&a.id, &a.name) == (&b.id, &b.name)
}
