//! From the words for a backup (an id, `name@latest`, a URL, a file) to its archive and manifest.

use std::path::Path;

use pgkeep_archive::TOC_FILE;
use pgkeep_keep::encryption::{EXTENSION, Identities, is_sealed, name_recipients};
use pgkeep_keep::{Catalogue, KeepError, Listed, Manifest, StoredArchive, Wanted, directory_of, look_whole};
use pgkeep_store::Store;

use crate::config::Config;
use crate::failure::{Exit, Failure, Result};
use crate::keys::IdentityFlags;
use crate::show::warn;
use crate::stores::{Holding, Holdings, StoreFlags};

/// A backup that was found.
pub(crate) struct Found {
    pub(crate) store: Store,
    pub(crate) key: String,
    /// `None` for an archive without one, such as pg_dump's own.
    pub(crate) manifest: Option<Manifest>,
    /// How the keys of what lies beside the manifest begin; `None` without a manifest.
    pub(crate) stem: Option<String>,
    /// Names of further stores that have a copy.
    pub(crate) elsewhere: Vec<String>,
    keys: IdentityFlags,
}

impl Found {
    /// The backup of this manifest in this store, wherever else it may be.
    pub(crate) fn kept(store: &Store, listed: &Listed, manifest: Manifest) -> Found {
        let (key, stem) = (manifest.object.key.clone(), Some(format!("{}/{}", listed.name, listed.id)));
        let (elsewhere, keys) = (Vec::new(), IdentityFlags::default());
        Found { store: store.clone(), key, manifest: Some(manifest), stem, elsewhere, keys }
    }

    /// The same, to be read with these keys where it is encrypted.
    pub(crate) fn with_keys(self, keys: &IdentityFlags) -> Found {
        Found { keys: keys.clone(), ..self }
    }

    /// The archive, to be read at random.
    pub(crate) fn archive(&self) -> Result<StoredArchive> {
        let identities = self.identities()?;
        StoredArchive::open(&self.store, &self.key, &identities).map_err(|e| self.locked(e))
    }

    /// The secret keys, whose files are read only where something is encrypted.
    pub(crate) fn identities(&self) -> Result<Identities> {
        if is_sealed(&self.key) { self.keys.read() } else { Ok(Identities::none()) }
    }

    /// Whose keys open it, where that is what failed.
    pub(crate) fn locked(&self, e: KeepError) -> Failure {
        match &self.manifest {
            Some(m) => name_recipients(e, m).into(),
            None => e.into(),
        }
    }

    /// Says with a failure to read this copy where another one is.
    pub(crate) fn or_elsewhere(&self, failure: Failure) -> Failure {
        let about_copy = matches!(failure.exit, Exit::Store | Exit::Differs) && failure.kind != "differs";
        match self.elsewhere.first().filter(|_| about_copy) {
            Some(other) => Failure {
                message: format!("{}\n  hint: another copy is in {other}: --store {other}", failure.message),
                ..failure
            },
            None => failure,
        }
    }
}

/// Finds the backup. A path or URL is taken as it is; anything else is looked up in the stores, of which those count
/// that answer and whose copy is whole at a quick look.
pub(crate) fn resolve(words: &str, stores: &StoreFlags, config: &Config) -> Result<Found> {
    let is_place = words.contains("://") || words.starts_with('/') || words.starts_with('.');
    let path = Path::new(words);
    let is_directory = ["", EXTENSION].iter().any(|end| path.join(format!("{TOC_FILE}{end}")).is_file());
    if is_place || path.is_file() || is_directory {
        return by_place(words);
    }
    let names = stores.named(config)?;
    let wanted = Wanted::parse(words);
    let holdings = Holdings::look_below(&names, &wanted.prefix())?;
    let listed = match wanted.pick(holdings.all(), &holdings.places()) {
        Ok(listed) => listed,
        Err(none) => return foreign(words, &holdings).ok_or_else(|| none.into()),
    };
    let copies: Vec<&Holding> = holdings.holders(&listed).collect();
    let mut first_failure = None;
    for (i, copy) in copies.iter().enumerate() {
        let store = copy.catalogue.store();
        let found = copy.catalogue.manifest(&listed).and_then(|manifest| {
            // Where there is no other copy the reader finds out itself, and says more.
            if copies.len() > 1 {
                look_whole(store, &manifest)?;
            }
            Ok(manifest)
        });
        match found {
            Ok(manifest) => {
                let elsewhere = copies[i + 1..].iter().map(|c| c.name.clone()).collect();
                return Ok(Found { elsewhere, ..Found::kept(store, &listed, manifest) });
            }
            Err(e) => {
                if copies.len() > 1 {
                    warn(format!("pgkeep: note: the copy in {} is passed over: {e}", copy.name));
                }
                first_failure.get_or_insert(e);
            }
        }
    }
    // The backup was picked from these stores, so that one at least has been tried.
    Err(first_failure.unwrap_or(KeepError::Cancelled).into())
}

/// Somebody else's archive, by its key; a directory also by its own.
fn foreign(words: &str, holdings: &Holdings) -> Option<Found> {
    let toc = format!("{}/{TOC_FILE}", words.trim_end_matches('/'));
    let (store, key) = holdings.stores.iter().find_map(|h| {
        let is_meant = |key: &str| key == words || key.strip_suffix(EXTENSION).unwrap_or(key) == toc;
        let found = h.others.iter().find(|o| is_meant(&o.key))?;
        Some((h.catalogue.store().clone(), found.key.clone()))
    })?;
    Some(Found {
        store,
        key,
        manifest: None,
        stem: None,
        elsewhere: Vec::new(),
        keys: IdentityFlags::default(),
    })
}

fn by_place(words: &str) -> Result<Found> {
    refuse_folder(words)?;
    let directory = directory(words);
    let (folder, file) = split(directory.as_deref().unwrap_or(words));
    let store = Store::open(&folder)?;
    let ends = [".manifest.json", ".dump", ".dir", ".sql", ".sql.gz", ".sql.zst", ".sql.lz4"];
    let plain = file.strip_suffix(EXTENSION).unwrap_or(&file);
    let stem = ends.iter().find_map(|end| plain.strip_suffix(end)).map(str::to_owned);
    let manifest_key = stem.as_ref().map(|s| format!("{s}.manifest.json"));
    let catalogue = Catalogue::new(store.clone());
    let manifest = match manifest_key {
        Some(key) if store.head(&key).is_ok() => Some(catalogue.manifest_at(&key)?),
        _ => None,
    };
    let key = match &manifest {
        Some(m) => m.object.key.clone(),
        None if directory.is_some() => {
            let toc = format!("{file}/{TOC_FILE}");
            let sealed = format!("{toc}{EXTENSION}");
            if store.head(&sealed).is_ok() { sealed } else { toc }
        }
        None => file,
    };
    // Below the store's own URL, where a template put it; the manifest lies one folder deep.
    if manifest.is_some() && directory_of(&key).unwrap_or(&key).contains('/') {
        let (above, name) = split(&folder);
        let stem = stem.map(|stem| format!("{name}/{stem}"));
        return Ok(Found {
            store: Store::open(&above)?,
            key,
            manifest,
            stem,
            elsewhere: Vec::new(),
            keys: IdentityFlags::default(),
        });
    }
    let stem = stem.filter(|_| manifest.is_some());
    Ok(Found { store, key, manifest, stem, elsewhere: Vec::new(), keys: IdentityFlags::default() })
}

/// The path or URL of an archive in the directory format, without its end: a folder on this machine is looked at,
/// elsewhere a name that ends in `.dir`, `/` or `/toc.dat` says so.
fn directory(words: &str) -> Option<String> {
    let path = local(words);
    if path.is_dir() {
        // `.` has no name to be split off.
        return path.canonicalize().ok().map(|p| p.to_string_lossy().into_owned());
    }
    let (place, query) = words.split_once('?').filter(|_| words.contains("://")).unwrap_or((words, ""));
    let place = match place
        .strip_suffix(EXTENSION)
        .unwrap_or(place)
        .strip_suffix(&format!("/{TOC_FILE}"))
        .or_else(|| place.strip_suffix('/'))
    {
        Some(place) => place,
        None => place.ends_with(".dir").then_some(place)?,
    };
    Some(if query.is_empty() { place.to_owned() } else { format!("{place}?{query}") })
}

fn local(words: &str) -> &Path {
    Path::new(words.strip_prefix("file://").unwrap_or(words))
}

/// A folder on this machine without a table of contents is no archive.
fn refuse_folder(words: &str) -> Result<()> {
    let path = local(words);
    let is_archive = ["", ".gz", ".zst", ".lz4", EXTENSION]
        .iter()
        .any(|end| path.join(format!("{TOC_FILE}{end}")).exists());
    if !path.is_dir() || is_archive {
        return Ok(());
    }
    let why =
        format!("{words}: it is a folder\n  hint: `pgkeep list --store {words}` shows the backups in it");
    Err(Failure::new(Exit::Failed, "no-such-backup", why))
}

/// Folder and file of a path or URL; a URL's query belongs to the folder.
pub(crate) fn split(words: &str) -> (String, String) {
    let (place, query) = match words.split_once('?') {
        Some((p, q)) if words.contains("://") => (p, format!("?{q}")),
        _ => (words, String::new()),
    };
    match place.rsplit_once('/') {
        Some(("", file)) => ("/".into(), file.into()),
        Some((folder, file)) => (format!("{folder}{query}"), file.into()),
        None => (".".into(), place.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_known_by_its_name_elsewhere_and_by_its_table_of_contents_here() {
        let d = |w: &str| directory(w);
        assert_eq!(d("s3://b/p/x.dir?region=r"), Some("s3://b/p/x.dir?region=r".into()));
        assert_eq!(d("s3://b/p/x/toc.dat"), Some("s3://b/p/x".into()));
        assert_eq!(d("s3://b/p/x/"), Some("s3://b/p/x".into()));
        assert_eq!(d("s3://b/p/x.dump"), None);
        let here = tempfile::tempdir().unwrap();
        let path = here.path().canonicalize().unwrap().to_str().unwrap().to_owned();
        assert!(refuse_folder(&path).is_err());
        std::fs::write(here.path().join("toc.dat"), "").unwrap();
        assert!(refuse_folder(&path).is_ok());
        assert_eq!(d(&path), Some(path.clone()));
    }

    #[test]
    fn a_place_is_split_into_folder_and_file() {
        let s = |w: &str| split(w);
        assert_eq!(s("s3://b/p/x.dump?region=r"), ("s3://b/p?region=r".into(), "x.dump".into()));
        assert_eq!(s("/x.dump"), ("/".into(), "x.dump".into()));
        assert_eq!(s("x.dump"), (".".into(), "x.dump".into()));
        assert_eq!(s("../a/x?y.dump"), ("../a".into(), "x?y.dump".into()));
    }
}
