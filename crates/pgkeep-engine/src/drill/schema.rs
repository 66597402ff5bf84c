//! Proving definitions.
//!
//! Definitions are compared as pg_dump writes them. A server may say the same in other words than the one before it:
//! `status IN ('a', 'b')` on a varchar column is written in another way each time it goes through a dump, and newer
//! majors write views otherwise. So what differs in words is compared with a second database of the same server, made
//! of the archive's definitions alone: what the restored one says differently from that one is a real difference.

use pgkeep_archive::{Entry, Section, Toc};
use pgkeep_keep::drill::Finding;

use super::place::Place;
use super::unproven::Sorted;
use crate::cancel::Cancel;
use crate::conn::ConnInfo;
use crate::definitions::{Change, Side, compare, count, read_definitions};
use crate::error::Result;
use crate::progress::Progress;
use crate::restore::{RestoreOptions, RestoreSource, restore};
use crate::snapshot::Snapshot;

/// What comparing definitions gave.
pub(super) struct Compared {
    pub(super) definitions: u64,
    pub(super) failures: Vec<Finding>,
    pub(super) notes: Vec<String>,
}

/// Compares the restored database's definitions with the archive's.
pub(super) fn prove(
    source: &RestoreSource<'_>,
    restored: &ConnInfo,
    place: &mut Place,
    sorted: &Sorted,
    options: &RestoreOptions,
    cancel: &Cancel,
) -> Result<Compared> {
    let like = source.toc.header.dump_version.as_ref().map(ToString::to_string);
    let read = |info: &ConnInfo| read_definitions(&Snapshot::begin(info, cancel)?, like.as_deref(), cancel);
    let found = read(restored)?;
    let mut changes = compare(&source.toc, &found);
    changes.retain(|change| !sorted.knows(&change.entries));
    let definitions = count(&source.toc);
    if changes.is_empty() {
        return Ok(Compared { definitions, failures: Vec::new(), notes: Vec::new() });
    }
    let reference = place.make_database("_reference", &source.toc)?;
    let schema = RestoreSource { toc: without_data(&source.toc), starts: source.starts.clone(), ..*source };
    let quiet = RestoreOptions { keep_going: true, ..options.clone() };
    restore(&schema, &reference, &quiet, &Progress::new(), cancel)?;
    let reference = read(&reference)?;
    let (same, different): (Vec<_>, Vec<_>) =
        changes.into_iter().partition(|change| change.is_same_in(&reference, &found));
    let mut notes = Vec::new();
    if !same.is_empty() {
        notes.push(format!(
            "definitions: this server words {} of them otherwise than the archive, as it does whenever it is given them",
            same.len()
        ));
    }
    Ok(Compared { definitions, failures: different.iter().map(finding).collect(), notes })
}

fn finding(change: &Change) -> Finding {
    let why = match change.side {
        Side::First => "it is in the archive and not in the restored database".to_owned(),
        Side::Second => "it is in the restored database and not in the archive".to_owned(),
        Side::Both => format!("archive and restored database differ: {}", change.why),
    };
    Finding::new(&change.object, why)
}

fn without_data(toc: &Toc) -> Toc {
    let mut toc = toc.clone();
    // Large objects without content: there are comments on them, and rights.
    let is_data = |e: &Entry| e.section == Section::Data && !e.desc_is("BLOB METADATA");
    toc.entries.retain(|e| !is_data(e) && !e.desc_is("MATERIALIZED VIEW DATA"));
    toc
}

/// What is in the archive and is not compared. `bare_script` says that it is a script without a manifest.
pub(super) fn not_compared(toc: &Toc, bare_script: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let any = |is: &dyn Fn(&Entry) -> bool| toc.entries.iter().any(is);
    if bare_script && any(&|e| e.desc_is("BLOBS")) {
        lines.push("large objects, of which a script without a manifest tells nothing".to_owned());
    }
    let of_database = |e: &Entry| {
        e.desc_is("DATABASE PROPERTIES") || e.tag.as_ref().is_some_and(|t| t.starts_with(b"DATABASE "))
    };
    if any(&of_database) {
        lines.push("settings, rights and comment of the database itself".to_owned());
    }
    if any(&|e| e.tablespace.as_ref().is_some_and(|t| !t.is_empty())) {
        lines.push("tablespaces: everything went to the default one".to_owned());
    }
    if any(&|e| e.desc_is("STATISTICS DATA")) {
        lines.push("the planner's statistics".to_owned());
    }
    if any(&|e| e.desc_is("MATERIALIZED VIEW DATA")) {
        lines.push("rows of materialised views: the server computed them anew".to_owned());
    }
    lines
}
