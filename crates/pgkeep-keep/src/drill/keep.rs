//! Drills in a store.

use jiff::{SignedDuration, Timestamp};
use pgkeep_store::Store;

use super::record::{DrillRecord, DrillVerdict};
use super::report::html;
use super::sign::DrillKey;
use crate::error::Result;

/// A drill, as far as a listing tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drilled {
    /// When it ended.
    pub time: Timestamp,
    /// Its verdict.
    pub verdict: DrillVerdict,
    /// Key of the record.
    pub key: String,
}

/// Where a drill's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDrill {
    /// Key of the record.
    pub record: String,
    /// Key of the report for people.
    pub report: String,
    /// Key of the signature, where there is one.
    pub signature: Option<String>,
}

/// Keeps a drill's record and report beside its backup, signed if there is a key. `stem` is the key of the backup's
/// manifest without `.manifest.json`.
///
/// # Errors
/// The store's. Without the record, which is written last, the drill does not count.
pub fn keep_drill(
    store: &Store,
    stem: &str,
    record: &DrillRecord,
    key: Option<&DrillKey>,
) -> Result<KeptDrill> {
    let record = DrillRecord { signed_by: key.map(|key| key.public().to_base64()), ..record.clone() };
    let json = record.to_json();
    let named = |time: Timestamp| {
        format!("{stem}.drill.{}.{}", time.strftime("%Y%m%dT%H%M%SZ"), record.verdict.as_str())
    };
    // Names have seconds, and a drill of a damaged archive takes less.
    let seconds = (0..).map(|n| record.finished + SignedDuration::from_secs(n));
    let free = seconds.map(named).find(|stem| store.head(&format!("{stem}.json")).is_err());
    let stem = free.unwrap_or_else(|| named(record.finished));
    let kept = KeptDrill {
        record: format!("{stem}.json"),
        report: format!("{stem}.html"),
        signature: key.map(|_| format!("{stem}.sig")),
    };
    store.put(&kept.report, html(&record).into())?;
    if let (Some(to), Some(key)) = (&kept.signature, key) {
        store.put(to, key.sign(&json).into())?;
    }
    store.put_if_absent(&kept.record, json.into())?;
    Ok(kept)
}

/// The drills of a backup, oldest first, by a listing alone; `stem` as for [`keep_drill`].
///
/// # Errors
/// The store's.
pub fn drills(store: &Store, stem: &str) -> Result<Vec<Drilled>> {
    let mut found = Vec::new();
    for object in store.list(&format!("{stem}.drill."))? {
        let object = object?;
        found.extend(drilled(&object.key));
    }
    found.sort_by_key(|drill: &Drilled| drill.time);
    Ok(found)
}

/// The record of the last drill whose backup was proven, among those whose keys begin with this prefix.
///
/// # Errors
/// The store's; `DrillRecord` where it cannot be read.
pub fn last_proven(store: &Store, prefix: &str) -> Result<Option<DrillRecord>> {
    let mut last: Option<Drilled> = None;
    for object in store.list(prefix)? {
        let drill = drilled(&object?.key).filter(|drill| drill.verdict == DrillVerdict::Proven);
        last = last.into_iter().chain(drill).max_by_key(|drill| drill.time);
    }
    last.map(|drill| DrillRecord::from_json(&store.get(&drill.key)?, &store.url_of(&drill.key))).transpose()
}

fn drilled(key: &str) -> Option<Drilled> {
    let (stem, verdict) = key.strip_suffix(".json")?.rsplit_once('.')?;
    let verdicts = [DrillVerdict::Proven, DrillVerdict::Failed, DrillVerdict::Incomplete];
    let verdict = verdicts.into_iter().find(|v| v.as_str() == verdict)?;
    let (_, time) = stem.rsplit_once(".drill.")?;
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time).ok()?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(Drilled { time, verdict, key: key.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_when_and_what() {
        let key = "shop/20261121T013000Z-3f9a1c.drill.20261122T021500Z.proven.json";
        let drill = drilled(key).unwrap();
        assert_eq!(drill.time.to_string(), "2026-11-22T02:15:00Z");
        assert_eq!(drill.verdict, DrillVerdict::Proven);
        for other in
            [key.replace(".json", ".html"), key.replace("proven", "perhaps"), key.replace("T0215", "T")]
        {
            assert_eq!(drilled(&other), None, "{other}");
        }
    }
}
