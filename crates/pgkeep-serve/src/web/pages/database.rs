//! One database: its backups and its runs.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::forms::Begin;
use super::layout::{Place, page};
use super::words::{ago, point_state, severity, when};
use super::{Answer, Failed, calendar, path, runs};
use crate::figures::{bytes, count, plural};
use crate::fleet::TaskKind;
use crate::health::Health;
use crate::history::RunFilter;
use crate::run::{PointState, RecoveryPoint};
use crate::web::site::{Site, Visitor};

/// Runs on the page.
const RUNS: usize = 30;
/// Recovery points on the page; those that are there come before those that are gone.
const POINTS: usize = 200;

/// The page.
pub(crate) fn show(site: &Site, visitor: &Visitor, name: &str) -> Answer {
    let now = Timestamp::now();
    let all = Health::of_all(&site.shared, now)?;
    let health = all.iter().find(|h| h.database == name);
    let mut points = site.shared.history.points(Some(name))?;
    points.sort_by_key(|p| p.state == PointState::Deleted);
    if health.is_none() && points.is_empty() {
        return Err(Failed::NotFound("No database of this name is known.".into()));
    }
    let last =
        site.shared.history.runs(&RunFilter { database: Some(name), limit: RUNS, ..RunFilter::default() })?;
    let first = now.to_zoned(TimeZone::UTC).date().first_of_month();
    let body = html! {
        p.crumbs { a href="/" { "Overview" } }
        h1 { (name) }
        @match health {
            None => p.said { "It is not configured any more; these are its backups." },
            Some(health) => (head(health, visitor, now)),
        }
        div.columns {
            section aria-labelledby="points" {
                h2 #points { "Recovery points" }
                @if points.is_empty() { p { "There are none." } } @else { (table(name, &points, now)) }
                @if points.len() > POINTS { p.faint { (plural((points.len() - POINTS) as u64, "older one")) " left out" } }
            }
            section aria-labelledby="month" {
                h2 #month { "This month" }
                (calendar::month(site, name, first)?)
            }
        }
        section aria-labelledby="runs" {
            h2 #runs { "Last runs" }
            @if last.is_empty() { p { "There are none yet." } } @else { (runs::table(&last, false)) }
        }
    };
    Ok(page(visitor, Place::Elsewhere, name, &body))
}

fn head(health: &Health, visitor: &Visitor, now: Timestamp) -> Markup {
    let name = health.database.as_str();
    html! {
        p { (severity(health.severity())) @if health.production { " " span.tag { "production" } } }
        @if !health.problems.is_empty() {
            ul.plain {
                @for problem in &health.problems {
                    li { (severity(Some(problem.severity))) " " strong { (problem.what) }
                        @if let Some(why) = &problem.why { p.why { (why) } }
                        @if let Some(hint) = &problem.hint { p.hint { (hint) } }
                    }
                }
            }
        }
        dl.facts {
            div { dt { "Newest backup" } dd { @match &health.newest { Some(p) => { (ago(p.started, now)) ", " (bytes(p.size)) }, None => "none" } } }
            div { dt { "Newest proof" } dd { @match &health.proven { Some(p) => (ago(p.proven.unwrap_or(p.started), now)), None => "none" } } }
            @if let Some((id, taken)) = snapshot(health) { div { dt { "Newest RDS snapshot" } dd { (ago(taken, now)) ", " code { (id) } } } }
            div { dt { "Kept" } dd { (plural(health.stored as u64, "backup")) } }
            @for (kind, at) in &health.next { div { dt { "Next " (kind.as_str()) } dd { (ago(*at, now)) } } }
        }
        div.actions {
            (Begin { main: true, ..Begin::of(name, TaskKind::Backup, "Back up now") }.button(visitor))
            (Begin::of(name, TaskKind::Drill, "Drill now").button(visitor))
            (Begin::of(name, TaskKind::Verify, "Verify now").button(visitor))
            (Begin { dry_run: true, ..Begin::of(name, TaskKind::Prune, "Plan a prune") }.button(visitor))
            a.button href=(path(&["databases", name, "restore"])) { "Restore …" }
        }
    }
}

/// The last snapshot that RDS was had to make, by the run's own word.
fn snapshot(health: &Health) -> Option<(&str, Timestamp)> {
    let result = health.last.get(&TaskKind::Rds)?.result.as_ref()?;
    Some((result["id"].as_str()?, result["taken"].as_str()?.parse().ok()?))
}

fn table(name: &str, points: &[RecoveryPoint], now: Timestamp) -> Markup {
    html! {
        table.points {
            thead { tr {
                th scope="col" { "Taken" } th scope="col" { "State" } th scope="col" { "Size" } th scope="col" { "Rows" }
                th scope="col" { "Proof" } th scope="col" { "Copies" }
            } }
            tbody {
                @for p in points.iter().take(POINTS) {
                    tr {
                        th scope="row" {
                            @if p.state == PointState::Deleted { (when(p.started)) }
                            @else { a href=(path(&["databases", name, "backups", &p.id])) { (when(p.started)) } }
                        }
                        td data-head="State" { (point_state(p.state)) @if p.held { " " span.tag { "held" } } }
                        td.number data-head="Size" { (bytes(p.size)) }
                        td.number data-head="Rows" { (count(p.rows)) }
                        td data-head="Proof" { (proof(p, now)) }
                        td data-head="Copies" {
                            (p.stores.join(", "))
                            @if !p.missing.is_empty() { " " span.warn { "▲ none in " (p.missing.join(", ")) } }
                        }
                    }
                }
            }
        }
    }
}

fn proof(p: &RecoveryPoint, now: Timestamp) -> Markup {
    html! {
        @match (p.proven, p.drill_failed) {
            (proven, Some(failed)) if proven < Some(failed) => span.bad { "✕ failed " (ago(failed, now)) },
            (Some(proven), _) => span.good { "● proven " (ago(proven, now)) },
            _ => span.faint { "no drill" },
        }
    }
}
