//! Whether a store can be written to, read, listed and cleaned; by an object that is removed again.

use jiff::Timestamp;
use pgkeep_engine::check::{CLOCK_TOLERANCE, Class, Finding};
use pgkeep_keep::BackupId;
use pgkeep_store::{Store, StoreError};

use crate::failure::Result;

/// What stands in the way of keeping backups there.
pub(super) fn check(url: &str) -> Result<Vec<Finding>> {
    let store = Store::open(url)?;
    let now = Timestamp::now();
    // Where runs leave their marks: cleaned by the next backup if this process dies here.
    let key = format!(".pgkeep/runs/check-{}", BackupId::new(now));
    let mut findings = Vec::new();
    let mut refused = |what: &str, e: StoreError| {
        findings.push(Finding {
            class: Class::Store,
            object: None,
            problem: format!("{what}: {}", e.cause()),
            remedy: e.hint().to_owned(),
        });
    };
    if let Err(e) = store.put(&key, "pgkeep check".into()) {
        refused("writing", e);
        return Ok(findings);
    }
    if let Err(e) = store.get(&key) {
        refused("reading", e);
    }
    let modified = match store.head(&key) {
        Ok(info) => info.modified,
        Err(e) => {
            refused("looking at an object", e);
            now
        }
    };
    if let Err(e) = store.list(".pgkeep/").and_then(|mut objects| objects.next().transpose()) {
        refused("listing", e);
    }
    if let Err(e) = store.delete(&key) {
        refused("deleting", e);
    }
    let ahead = modified.duration_since(now).as_secs_f64();
    if ahead.abs() > CLOCK_TOLERANCE.as_secs_f64() {
        findings.push(Finding {
            class: Class::Clock,
            object: None,
            problem: format!("the store's clock is {ahead:+.0} s from this machine's"),
            remedy: "check this machine's time service: stores refuse requests from another time".into(),
        });
    }
    Ok(findings)
}
