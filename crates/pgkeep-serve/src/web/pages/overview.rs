//! Can I sleep? Every database at a glance, what is wrong first.

use jiff::Timestamp;
use maud::{Markup, html};

use super::forms::{Begin, reload};
use super::layout::{Place, page};
use super::words::{about, ago, severity};
use super::{Answer, path, progress, spark};
use crate::figures::{bytes, duration, plural};
use crate::fleet::TaskKind;
use crate::health::{Health, Severity};
use crate::history::RunFilter;
use crate::web::site::{Site, Visitor};

/// The page.
pub(crate) fn show(site: &Site, visitor: &Visitor) -> Answer {
    let now = Timestamp::now();
    let mut all = Health::of_all(&site.shared, now)?;
    let own = site.problems();
    let (class, verdict, why) = verdict(&all, &own, now);
    // What is wrong comes first; otherwise the configuration's order stays.
    all.sort_by_key(|h| std::cmp::Reverse(h.severity()));
    let body = html! {
        section.verdict.(class) aria-labelledby="verdict" {
            h1 #verdict { (verdict) }
            p { (why) }
        }
        (problems(&all, &own))
        div data-part="/parts/running" { (running(site)?) }
        section aria-labelledby="databases" {
            h2 #databases { "Databases" }
            @if all.is_empty() {
                p { "None is configured. Give pgkeep.toml a " code { "[databases.<name>]" } " and reload." }
            } @else {
                table.fleet {
                    thead { tr {
                        th scope="col" { "Database" } th scope="col" { "State" } th scope="col" { "Newest backup" }
                        th scope="col" { "Newest proof" } th scope="col" { "Next" }
                        th scope="col" { "Size" } th scope="col" { "Duration" }
                        @if visitor.may_order() { th scope="col" { span.hidden { "Act" } } }
                    } }
                    tbody { @for health in &all { (row(health, visitor, now)) } }
                }
            }
            div.below { (reload(visitor)) }
        }
    };
    Ok(page(visitor, Place::Overview, "Overview", &body))
}

/// What runs now; also asked for again and again by the page's script.
pub(crate) fn running(site: &Site) -> Answer {
    let now = Timestamp::now();
    let runs = site.shared.history.runs(&RunFilter { over: Some(false), ..RunFilter::default() })?;
    Ok(html! {
        @if !runs.is_empty() {
            section.running aria-labelledby="running" {
                h2 #running { "Running now" }
                ul {
                    @for run in &runs {
                        li {
                            a href=(path(&["runs", &run.id.0])) {
                                (run.kind.as_str()) " of " (run.database.as_deref().unwrap_or("everything"))
                            }
                            (progress::show(run, &site.shared.live, now))
                        }
                    }
                }
            }
        }
    })
}

/// One sentence, and one more that says why.
fn verdict(all: &[Health], own: &[String], now: Timestamp) -> (&'static str, String, String) {
    let of = |severity| all.iter().filter(|h| h.severity() == Some(severity)).count();
    let (bad, look) = (of(Severity::Bad), of(Severity::Warning));
    let proven = all.iter().filter(|h| h.proven.is_some()).count();
    let oldest = all.iter().filter_map(|h| h.newest.as_ref()).map(|p| p.started).min();
    let oldest = oldest.map(|at| {
        format!(" The oldest of the newest backups was taken {} ago.", about(now.duration_since(at)))
    });
    let state = format!(
        "{}, {} with a backup that is proven to restore.{}",
        plural(all.len() as u64, "database"),
        proven,
        oldest.unwrap_or_default()
    );
    let need = |n: usize| {
        if n == 1 { "1 database needs you.".to_owned() } else { format!("{n} databases need you.") }
    };
    match (all.is_empty(), bad, own.is_empty(), look) {
        (true, ..) => ("warn", "Nothing is kept yet.".into(), "No database is configured.".into()),
        (_, 1.., ..) => ("bad", format!("Not yet: {}", need(bad)), state),
        (_, _, false, _) => ("bad", "Not yet: pgkeep itself needs you.".into(), state),
        (_, _, _, 1..) => (
            "warn",
            format!(
                "You can sleep. {} a look tomorrow.",
                if look == 1 { "1 database deserves".into() } else { format!("{look} databases deserve") }
            ),
            state,
        ),
        _ => ("good", "You can sleep.".into(), state),
    }
}

fn problems(all: &[Health], own: &[String]) -> Markup {
    let found = all.iter().flat_map(|h| h.problems.iter().map(move |p| (h.database.as_str(), p)));
    html! {
        @if !own.is_empty() || all.iter().any(|h| !h.problems.is_empty()) {
            section.problems aria-labelledby="problems" {
                h2 #problems { "Open problems" }
                ul {
                    @for text in own { li.bad { (severity(Some(Severity::Bad))) " " strong { "pgkeep: " } (text) } }
                    @for (database, problem) in found {
                        li {
                            (severity(Some(problem.severity))) " "
                            strong { a href=(path(&["databases", database])) { (database) } ": " (problem.what) }
                            @if let Some(why) = &problem.why { p.why { (why) } }
                            @if problem.hint.is_some() || problem.run.is_some() {
                                p.hint {
                                    @if let Some(hint) = &problem.hint { (hint) " " }
                                    @if let Some(run) = &problem.run { a href=(path(&["runs", run])) { "See the run" } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn row(health: &Health, visitor: &Visitor, now: Timestamp) -> Markup {
    let sizes: Vec<f64> = health.trend.iter().map(|p| p.size as f64).collect();
    let seconds = |p: &crate::run::RecoveryPoint| p.finished.duration_since(p.started).as_secs_f64();
    let times: Vec<f64> = health.trend.iter().map(seconds).collect();
    let last = health.trend.last();
    let next = health.next.iter().min_by_key(|(_, at)| **at);
    html! {
        tr {
            th scope="row" { a href=(path(&["databases", &health.database])) { (health.database) } @if health.production { " " span.tag { "production" } } }
            td data-head="State" { (severity(health.severity())) }
            td data-head="Newest backup" { @match &health.newest { Some(p) => { (ago(p.started, now)) }, None => { span.bad { "none" } } } }
            td data-head="Newest proof" { @match &health.proven { Some(p) => { (ago(p.proven.unwrap_or(p.started), now)) }, None => { span.faint { "none" } } } }
            td data-head="Next" { @match next { Some((kind, at)) => { (kind.as_str()) " " (ago(*at, now)) }, None => { span.faint { "–" } } } }
            td data-head="Size" { (trend(&sizes, "Size", last.map(|p| bytes(p.size)))) }
            td data-head="Duration" {
                (trend(&times, "Duration", last.map(|p| duration(std::time::Duration::try_from_secs_f64(seconds(p)).unwrap_or_default()))))
            }
            @if visitor.may_order() { td.act { (Begin::of(&health.database, TaskKind::Backup, "Back up now").button(visitor)) } }
        }
    }
}

fn trend(values: &[f64], what: &str, last: Option<String>) -> Markup {
    let last = last.unwrap_or_default();
    html! {
        span.trend {
            (spark::line(values, &format!("{what} of the last {} backups, now {last}", values.len())))
            span { (last) }
        }
    }
}
