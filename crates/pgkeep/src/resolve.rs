//! From the words for a backup (an id, `name@latest`, a URL, a file) to its archive and manifest.

use std::path::Path;

use pgkeep_keep::{Catalogue, Manifest, StoredArchive, Wanted};
use pgkeep_store::Store;

use crate::failure::{Exit, Failure, Result};

/// A backup that was found.
pub(crate) struct Found {
    pub(crate) store: Store,
    pub(crate) key: String,
    /// `None` for an archive without one, such as pg_dump's own.
    pub(crate) manifest: Option<Manifest>,
}

impl Found {
    /// The archive, to be read at random.
    pub(crate) fn archive(&self) -> Result<StoredArchive> {
        Ok(StoredArchive::open(&self.store, &self.key)?)
    }
}

/// Finds the backup. A path or URL is taken as it is; anything else is looked up in `store`.
pub(crate) fn resolve(words: &str, store: impl FnOnce() -> String) -> Result<Found> {
    if words.contains("://") || words.starts_with('/') || words.starts_with('.') || Path::new(words).is_file()
    {
        return by_place(words);
    }
    let catalogue = Catalogue::new(Store::open(&store())?);
    let listed = catalogue.find(&Wanted::parse(words))?;
    let manifest = catalogue.manifest(&listed)?;
    Ok(Found { store: catalogue.store().clone(), key: manifest.object.key.clone(), manifest: Some(manifest) })
}

fn by_place(words: &str) -> Result<Found> {
    refuse_folder(words)?;
    let (folder, file) = split(words);
    let store = Store::open(&folder)?;
    let ends = [".manifest.json", ".dump", ".sql", ".sql.gz", ".sql.zst", ".sql.lz4"];
    let stem = ends.iter().find_map(|end| file.strip_suffix(end));
    let manifest_key = stem.map(|s| format!("{s}.manifest.json"));
    let catalogue = Catalogue::new(store.clone());
    let manifest = match manifest_key {
        Some(key) if store.head(&key).is_ok() => Some(catalogue.manifest_at(&key)?),
        _ => None,
    };
    let key = match &manifest {
        Some(m) => m.object.key.clone(),
        None => file,
    };
    // Below the store's own URL, where a template put it; the manifest lies one folder deep.
    if manifest.is_some() && key.contains('/') {
        let (above, _) = split(&folder);
        return Ok(Found { store: Store::open(&above)?, key, manifest });
    }
    Ok(Found { store, key, manifest })
}

/// A folder on this machine is no archive; what was meant is guessed by what lies in it.
fn refuse_folder(words: &str) -> Result<()> {
    let path = Path::new(words.strip_prefix("file://").unwrap_or(words));
    if !path.is_dir() {
        return Ok(());
    }
    let (why, hint) = match path.join("toc.dat").exists() {
        true => (
            "it is an archive in pg_dump's directory format, which pgkeep does not read",
            "`pg_restore -Fd` reads it; `pg_dump -Fc` writes one that both read".to_owned(),
        ),
        false => ("it is a folder", format!("`pgkeep list --store {words}` shows the backups in it")),
    };
    Err(Failure::new(Exit::Failed, "no-such-backup", format!("{words}: {why}\n  hint: {hint}")))
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
    fn a_place_is_split_into_folder_and_file() {
        let s = |w: &str| split(w);
        assert_eq!(s("s3://b/p/x.dump?region=r"), ("s3://b/p?region=r".into(), "x.dump".into()));
        assert_eq!(s("/x.dump"), ("/".into(), "x.dump".into()));
        assert_eq!(s("x.dump"), (".".into(), "x.dump".into()));
        assert_eq!(s("../a/x?y.dump"), ("../a".into(), "x?y.dump".into()));
    }
}
