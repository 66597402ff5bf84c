//! What is to be kept.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo};

/// What to keep; each rule keeps what it names, and a backup that any rule keeps stays. The default keeps everything.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// So many of the newest.
    pub last: Option<u32>,
    /// All that are no more than this older than the newest.
    pub within: Option<Span>,
    /// The newest of each of so many hours that have one.
    pub hourly: Option<u32>,
    /// The newest of each of so many days.
    pub daily: Option<u32>,
    /// The newest of each of so many ISO weeks, which begin on Monday.
    pub weekly: Option<u32>,
    /// The newest of each of so many months.
    pub monthly: Option<u32>,
    /// The newest of each of so many years.
    pub yearly: Option<u32>,
    /// Where days begin; UTC by default.
    pub zone: Option<TimeZone>,
    /// How often a backup is to come. With a newest one that is older than this nothing goes.
    pub expect_every: Option<SignedDuration>,
}

impl Policy {
    /// Whether it says nothing of what to keep: then everything is kept.
    pub fn is_empty(&self) -> bool {
        let counts = [self.last, self.hourly, self.daily, self.weekly, self.monthly, self.yearly];
        self.within.is_none() && counts.iter().all(Option::is_none)
    }

    /// The time zone of its periods.
    pub fn zone(&self) -> TimeZone {
        self.zone.clone().unwrap_or(TimeZone::UTC)
    }
}

/// A time as people write it: `36h`, `30d`, `2 weeks`, `6mo`, `1y`; a number alone is days. Not negative.
///
/// # Errors
/// Why it is none.
pub fn span_of(text: &str) -> Result<Span, String> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let span = if is_number { format!("{text}d").parse::<Span>() } else { text.parse() };
    let span = span.map_err(|_| "write it like 36h, 30d, 2w, 6mo or 1y".to_owned())?;
    if span.is_negative() { Err("it is negative".into()) } else { Ok(span) }
}

impl Policy {
    /// A length of time in days of 24 hours or less; `0` is none.
    ///
    /// # Errors
    /// Why it is none; months and years have no fixed length.
    pub fn interval_of(text: &str) -> Result<Option<SignedDuration>, String> {
        if text == "0" {
            return Ok(None);
        }
        let length = span_of(text)?
            .to_duration(SpanRelativeTo::days_are_24_hours())
            .map_err(|_| "write it in days, hours or minutes, like 1d, 36h or 15m".to_owned())?;
        Ok((!length.is_zero()).then_some(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_do() {
        assert_eq!(Policy::interval_of("1d").unwrap(), Some(SignedDuration::from_hours(24)));
        assert_eq!(Policy::interval_of("2w").unwrap(), Some(SignedDuration::from_hours(336)));
        assert_eq!(Policy::interval_of("90m").unwrap(), Some(SignedDuration::from_mins(90)));
        assert_eq!(Policy::interval_of("0").unwrap(), None);
        assert_eq!(span_of("30").unwrap().fieldwise(), span_of("30d").unwrap().fieldwise());
        for bad in ["soon", "-1d", "", "-7", "99999999999999999999"] {
            assert!(span_of(bad).is_err(), "{bad}");
        }
        assert!(span_of("6mo").is_ok() && Policy::interval_of("6mo").is_err());
    }
}
