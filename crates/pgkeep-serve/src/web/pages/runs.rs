//! The last runs.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::{Place, page};
use super::words::{state, took, trigger, when};
use super::{Answer, path};
use crate::fleet::TaskKind;
use crate::history::RunFilter;
use crate::run::Run;
use crate::web::site::{Site, Visitor};

/// Runs on a page.
const SHOWN: usize = 200;

/// Which runs are asked for; an empty field is none.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    database: Option<String>,
    kind: Option<String>,
    /// `2026-11-24`: those due on this day.
    day: Option<String>,
}

/// The page.
pub(crate) fn show(site: &Site, visitor: &Visitor, wanted: &Wanted) -> Answer {
    let given = |field: &Option<String>| field.clone().filter(|f| !f.is_empty());
    let (database, kind) = (given(&wanted.database), given(&wanted.kind).and_then(|k| TaskKind::of(&k)));
    let day = given(&wanted.day).and_then(|d| d.parse::<Date>().ok());
    let start = |day: Date| day.to_zoned(TimeZone::UTC).map(|z| z.timestamp()).ok();
    let runs = site.shared.history.runs(&RunFilter {
        database: database.as_deref(),
        kind,
        since: day.and_then(start),
        until: day.and_then(|d| d.tomorrow().ok()).and_then(start),
        limit: SHOWN,
        ..RunFilter::default()
    })?;
    let fleet = site.shared.fleet();
    let body = html! {
        h1 { "Runs" }
        form.filter method="get" action="/runs" {
            label for="database" { "Database" }
            select #database name="database" {
                option value="" { "all" }
                @for member in &fleet.members {
                    option value=(member.name) selected[Some(&member.name) == database.as_ref()] { (member.name) }
                }
            }
            label for="kind" { "Kind" }
            select #kind name="kind" {
                option value="" { "all" }
                @for one in TaskKind::ALL { option value=(one.as_str()) selected[Some(one) == kind] { (one.as_str()) } }
            }
            label for="day" { "Day" }
            input #day type="date" name="day" value=[day.map(|d| d.to_string())];
            button { "Show" }
        }
        @if runs.is_empty() { p { "There are no such runs." } } @else { (table(&runs, true)) }
        @if runs.len() == SHOWN { p.faint { "Older ones are left out: choose a day." } }
    };
    Ok(page(visitor, Place::Runs, "Runs", &body))
}

/// Runs as a table, with or without their database.
pub(super) fn table(runs: &[Run], with_database: bool) -> Markup {
    let now = Timestamp::now();
    html! {
        table.runs {
            thead { tr {
                th scope="col" { "Due" }
                @if with_database { th scope="col" { "Database" } }
                th scope="col" { "What" } th scope="col" { "State" } th scope="col" { "Took" } th scope="col" { "Why" }
            } }
            tbody {
                @for run in runs {
                    tr {
                        th scope="row" { a href=(path(&["runs", &run.id.0])) { (when(run.scheduled)) } }
                        @if with_database {
                            td data-head="Database" {
                                @match &run.database { Some(name) => { a href=(path(&["databases", name])) { (name) } }, None => { "all" } }
                            }
                        }
                        td data-head="What" { (run.kind.as_str()) }
                        td data-head="State" {
                            (state(run.state))
                            @if let Some(error) = &run.error { p.why { (error.lines().next().unwrap_or_default()) } }
                        }
                        td.number data-head="Took" { (took(run, now).unwrap_or_else(|| "–".into())) }
                        td data-head="Why" { (trigger(run)) }
                    }
                }
            }
        }
    }
}
