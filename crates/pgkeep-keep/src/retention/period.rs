//! Hours, days, weeks, months and years, each of which keeps its newest backup.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::policy::Policy;

/// A kind of period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An hour of a day.
    Hour,
    /// A day.
    Day,
    /// An ISO week.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl Kind {
    /// The kinds that a policy counts, with their counts.
    pub(super) fn counted(policy: &Policy) -> impl Iterator<Item = (Kind, u32)> {
        [
            (Kind::Hour, policy.hourly),
            (Kind::Day, policy.daily),
            (Kind::Week, policy.weekly),
            (Kind::Month, policy.monthly),
            (Kind::Year, policy.yearly),
        ]
        .into_iter()
        .filter_map(|(kind, count)| Some((kind, count?)))
    }

    /// The period that a moment lies in, as it is told: `2026-11-21`, `2026-W47`. Equal text, equal period.
    pub(super) fn label(self, at: Timestamp, zone: &TimeZone) -> String {
        let at = at.to_zoned(zone.clone());
        let format = match self {
            // With the offset: the hour that comes twice when summer time ends is two.
            Kind::Hour => "%Y-%m-%dT%H%z",
            Kind::Day => "%Y-%m-%d",
            Kind::Week => "%G-W%V",
            Kind::Month => "%Y-%m",
            Kind::Year => "%Y",
        };
        at.strftime(format).to_string()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Hour => "hour",
            Kind::Day => "day",
            Kind::Week => "week",
            Kind::Month => "month",
            Kind::Year => "year",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_are_those_of_iso_8601_and_days_begin_where_the_zone_says() {
        let at: Timestamp = "2027-01-01T23:30:00Z".parse().unwrap();
        assert_eq!(Kind::Week.label(at, &TimeZone::UTC), "2026-W53");
        assert_eq!(Kind::Day.label(at, &TimeZone::UTC), "2027-01-01");
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(Kind::Day.label(at, &berlin), "2027-01-02");
        assert_eq!(Kind::Year.label(at, &berlin), "2027");
    }

    #[test]
    fn the_hour_that_comes_twice_is_two() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let hour = |text: &str| Kind::Hour.label(text.parse().unwrap(), &berlin);
        assert_ne!(hour("2026-10-25T00:30:00Z"), hour("2026-10-25T01:30:00Z"));
    }
}
