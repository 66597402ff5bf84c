//! What lies beside a manifest and says more of its backup: a hold, and the records of drills. Their names alone tell
//! what lists and retention need, so a listing is enough.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::id::BackupId;

const HOLD: &str = ".hold.json";
const DRILL: &str = ".drill.";
/// Time in a drill record's name, always UTC.
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// What a key beside a manifest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sidecar {
    /// `<id>.hold.json`: the backup must not be deleted.
    Hold,
    /// `<id>.drill.<time>.<proven or failed>.json`: the record of a drill.
    Drill(Drill),
    /// What else belongs to a drill: a report, a signature, the record of one that came to no verdict.
    Paper,
}

/// How a drill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drill {
    /// When it was held.
    pub at: Timestamp,
    /// Whether the restored rows were those of the backup.
    pub proven: bool,
}

/// What the sidecars of one backup say together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sidecars {
    /// Whether it is held.
    pub held: bool,
    /// Its last drill that came to a verdict.
    pub drill: Option<Drill>,
}

impl Sidecars {
    /// Adds what one more sidecar says.
    pub fn add(&mut self, sidecar: Sidecar) {
        match sidecar {
            Sidecar::Hold => self.held = true,
            Sidecar::Drill(drill) => self.drill = self.drill.max(Some(drill)),
            Sidecar::Paper => {}
        }
    }

    /// When the last drill proved the backup; `None` where there was none or it failed.
    pub fn proven(&self) -> Option<Timestamp> {
        self.drill.filter(|d| d.proven).map(|d| d.at)
    }

    /// Whether the last drill failed.
    pub fn failed(&self) -> bool {
        self.drill.is_some_and(|d| !d.proven)
    }
}

impl Sidecar {
    /// What this key is, with name and id of the backup that it belongs to.
    pub fn of_key(key: &str) -> Option<(&str, BackupId, Sidecar)> {
        let (name, file) = key.rsplit_once('/')?;
        let (id, sidecar) = match file.strip_suffix(HOLD) {
            Some(id) => (id, Sidecar::Hold),
            None => {
                let (id, rest) = file.rsplit_once(DRILL)?;
                let (time, rest) = rest.split_once('.')?;
                let at = DateTime::strptime(TIME, time).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
                let sidecar = match rest {
                    "proven.json" => Sidecar::Drill(Drill { at, proven: true }),
                    "failed.json" => Sidecar::Drill(Drill { at, proven: false }),
                    _ => Sidecar::Paper,
                };
                (id, sidecar)
            }
        };
        (!id.is_empty() && !name.starts_with('.')).then(|| (name, BackupId::from_text(id), sidecar))
    }

    /// Key of a backup's hold.
    pub fn hold_key(name: &str, id: &BackupId) -> String {
        format!("{name}/{id}{HOLD}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lead_back_to_what_they_were_made_for() {
        let id = BackupId::new(Timestamp::UNIX_EPOCH);
        let hold = Sidecar::hold_key("a/b", &id);
        assert_eq!(Sidecar::of_key(&hold), Some(("a/b", id.clone(), Sidecar::Hold)));
        let drill = Drill { at: "2026-11-24T08:00:01Z".parse().unwrap(), proven: true };
        let stem = format!("db/{id}.drill.20261124T080001Z");
        for (end, sidecar) in [
            ("proven.json", Sidecar::Drill(drill)),
            ("failed.json", Sidecar::Drill(Drill { proven: false, ..drill })),
            ("incomplete.json", Sidecar::Paper),
            ("proven.html", Sidecar::Paper),
        ] {
            let key = format!("{stem}.{end}");
            assert_eq!(Sidecar::of_key(&key), Some(("db", id.clone(), sidecar)));
        }
    }

    #[test]
    fn other_keys_are_no_sidecars() {
        for key in [
            "db/x.manifest.json",
            "x.hold.json",
            "db/.hold.json",
            ".pgkeep/x.hold.json",
            "db/x.drill.yesterday.proven.json",
            "db/x.drill.20261124T080001Z",
        ] {
            assert_eq!(Sidecar::of_key(key), None, "{key}");
        }
    }

    #[test]
    fn the_last_drill_counts_and_not_the_best() {
        let at = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
        let mut all = Sidecars::default();
        for drill in [Drill { at: at(3), proven: false }, Drill { at: at(1), proven: true }] {
            all.add(Sidecar::Drill(drill));
        }
        assert!(all.failed() && all.proven().is_none());
        all.add(Sidecar::Drill(Drill { at: at(4), proven: true }));
        assert_eq!(all.proven(), Some(at(4)));
    }
}
