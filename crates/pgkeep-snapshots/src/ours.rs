//! Which snapshots pgkeep has made.
//!
//! Tags say it, and they name the snapshot itself, its region, and the database by the identity that RDS never gives to
//! another one. So neither a look-alike name, nor somebody's tags of the same keys, nor somebody's copy that took the tags
//! along makes a snapshot ours.

use pgkeep_cloud::{RdsDatabase, RdsSnapshot, Tags};

use crate::name::taken_of;

const SNAPSHOT: &str = "pgkeep:snapshot";
const REGION: &str = "pgkeep:region";
const RESOURCE: &str = "pgkeep:resource";
const DATABASE: &str = "pgkeep:database";
/// With this tag, whatever its value, a snapshot is kept.
const HOLD: &str = "pgkeep:hold";

/// The tags of a snapshot, beside those that the user wants.
#[must_use]
pub fn tags_for(database: &RdsDatabase, name: &str, region: &str, more: &Tags) -> Tags {
    let mut tags = more.clone();
    tags.insert(SNAPSHOT.into(), name.into());
    tags.insert(REGION.into(), region.into());
    tags.insert(RESOURCE.into(), database.resource.clone());
    tags.insert(DATABASE.into(), database.name.clone());
    tags
}

/// The tags of a copy in another region: its original's, but for the region.
pub(crate) fn tags_for_copy(original: &RdsSnapshot, region: &str) -> Tags {
    let mut tags = original.tags.clone();
    tags.insert(REGION.into(), region.into());
    tags
}

/// The identity of the database that a snapshot in this region is of, where pgkeep has made it.
#[must_use]
pub fn is_ours<'s>(snapshot: &'s RdsSnapshot, region: &str) -> Option<&'s str> {
    let tag = |key: &str| snapshot.tags.get(key).map(String::as_str);
    let resource = tag(RESOURCE).filter(|r| !r.is_empty())?;
    let is_named = tag(SNAPSHOT) == Some(&snapshot.name) && tag(REGION) == Some(region);
    // In another region RDS may tell nothing of the database, or another identity; the tag is what the copy was given.
    let is_of_it = match &snapshot.copy_of {
        Some(original) => original.rsplit(':').next() == Some(&snapshot.name),
        None => snapshot.resource.as_deref() == Some(resource),
    };
    (snapshot.origin == "manual" && is_named && is_of_it && taken_of(&snapshot.name).is_some())
        .then_some(resource)
}

/// Whether somebody wants a snapshot to be kept, by a tag `pgkeep:hold`.
#[must_use]
pub fn is_held(snapshot: &RdsSnapshot) -> bool {
    snapshot.tags.contains_key(HOLD)
}

/// The snapshots of these that pgkeep has made of the database.
pub(crate) fn of_database<'s>(
    snapshots: &'s [RdsSnapshot],
    database: &str,
    region: &str,
) -> impl Iterator<Item = &'s RdsSnapshot> {
    snapshots.iter().filter(move |s| is_ours(s, region) == Some(database))
}
