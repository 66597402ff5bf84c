//! A month of runs: a line for each database, a field for each day.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use maud::{Markup, html};
use serde::Deserialize;
use url::form_urlencoded;

use super::layout::{Place, page};
use super::{Answer, Failed, path};
use crate::history::RunFilter;
use crate::run::{Run, RunState};
use crate::web::site::{Site, Visitor};

/// Which month; this one without it.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    /// `2026-11`.
    month: Option<String>,
}

/// The page.
pub(crate) fn show(site: &Site, visitor: &Visitor, wanted: &Wanted) -> Answer {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let first = match &wanted.month {
        None => today.first_of_month(),
        Some(month) => {
            format!("{month}-01").parse().map_err(|_| Failed::Bad("A month is like 2026-11.".into()))?
        }
    };
    let days = days_of(site, None, first)?;
    let fleet = site.shared.fleet();
    let body = html! {
        h1 { "Calendar" }
        (months("/calendar", first, today))
        (legend())
        div.wide tabindex="0" role="region" aria-label="Runs by database and day" {
            table.calendar {
                thead { tr {
                    th scope="col" { "Database" }
                    @for date in first.series(1.day()).take_while(|d| d.month() == first.month()) {
                        th scope="col" class=[is_weekend(date).then_some("weekend")] { (date.day()) }
                    }
                } }
                tbody {
                    @for member in &fleet.members {
                        tr {
                            th scope="row" { a href=(path(&["databases", &member.name])) { (member.name) } }
                            @for date in first.series(1.day()).take_while(|d| d.month() == first.month()) {
                                td { (field(&member.name, date, days.get(&(member.name.clone(), date)))) }
                            }
                        }
                    }
                }
            }
        }
    };
    Ok(page(visitor, Place::Calendar, "Calendar", &body))
}

/// One database's month as a grid of weeks.
pub(super) fn month(site: &Site, database: &str, first: Date) -> Answer {
    let days = days_of(site, Some(database), first)?;
    let lead = first.weekday().to_monday_zero_offset();
    let dates: Vec<Option<Date>> = (0..lead)
        .map(|_| None)
        .chain(first.series(1.day()).take_while(|d| d.month() == first.month()).map(Some))
        .collect();
    Ok(html! {
        table.month {
            caption { (first.strftime("%B %Y")) }
            thead { tr { @for name in ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] { th scope="col" { (name) } } } }
            tbody {
                @for week in dates.chunks(7) {
                    tr {
                        @for date in week {
                            td {
                                @if let Some(date) = date {
                                    span.day { (date.day()) }
                                    (field(database, *date, days.get(&(database.to_owned(), *date))))
                                }
                            }
                        }
                    }
                }
            }
        }
    })
}

/// Runs of a day by their state.
type Day = BTreeMap<u8, (RunState, usize)>;

fn days_of(site: &Site, database: Option<&str>, first: Date) -> Result<HashMap<(String, Date), Day>, Failed> {
    let start = |day: Date| day.to_zoned(TimeZone::UTC).map(|z| z.timestamp()).ok();
    let (since, until) = (start(first), start(first.last_of_month().tomorrow().unwrap_or(first)));
    let runs = site.shared.history.runs(&RunFilter { database, since, until, ..RunFilter::default() })?;
    let mut days: HashMap<(String, Date), Day> = HashMap::new();
    for Run { database, scheduled, state, .. } in runs {
        let Some(database) = database else { continue };
        let day = days.entry((database, scheduled.to_zoned(TimeZone::UTC).date())).or_default();
        day.entry(rank(state)).or_insert((state, 0)).1 += 1;
    }
    Ok(days)
}

/// The worst first.
fn rank(state: RunState) -> u8 {
    match state {
        RunState::Failed => 0,
        RunState::Degraded => 1,
        RunState::InProgress => 2,
        RunState::Scheduled => 3,
        RunState::Completed => 4,
        RunState::Skipped => 5,
    }
}

fn look(state: RunState) -> (&'static str, &'static str, &'static str) {
    match state {
        RunState::Failed => ("bad", "✕", "failed"),
        RunState::Degraded => ("warn", "▲", "degraded"),
        RunState::InProgress => ("busy", "◐", "running"),
        RunState::Scheduled => ("idle", "○", "waiting"),
        RunState::Completed => ("good", "●", "completed"),
        RunState::Skipped => ("idle", "–", "skipped"),
    }
}

/// A day's field: the worst that happened, as a mark; all of it in words.
fn field(database: &str, date: Date, day: Option<&Day>) -> Markup {
    let Some((state, _)) = day.and_then(|d| d.values().next()) else {
        return html! { span.empty aria-hidden="true" { "·" } };
    };
    let counts = day.into_iter().flatten().map(|(_, (state, n))| format!("{n} {}", look(*state).2));
    let words = format!("{database}, {}: {}", date.strftime("%-d %B"), counts.collect::<Vec<_>>().join(", "));
    let query: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("database", database)
        .append_pair("day", &date.to_string())
        .finish();
    let (class, mark, _) = look(*state);
    html! { a.field.(class) href={ "/runs?" (query) } aria-label=(words) title=(words) { (mark) } }
}

fn months(base: &str, first: Date, today: Date) -> Markup {
    let link = |date: Date| format!("{base}?month={}", date.strftime("%Y-%m"));
    let (before, after) = (first.checked_sub(1.month()).ok(), first.checked_add(1.month()).ok());
    html! {
        nav.months aria-label="Months" {
            @if let Some(before) = before { a href=(link(before)) rel="prev" { "← " (before.strftime("%B")) } }
            strong { (first.strftime("%B %Y")) }
            @if let Some(after) = after.filter(|d| *d <= today) { a href=(link(after)) rel="next" { (after.strftime("%B")) " →" } }
        }
    }
}

fn legend() -> Markup {
    let states =
        [RunState::Completed, RunState::Degraded, RunState::Failed, RunState::InProgress, RunState::Skipped];
    html! {
        p.legend {
            @for (class, mark, word) in states.map(look) { span.(class) { span aria-hidden="true" { (mark) } " " (word) } " " }
            span.faint { "a day shows the worst of its runs" }
        }
    }
}

fn is_weekend(date: Date) -> bool {
    date.weekday().to_monday_zero_offset() >= 5
}
