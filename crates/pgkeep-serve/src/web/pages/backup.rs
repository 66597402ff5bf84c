//! One backup: what its manifest says, its copies, its drills.

use jiff::Timestamp;
use maud::{Markup, html};
use pgkeep_keep::drill::{DrillVerdict, Drilled, drills};
use pgkeep_keep::{Catalogue, Manifest, TableReport};
use pgkeep_store::Store;
use serde::Deserialize;

use super::forms::Begin;
use super::layout::{Place, page};
use super::words::{ago, mark_of, stamp};
use super::{Answer, Failed, path};
use crate::figures::{bytes, count, duration, plural};
use crate::fleet::TaskKind;
use crate::web::site::{Site, Visitor};

/// Tables on the page, unless all are asked for.
const TABLES: usize = 100;

/// How much is asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    all: Option<String>,
}

/// A backup as one store has it.
pub(super) struct Kept {
    pub(super) store: Store,
    pub(super) manifest: Manifest,
    /// Key of the manifest without `.manifest.json`.
    pub(super) stem: String,
}

/// Whether a store has a copy, or why it does not answer.
pub(super) struct Copy {
    store: String,
    there: Result<bool, String>,
}

/// Reads a backup from the first store that has it, and tells which have.
pub(super) fn read(site: &Site, name: &str, id: &str) -> Result<(Kept, Vec<Copy>), Failed> {
    let fleet = site.shared.fleet();
    let member = fleet.members.iter().find(|m| m.name == name);
    let member = member.ok_or_else(|| Failed::NotFound("No database of this name is configured.".into()))?;
    let below = format!("{}/", member.kept_as);
    let (mut found, mut copies) = (None, Vec::new());
    for at in &member.stores {
        let look = || -> pgkeep_keep::Result<Option<Kept>> {
            let catalogue = Catalogue::new(Store::open(&at.url)?);
            let mut listed = catalogue.survey(&below)?.backups.into_iter();
            let Some(listed) = listed.find(|l| l.id.as_str() == id) else { return Ok(None) };
            let manifest = catalogue.manifest(&listed)?;
            let stem = format!("{}/{}", listed.name, listed.id);
            Ok(Some(Kept { store: catalogue.store().clone(), manifest, stem }))
        };
        let there = match look() {
            Ok(Some(kept)) => {
                found.get_or_insert(kept);
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(e) => Err(e.to_string()),
        };
        copies.push(Copy { store: at.name.clone(), there });
    }
    match found {
        Some(kept) => Ok((kept, copies)),
        None => match copies.into_iter().find_map(|copy| copy.there.err()) {
            Some(why) => Err(Failed::Unavailable(why)),
            None => Err(Failed::NotFound("No store of this database has this backup.".into())),
        },
    }
}

/// The page.
pub(crate) fn show(site: &Site, visitor: &Visitor, name: &str, id: &str, wanted: &Wanted) -> Answer {
    let now = Timestamp::now();
    let (kept, copies) = read(site, name, id)?;
    let of_drills = drills(&kept.store, &kept.stem)?;
    let (m, d) = (&kept.manifest, &kept.manifest.dump);
    let (rows, text) = d.totals();
    let took = std::time::Duration::try_from(m.finished.duration_since(m.started)).unwrap_or_default();
    let body = html! {
        p.crumbs { a href="/" { "Overview" } " / " a href=(path(&["databases", name])) { (name) } }
        h1 { "Backup " code { (m.id) } }
        dl.facts {
            div { dt { "State of" } dd { (stamp(d.snapshot_time)) ", " (ago(d.snapshot_time, now)) } }
            div { dt { "Database" } dd { (d.database.name) ", PostgreSQL " (d.server_version) } }
            div { dt { "Size" } dd { (bytes(m.size())) ", " (bytes(text)) " of rows, " (d.compression) } }
            div { dt { "Rows" } dd { (count(rows)) " in " (plural(d.tables.len() as u64, "table")) } }
            div { dt { "Took" } dd { (duration(took)) } }
            div { dt { "Encrypted" } dd { (m.encryption.as_ref().map_or("no", |e| e.scheme.as_str())) } }
            div { dt { "Holds" } dd { (d.partial().unwrap_or_else(|| "all of the database".into())) } }
            div { dt { "SHA-256" } dd { code.long { (m.object.sha256) } } }
        }
        div.actions {
            (Begin { backup: Some(&m.id), ..Begin::of(name, TaskKind::Drill, "Drill this backup") }.button(visitor))
            (Begin { backup: Some(&m.id), ..Begin::of(name, TaskKind::Verify, "Verify this backup") }.button(visitor))
            a.button href={ (path(&["databases", name, "restore"])) "?backup=" (m.id) } { "Restore it …" }
        }
        (copies_of(&copies))
        (drills_of(name, &m.id, &of_drills))
        (tables_of(&d.tables, wanted.all.is_some()))
    };
    Ok(page(visitor, Place::Elsewhere, &format!("{name} {}", m.id), &body))
}

fn copies_of(copies: &[Copy]) -> Markup {
    html! {
        section aria-labelledby="copies" {
            h2 #copies { "Copies" }
            ul.plain {
                @for copy in copies {
                    li {
                        @match copy.there {
                            Ok(true) => (mark_of("good", "●", "there")),
                            Ok(false) => (mark_of("warn", "▲", "none")),
                            Err(_) => (mark_of("bad", "✕", "no answer")),
                        }
                        " " (copy.store)
                        @if let Err(why) = &copy.there { p.why { (why) } }
                    }
                }
            }
        }
    }
}

fn drills_of(name: &str, id: &str, all: &[Drilled]) -> Markup {
    html! {
        section aria-labelledby="drills" {
            h2 #drills { "Drills" }
            @if all.is_empty() { p { "None yet: nobody has tried whether it restores." } }
            ul.plain {
                @for drill in all.iter().rev() {
                    li {
                        @match drill.verdict {
                            DrillVerdict::Proven => (mark_of("good", "●", "proven")),
                            DrillVerdict::Incomplete => (mark_of("warn", "▲", "incomplete")),
                            DrillVerdict::Failed => (mark_of("bad", "✕", "failed")),
                        }
                        " " (stamp(drill.time)) " "
                        @let file = drill.key.rsplit('/').next().unwrap_or_default();
                        a href=(path(&["databases", name, "backups", id, "drills", file])) { "report" }
                    }
                }
            }
        }
    }
}

fn tables_of(tables: &[TableReport], all: bool) -> Markup {
    let mut sorted: Vec<&TableReport> = tables.iter().collect();
    sorted.sort_by_key(|t| std::cmp::Reverse(t.fingerprint.bytes));
    let shown = if all { sorted.len() } else { sorted.len().min(TABLES) };
    html! {
        section aria-labelledby="tables" {
            h2 #tables { "Tables" }
            table {
                thead { tr {
                    th scope="col" { "Table" } th scope="col" { "Rows" } th scope="col" { "Bytes" } th scope="col" { "Segments" }
                    th scope="col" { "Fingerprint" }
                } }
                tbody {
                    @for t in &sorted[..shown] {
                        tr {
                            th scope="row" { (t.schema) "." (t.table) }
                            td.number data-head="Rows" { (count(t.fingerprint.rows)) }
                            td.number data-head="Bytes" { (bytes(t.fingerprint.bytes)) }
                            td.number data-head="Segments" { (t.segments) }
                            td data-head="Fingerprint" { code.long { (format!("{:032x}", t.fingerprint.sum)) } }
                        }
                    }
                }
            }
            @if shown < sorted.len() {
                p { a href="?all=yes" { "Show all " (count(sorted.len() as u64)) " tables" } }
            }
        }
    }
}
