//! Times at which something is to happen: `rate(3 hours)`, AWS cron, five-field cron, `@daily`.
//!
//! ```
//! use jiff::{Timestamp, tz::TimeZone};
//! use pgkeep_schedule::Schedule;
//!
//! let nightly = Schedule::parse("cron(30 2 ? * MON-FRI *)", TimeZone::get("Europe/Berlin")?)?;
//! let saturday: Timestamp = "2026-11-21T12:00:00Z".parse()?;
//! assert_eq!(nightly.next_after(saturday), Some("2026-11-23T01:30:00Z".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Summer time: a time of the day that the clocks leave out comes at the first moment after the gap, and one that they
//! show twice counts once, the first time. A schedule of every hour goes by the hours that pass: it is left out and comes
//! twice as the clock does.

mod calendar;
mod days;
mod error;
mod field;

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

use calendar::Calendar;
pub use error::ScheduleError;

/// Cron's words for common times (crontab(5)).
const WORDS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    zone: TimeZone,
    times: Times,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Times {
    /// Again and again after so long.
    Rate(SignedDuration),
    /// By calendar and clock.
    Calendar(Box<Calendar>),
}

impl Schedule {
    /// `rate(N minutes)` (or hours, or days of 24 hours), `cron(…)` with the six fields of AWS EventBridge, the five
    /// fields of crontab(5), or one of `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. Times of the day are those of
    /// `zone`.
    ///
    /// # Errors
    /// What makes no sense, and what is allowed there.
    pub fn parse(text: &str, zone: TimeZone) -> Result<Schedule, ScheduleError> {
        let text = text.trim();
        let inside = |name: &str| text.strip_prefix(name)?.strip_suffix(')');
        let word = WORDS.iter().find(|(word, _)| text.eq_ignore_ascii_case(word));
        let times = if let Some(rate) = inside("rate(") {
            Times::Rate(rate_of(rate.trim())?)
        } else if let Some(fields) = inside("cron(") {
            Times::Calendar(Box::new(Calendar::of_aws(fields)?))
        } else if let Some((_, fields)) = word {
            Times::Calendar(Box::new(Calendar::of_crontab(fields)?))
        } else if text.contains(char::is_whitespace) && !text.contains('(') {
            Times::Calendar(Box::new(Calendar::of_crontab(text)?))
        } else {
            return Err(ScheduleError::Form(text.to_owned()));
        };
        Ok(Schedule { text: text.to_owned(), zone, times })
    }

    /// The text that it was made of.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The time zone that its times of the day are of.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The length of a `rate(…)`, which has no times of its own: they count from the one before.
    pub fn rate(&self) -> Option<SignedDuration> {
        match self.times {
            Times::Rate(rate) => Some(rate),
            Times::Calendar(_) => None,
        }
    }

    /// The first time after `t`; for a rate `t` is taken for the time before. `None` where no more comes.
    pub fn next_after(&self, t: Timestamp) -> Option<Timestamp> {
        match &self.times {
            Times::Rate(rate) => t.checked_add(*rate).ok(),
            Times::Calendar(calendar) => calendar.next_after(t, &self.zone),
        }
    }

    /// The newest time after `from` that is not after `to`: what has come due meanwhile, once. For a rate `from` is taken
    /// for one of its times.
    pub fn newest_within(&self, from: Timestamp, to: Timestamp) -> Option<Timestamp> {
        let newest = match &self.times {
            Times::Rate(rate) => {
                let times = to.duration_since(from).as_secs() / rate.as_secs();
                let passed = i32::try_from(times).ok().and_then(|n| rate.checked_mul(n))?;
                from.checked_add(passed).ok()
            }
            Times::Calendar(calendar) => calendar.last_until(to, &self.zone),
        };
        newest.filter(|newest| *newest > from)
    }

    /// The time between two of its times, around `t`.
    pub fn interval_at(&self, t: Timestamp) -> Option<SignedDuration> {
        match &self.times {
            Times::Rate(rate) => Some(*rate),
            Times::Calendar(calendar) => {
                let last = calendar.last_until(t, &self.zone)?;
                Some(calendar.next_after(t, &self.zone)?.duration_since(last))
            }
        }
    }
}

/// How much later than its times something begins, so that not everything begins at once: always the same for the same
/// id, and no more than `most`.
pub fn jitter(id: &str, most: Duration) -> Duration {
    most.mul_f64(xxh3_64(id.as_bytes()) as f64 / u64::MAX as f64)
}

fn rate_of(text: &str) -> Result<SignedDuration, ScheduleError> {
    let wrong = || ScheduleError::Rate(text.to_owned());
    let (number, unit) = text.split_once(char::is_whitespace).ok_or_else(wrong)?;
    let number: i64 = number.parse().ok().filter(|n| (1..=1_000_000).contains(n)).ok_or_else(wrong)?;
    match unit.trim() {
        "minute" | "minutes" => Ok(SignedDuration::from_mins(number)),
        "hour" | "hours" => Ok(SignedDuration::from_hours(number)),
        "day" | "days" => Ok(SignedDuration::from_hours(24 * number)),
        _ => Err(wrong()),
    }
}
