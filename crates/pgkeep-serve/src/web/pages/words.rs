//! Times, states and marks as people read them.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use crate::health::Severity;
use crate::run::{PointState, Run, RunState, RunTrigger};

/// `3 min`, `5 h`, `12 d`: about so long.
pub(super) fn about(time: SignedDuration) -> String {
    let seconds = time.as_secs().unsigned_abs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `3 h ago`, with the time itself at hand.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    let text = if at > now {
        format!("in {}", about(at.duration_since(now)))
    } else {
        format!("{} ago", about(now.duration_since(at)))
    };
    html! { time datetime=(at) title=(stamp(at)) { (text) } }
}

/// `2026-11-24 01:30:00`.
pub(super) fn stamp(at: Timestamp) -> String {
    crate::figures::short_time(at)
}

/// `24 Nov, 01:30`, as an element.
pub(super) fn when(at: Timestamp) -> Markup {
    let short = at.to_zoned(TimeZone::UTC).strftime("%-d %b, %H:%M").to_string();
    html! { time datetime=(at) title=(stamp(at)) { (short) } }
}

/// How long a run took, or has been running.
pub(super) fn took(run: &Run, now: Timestamp) -> Option<String> {
    let time = run.finished.unwrap_or(now).duration_since(run.started?);
    Some(crate::figures::duration(Duration::try_from(time).unwrap_or_default()))
}

/// A state as a mark and a word: never by colour alone.
pub(super) fn state(state: RunState) -> Markup {
    let (class, mark, word) = match state {
        RunState::Scheduled => ("idle", "○", "waiting"),
        RunState::InProgress => ("busy", "◐", "running"),
        RunState::Completed => ("good", "●", "completed"),
        RunState::Degraded => ("warn", "▲", "degraded"),
        RunState::Failed => ("bad", "✕", "failed"),
        RunState::Skipped => ("idle", "–", "skipped"),
    };
    mark_of(class, mark, word)
}

/// Where a recovery point stands.
pub(super) fn point_state(state: PointState) -> Markup {
    let (class, mark) = match state {
        PointState::Stored => ("good", "●"),
        PointState::Expired => ("warn", "◌"),
        PointState::Deleted => ("idle", "–"),
    };
    mark_of(class, mark, state.as_str())
}

/// How well a database is.
pub(super) fn severity(worst: Option<Severity>) -> Markup {
    match worst {
        None => mark_of("good", "●", "well"),
        Some(Severity::Warning) => mark_of("warn", "▲", "look"),
        Some(Severity::Bad) => mark_of("bad", "✕", "act"),
    }
}

pub(super) fn mark_of(class: &str, mark: &str, word: &str) -> Markup {
    html! { span.state.(class) { span.mark aria-hidden="true" { (mark) } " " (word) } }
}

/// Why a run came to be.
pub(super) fn trigger(run: &Run) -> String {
    match (run.trigger, &run.by) {
        (RunTrigger::Manual, Some(by)) => format!("by hand: {by}"),
        (RunTrigger::Manual, None) => "by hand".into(),
        (RunTrigger::Schedule, _) => "schedule".into(),
        (RunTrigger::CatchUp, _) => "caught up".into(),
        (RunTrigger::Retry, _) => format!("try {}", run.attempt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_read_well() {
        let texts = [59, 60, 7_199, 7_200, 172_799, 172_800].map(|s| about(SignedDuration::from_secs(s)));
        assert_eq!(texts, ["59 s", "1 min", "119 min", "2 h", "47 h", "2 d"]);
    }
}
