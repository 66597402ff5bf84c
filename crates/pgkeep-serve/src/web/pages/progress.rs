//! How far a run is.

use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};

use super::words::took;
use crate::figures::{bytes, clock, short_count};
use crate::live::Live;
use crate::run::{Run, RunState};

/// A bar and a line of figures.
pub(super) fn show(run: &Run, live: &Live, now: Timestamp) -> Markup {
    let progress = live.of(&run.id).filter(|_| run.state == RunState::InProgress);
    let Some(p) = progress else {
        let text = match run.state {
            RunState::Scheduled => "waiting for its turn".to_owned(),
            _ => took(run, now).map(|t| format!("running for {t}")).unwrap_or_else(|| "beginning".into()),
        };
        return html! { p.figures { (text) } };
    };
    let share = (p.bytes_expected > 0).then(|| (p.bytes as f64 / p.bytes_expected as f64).min(1.0));
    let label = format!("{} of {}", run.kind.as_str(), run.database.as_deref().unwrap_or("everything"));
    html! {
        @match share {
            Some(share) => progress max="100" value={ (format!("{:.1}", share * 100.0)) } aria-label=(label) {},
            None => progress aria-label=(label) {},
        }
        p.figures {
            (p.phase)
            @if let Some(share) = share { " · " (format!("{:.0} %", share * 100.0)) }
            " · " (bytes(p.bytes))
            @if p.bytes_per_second > 0 { " at " (bytes(p.bytes_per_second)) "/s" }
            @if p.rows > 0 { " · " (short_count(p.rows)) " rows" }
            @if p.tables > 0 { " · " (p.tables_done) " of " (p.tables) " tables" }
            " · " (clock(Duration::try_from_secs_f64(p.elapsed_seconds).unwrap_or_default()))
            @if let Some(eta) = p.eta_seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()) { ", " (clock(eta)) " to go" }
        }
    }
}
