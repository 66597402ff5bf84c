//! The index spares reading manifests, and is never believed more than the store.
#![allow(clippy::unwrap_used)]

use jiff::{SignedDuration, Timestamp};
use pgkeep_keep::{BackupId, Catalogue, Manifest, Summaries};
use pgkeep_store::{Faults, Store};

const KEY: &str = ".pgkeep/index.jsonl.zst";

struct Many {
    store: Store,
    catalogue: Catalogue,
    faults: Faults,
}

impl Many {
    fn new(name: &str, count: i64) -> Many {
        let store = Store::open(&format!("memory://index-{name}")).unwrap();
        let faults = Faults::new();
        let catalogue = Catalogue::new(faults.around(&store));
        let many = Many { store, catalogue, faults };
        (0..count).for_each(|hours| many.plant(hours));
        many
    }

    fn plant(&self, hours: i64) {
        let at = "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours);
        let id = BackupId::new(at);
        let mut manifest = Manifest::from_json(include_bytes!("fixtures/manifest-v1.json"), "x").unwrap();
        (manifest.id, manifest.dump.snapshot_time) = (id.to_string(), at);
        self.store.put(&id.manifest_key("shop"), manifest.to_json().into()).unwrap();
    }

    /// What a listing finds; the number of manifests that were read for it is the store's own count.
    fn list(&self) -> (usize, Summaries) {
        self.faults.arm(None);
        let listed = self.catalogue.list().unwrap();
        let (summaries, failed) = self.catalogue.summaries_of_all(&listed);
        assert!(failed.is_none(), "{failed:?}");
        for (listed, summary) in listed.iter().zip(&summaries.found) {
            let manifest = Catalogue::new(self.store.clone()).manifest(listed).unwrap();
            let summary = summary.as_ref().unwrap();
            assert_eq!(summary.snapshot_time, manifest.dump.snapshot_time);
            assert_eq!(summary.database, manifest.dump.database);
        }
        let read = |call: &&String| call.starts_with("get ") && call.ends_with(".manifest.json");
        (self.faults.calls().iter().filter(read).count(), summaries)
    }
}

#[test]
fn a_second_listing_reads_what_is_new_alone() {
    let many = Many::new("new", 300);
    assert_eq!(many.list().0, 300);
    assert_eq!(many.list().0, 0);
    (300..310).for_each(|hours| many.plant(hours));
    let (read, summaries) = many.list();
    assert_eq!((read, summaries.found.len()), (10, 310));
}

#[test]
fn what_was_changed_or_deleted_is_not_taken_from_the_index() {
    let many = Many::new("changed", 300);
    many.list();
    let keys: Vec<String> = many.store.list("shop/").unwrap().map(|o| o.unwrap().key).collect();
    let mut manifest = Manifest::from_json(&many.store.get(&keys[7]).unwrap(), "x").unwrap();
    manifest.dump.database.name = "renamed".into();
    many.store.put(&keys[7], manifest.to_json().into()).unwrap();
    many.store.delete(&keys[8]).unwrap();
    let (read, summaries) = many.list();
    assert_eq!((read, summaries.found.len()), (1, 299));
    assert!(summaries.found.iter().any(|s| s.as_ref().unwrap().database.name == "renamed"));
}

#[test]
fn a_damaged_cut_or_foreign_index_is_passed_over_and_written_anew() {
    let many = Many::new("damaged", 300);
    many.list();
    let whole = many.store.get(KEY).unwrap();
    let mut rotten = whole.to_vec();
    rotten[whole.len() / 2] ^= 0xff;
    let foreign = zstd::encode_all(&b"{\"pgkeep_index\":99}\n{}\n"[..], 3).unwrap();
    for bad in [whole[..whole.len() / 2].to_vec(), rotten, foreign, b"no index".to_vec(), Vec::new()] {
        many.store.put(KEY, bad.into()).unwrap();
        let (_, summaries) = many.list();
        assert_eq!(summaries.found.len(), 300);
        many.store.delete(KEY).unwrap();
        assert_eq!(many.list().0, 300);
        assert_eq!(many.list().0, 0, "and there is a good one again");
    }
}

#[test]
fn a_store_with_few_backups_is_left_alone() {
    let many = Many::new("few", 20);
    many.list();
    assert!(many.store.head(KEY).is_err());
}
