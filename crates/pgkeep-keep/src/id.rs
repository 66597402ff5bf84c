//! Names of backups and of their objects.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

use jiff::Timestamp;

/// A backup's id: UTC time of its start and six random hexadecimal digits, `20261121T013000Z-3f9a1c`. Ids sort by
/// time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BackupId(String);

impl BackupId {
    /// A new id for a run that starts now.
    pub fn new(now: Timestamp) -> BackupId {
        // RandomState is seeded by the system for every instance: unpredictable enough to tell two runs of the
        // same second apart, which is all that is asked.
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        let random = hasher.finish() & 0x00ff_ffff;
        BackupId(format!("{}-{random:06x}", now.strftime("%Y%m%dT%H%M%SZ")))
    }

    /// The id in a manifest's key, `shop/20261121T013000Z-3f9a1c.manifest.json`.
    pub fn of_manifest_key(key: &str) -> Option<(&str, BackupId)> {
        let (name, file) = key.rsplit_once('/')?;
        let id = file.strip_suffix(".manifest.json")?;
        (!id.is_empty() && !name.starts_with('.')).then(|| (name, BackupId(id.to_owned())))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Key of the archive.
    pub fn archive_key(&self, name: &str) -> String {
        format!("{name}/{}.dump", self.0)
    }

    /// Key of the server's roles and tablespaces.
    pub fn globals_key(&self, name: &str) -> String {
        format!("{name}/{}.globals.sql", self.0)
    }

    /// Key of the manifest.
    pub fn manifest_key(&self, name: &str) -> String {
        format!("{name}/{}.manifest.json", self.0)
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A database's name as part of a key: letters, digits, `.`, `_` and `-` of any script stay; everything else
/// (slashes above all) becomes `_`; a leading dot is hidden from listings and so becomes `_`, too.
pub fn safe_name(name: &str) -> String {
    let mut safe: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' })
        .collect();
    if safe.is_empty() || safe.starts_with('.') {
        safe.insert(0, '_');
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_differ_within_a_second() {
        let early: Timestamp = "2026-11-21T01:30:00Z".parse().unwrap();
        let late: Timestamp = "2026-11-21T01:30:01Z".parse().unwrap();
        assert!(BackupId::new(early) < BackupId::new(late));
        assert_ne!(BackupId::new(early), BackupId::new(early));
        assert!(BackupId::new(early).as_str().starts_with("20261121T013000Z-"));
    }

    #[test]
    fn keys_lead_back_to_ids() {
        let id = BackupId::new(Timestamp::UNIX_EPOCH);
        assert_eq!(BackupId::of_manifest_key(&id.manifest_key("a/b")), Some(("a/b", id)));
        assert_eq!(BackupId::of_manifest_key("x/y.dump"), None);
        assert_eq!(BackupId::of_manifest_key(".pgkeep/x.manifest.json"), None);
    }

    #[test]
    fn names_cannot_leave_their_folder() {
        assert_eq!(safe_name("../../etc"), "_.._.._etc");
        assert_eq!(safe_name("Größe-1.x"), "Größe-1.x");
        assert_eq!(safe_name(""), "_");
    }
}
