//! Fills a store with manifests of backups that were never taken, to measure listings: `plant STORE COUNT`.
//!
//! See `bench/README.md`. Their archives are not there: do not prune such a store, and remove it afterwards.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};
use pgkeep_keep::{BackupId, Manifest};
use pgkeep_store::Store;

/// Databases that the backups are of.
const NAMES: usize = 100;
/// Requests at a time.
const WRITERS: usize = 16;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, count] = args.as_slice() else { return eprintln!("usage: plant STORE COUNT") };
    let (store, count) = (Store::open(url).unwrap(), count.parse::<usize>().unwrap());
    let sample = Manifest::from_json(include_bytes!("../tests/fixtures/manifest-v1.json"), "sample").unwrap();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= count {
                        return;
                    }
                    write(&store, &sample, i);
                }
            });
        }
    });
}

fn write(store: &Store, sample: &Manifest, i: usize) {
    let hours = i64::try_from(i / NAMES).unwrap();
    let at = Timestamp::now() - SignedDuration::from_hours(hours);
    let (id, name) = (BackupId::new(at), format!("db{:03}", i % NAMES));
    let mut manifest = sample.clone();
    (manifest.id, manifest.object.key) = (id.to_string(), id.archive_key(&name));
    (manifest.started, manifest.finished, manifest.dump.snapshot_time) = (at, at, at);
    store.put(&id.manifest_key(&name), Manifest { name: name.clone(), ..manifest }.to_json().into()).unwrap();
}
