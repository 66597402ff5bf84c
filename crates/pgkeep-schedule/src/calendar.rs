//! Times by the calendar and the clock on the wall, and which moments they are.

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::days::Days;
use crate::error::ScheduleError;
use crate::field::{DAY_OF_MONTH, DAY_OF_WEEK, Field, HOUR, MINUTE, MONTH, Numbers, YEAR};

/// Within so many days every pattern that comes at all has come: February 29th on a given weekday, over a century that
/// is no leap year.
const HORIZON: usize = 40 * 366;

/// A cron expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Calendar {
    minutes: Numbers,
    hours: Numbers,
    months: Numbers,
    days: Days,
    years: Option<Numbers>,
}

impl Calendar {
    /// Five fields of a crontab.
    pub(crate) fn of_crontab(text: &str) -> Result<Calendar, ScheduleError> {
        let names = [&MINUTE, &HOUR, &DAY_OF_MONTH, &MONTH, &DAY_OF_WEEK];
        let [minute, hour, day, month, weekday] = fields("a cron line", text, names)?;
        Calendar {
            minutes: MINUTE.list(minute)?,
            hours: HOUR.list(hour)?,
            months: MONTH.list(month)?,
            days: Days::of_crontab(day, weekday)?,
            years: None,
        }
        .that_comes(text)
    }

    /// The six fields in AWS's `cron(…)`.
    pub(crate) fn of_aws(text: &str) -> Result<Calendar, ScheduleError> {
        let names = [&MINUTE, &HOUR, &DAY_OF_MONTH, &MONTH, &DAY_OF_WEEK, &YEAR];
        let [minute, hour, day, month, weekday, year] = fields("cron(…)", text, names)?;
        Calendar {
            minutes: MINUTE.list(minute)?,
            hours: HOUR.list(hour)?,
            months: MONTH.list(month)?,
            days: Days::of_aws(day, weekday)?,
            years: (year != "*").then(|| YEAR.list(year)).transpose()?,
        }
        .that_comes(text)
    }

    fn that_comes(self, text: &str) -> Result<Calendar, ScheduleError> {
        let first = self.years.as_ref().and_then(|y| y.first().copied()).unwrap_or(YEAR.lowest);
        let first = i16::try_from(first).ok().and_then(|year| Date::new(year, 1, 1).ok());
        let comes = first.is_some_and(|first| self.dates_from(first).next().is_some());
        if comes { Ok(self) } else { Err(ScheduleError::Never(text.to_owned())) }
    }

    /// The first moment after `t`.
    pub(crate) fn next_after(&self, t: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        // Where a clock is put forward over midnight, a time of yesterday can come today.
        let from = t.to_zoned(zone.clone()).date().yesterday().ok()?;
        self.dates_from(from).flat_map(|date| self.moments(date, zone)).find(|moment| *moment > t)
    }

    /// The last moment that is not after `t`.
    pub(crate) fn last_until(&self, t: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut date = t.to_zoned(zone.clone()).date().tomorrow().ok()?;
        for _ in 0..HORIZON {
            if self.fits(date) {
                let found = self.moments(date, zone).into_iter().rev().find(|moment| *moment <= t);
                if found.is_some() {
                    return found;
                }
            }
            date = date.yesterday().ok()?;
        }
        None
    }

    fn dates_from(&self, from: Date) -> impl Iterator<Item = Date> {
        let dates = std::iter::successors(Some(from), |date| date.tomorrow().ok());
        dates.take(HORIZON).filter(|date| self.fits(*date))
    }

    fn fits(&self, date: Date) -> bool {
        self.months.contains(&date.month().unsigned_abs().into())
            && self.years.as_ref().is_none_or(|years| years.contains(&date.year().unsigned_abs()))
            && self.days.fit(date)
    }

    /// Whether it goes by hours that pass rather than by times of the day.
    fn is_every_hour(&self) -> bool {
        self.hours.len() == 24
    }

    /// The moments of a day, in their order.
    fn moments(&self, date: Date, zone: &TimeZone) -> Vec<Timestamp> {
        let times = self.hours.iter().flat_map(|h| self.minutes.iter().map(move |m| (*h, *m)));
        let mut moments: Vec<Timestamp> =
            times.flat_map(|time| self.at(date, time, zone)).flatten().collect();
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    /// The moments at which the clock on the wall shows a time. A time that is left out comes at the first moment after
    /// the gap, and one that comes twice counts the first time; with every hour it is just as the clock goes.
    fn at(&self, date: Date, (hour, minute): (u16, u16), zone: &TimeZone) -> [Option<Timestamp>; 2] {
        let number = |n: u16| i8::try_from(n).unwrap_or(0);
        let time = date.at(number(hour), number(minute), 0, 0);
        let moment = |offset: jiff::tz::Offset| offset.to_timestamp(time).ok();
        match zone.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => [moment(offset), None],
            AmbiguousOffset::Fold { before, after } if self.is_every_hour() => {
                [moment(before), moment(after)]
            }
            AmbiguousOffset::Fold { before, .. } => [moment(before), None],
            AmbiguousOffset::Gap { .. } if self.is_every_hour() => [None, None],
            AmbiguousOffset::Gap { before, .. } => [moment(before).and_then(|m| gap_end(m, zone)), None],
        }
    }
}

/// The moment at which the clock was put forward, for a moment that is not before it.
fn gap_end(moment: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let beyond = moment.checked_add(SignedDuration::from_nanos(1)).ok()?;
    zone.preceding(beyond).next().map(|transition| transition.timestamp())
}

fn fields<'t, const N: usize>(
    form: &'static str,
    text: &'t str,
    fields: [&Field; N],
) -> Result<[&'t str; N], ScheduleError> {
    let found: Vec<&str> = text.split_whitespace().collect();
    <[&str; N]>::try_from(found).map_err(|found| ScheduleError::Fields {
        form,
        wanted: N,
        names: fields.map(|f| f.name).join(", "),
        found: found.len(),
    })
}
