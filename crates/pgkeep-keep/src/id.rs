//! Names of backups and of their objects.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

/// Length of `20261121T013000Z-3f9a1c`.
const ID_LEN: usize = 23;

/// A backup's id, `20261121T013000Z-3f9a1c`: the UTC time of its start, then three hexadecimal digits for the 4096th of the
/// second and three random ones. Ids sort by time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BackupId(String);

impl BackupId {
    /// A new id for a run that starts now.
    pub fn new(now: Timestamp) -> BackupId {
        // RandomState is seeded by the system: unpredictable enough to tell processes apart that begin in the same moment,
        // which is all that is asked. Within one process the count does it.
        static FIRST: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let random = FIRST.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed)) & 0xfff;
        let part = i64::from(now.subsec_nanosecond()).rem_euclid(1_000_000_000) * 4096 / 1_000_000_000;
        BackupId(format!("{}-{part:03x}{random:03x}", now.strftime("%Y%m%dT%H%M%SZ")))
    }

    /// An id as text says it. Whoever renames a backup's files gives it an id of his own, so any text is one.
    pub fn from_text(text: &str) -> BackupId {
        BackupId(text.to_owned())
    }

    /// Name and id in any key that pgkeep itself makes: `shop/20261121T013000Z-3f9a1c.dump` as well as an object in the
    /// folder `shop/20261121T013000Z-3f9a1c/`. Keys that others make have no such id in them.
    pub fn of_own_key(key: &str) -> Option<(&str, BackupId)> {
        let mut from = 0;
        for segment in key.split('/') {
            let id = segment.get(..ID_LEN).filter(|id| is_own(id));
            let ends = segment.as_bytes().get(ID_LEN).is_none_or(|end| *end == b'.');
            if let Some(id) = id.filter(|_| ends && from > 0) {
                return Some((&key[..from - 1], BackupId(id.to_owned())));
            }
            from += segment.len() + 1;
        }
        None
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

/// Whether text has the form of an id.
fn is_own(id: &str) -> bool {
    id.bytes().enumerate().all(|(i, b)| match i {
        8 => b == b'T',
        15 => b == b'Z',
        16 => b == b'-',
        0..16 => b.is_ascii_digit(),
        _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
    })
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
        let soon: Timestamp = "2026-11-21T01:30:00.001Z".parse().unwrap();
        assert!(BackupId::new(early) < BackupId::new(soon));
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
    fn only_keys_with_an_id_in_them_are_our_own() {
        let id = BackupId::new(Timestamp::UNIX_EPOCH);
        for (key, name) in [
            (id.archive_key("a/b"), "a/b"),
            (format!("db/{id}/toc.dat"), "db"),
            (format!("db/{id}.hold.json"), "db"),
            (format!("x/y/{id}"), "x/y"),
        ] {
            assert_eq!(BackupId::of_own_key(&key), Some((name, id.clone())), "{key}");
        }
        for key in
            ["db/x.dump".into(), format!("{id}.dump"), format!("db/{id}x.dump"), format!("db/x{id}.dump")]
        {
            assert_eq!(BackupId::of_own_key(&key), None, "{key}");
        }
    }

    #[test]
    fn names_cannot_leave_their_folder() {
        assert_eq!(safe_name("../../etc"), "_.._.._etc");
        assert_eq!(safe_name("Größe-1.x"), "Größe-1.x");
        assert_eq!(safe_name(""), "_");
    }
}
