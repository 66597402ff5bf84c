//! On which days: day of month, day of week, and the letters of AWS's cron.

use jiff::civil::{Date, Weekday};

use crate::error::ScheduleError;
use crate::field::{AWS_DAY_OF_WEEK, DAY_OF_MONTH, DAY_OF_WEEK, Numbers};

/// The days of two fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Days {
    of_month: MonthDays,
    of_week: WeekDays,
    /// Whether a day that fits one of them is enough.
    either: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct MonthDays {
    days: Numbers,
    /// `L`
    last: bool,
    /// `15W`
    nearest_weekday: Numbers,
    /// `LW`
    last_weekday: bool,
}

/// Days of the week from Sunday, 0, on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct WeekDays {
    days: Numbers,
    /// `6L`: the last of the month.
    last: Numbers,
    /// `6#3`: the third of the month.
    nth: Vec<(u16, u16)>,
}

impl Days {
    /// The fields of a crontab. As in Vixie's cron (crontab(5)) a day that fits one of them is enough, unless one begins
    /// with `*`.
    pub(crate) fn of_crontab(of_month: &str, of_week: &str) -> Result<Days, ScheduleError> {
        let days = DAY_OF_WEEK.list(of_week)?.into_iter().map(|d| d % 7).collect();
        Ok(Days {
            of_month: MonthDays { days: DAY_OF_MONTH.list(of_month)?, ..MonthDays::default() },
            of_week: WeekDays { days, ..WeekDays::default() },
            either: !of_month.starts_with('*') && !of_week.starts_with('*'),
        })
    }

    /// The fields of AWS's cron, one of which is `?`
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html>).
    pub(crate) fn of_aws(of_month: &str, of_week: &str) -> Result<Days, ScheduleError> {
        if (of_month == "?") == (of_week == "?") {
            let why = "exactly one of day of month and day of week is ?".to_owned();
            return Err(AWS_DAY_OF_WEEK.wrong(&format!("{of_month} … {of_week}"), why));
        }
        let (mut month, mut week) = (MonthDays::default(), WeekDays::default());
        match of_month {
            "?" => month.days = DAY_OF_MONTH.all(),
            list => list.split(',').try_for_each(|item| month.add(item))?,
        }
        match of_week {
            "?" => week.days = (0..7).collect(),
            list => list.split(',').try_for_each(|item| week.add(item))?,
        }
        Ok(Days { of_month: month, of_week: week, either: false })
    }

    /// Whether a day fits.
    pub(crate) fn fit(&self, date: Date) -> bool {
        let (month, week) = (self.of_month.fit(date), self.of_week.fit(date));
        if self.either { month || week } else { month && week }
    }
}

impl MonthDays {
    fn add(&mut self, item: &str) -> Result<(), ScheduleError> {
        match item {
            "L" => self.last = true,
            "LW" => self.last_weekday = true,
            _ => match item.strip_suffix('W') {
                Some(day) => {
                    self.nearest_weekday.insert(DAY_OF_MONTH.number(day, item)?);
                }
                None => self.days.append(&mut DAY_OF_MONTH.item(item)?),
            },
        }
        Ok(())
    }

    fn fit(&self, date: Date) -> bool {
        let day = date.day().unsigned_abs().into();
        let last = date.last_of_month();
        self.days.contains(&day)
            || (self.last && date == last)
            || (self.last_weekday && nearest_weekday(last) == date)
            || self.nearest_weekday.iter().any(|n| {
                let wanted = i8::try_from(*n).ok().and_then(|n| date.with().day(n).build().ok());
                wanted.is_some_and(|wanted| nearest_weekday(wanted) == date)
            })
    }
}

/// The day from Monday to Friday that is nearest to a day, in the same month.
fn nearest_weekday(day: Date) -> Date {
    let (before, after) = (day.yesterday(), day.tomorrow());
    let found = match day.weekday() {
        Weekday::Saturday if day.day() == 1 => after.and_then(Date::tomorrow),
        Weekday::Saturday => before,
        Weekday::Sunday if day == day.last_of_month() => before.and_then(Date::yesterday),
        Weekday::Sunday => after,
        _ => Ok(day),
    };
    found.unwrap_or(day)
}

impl WeekDays {
    fn add(&mut self, item: &str) -> Result<(), ScheduleError> {
        let day = |text: &str| AWS_DAY_OF_WEEK.number(text, item).map(|d| d - 1);
        match (item.split_once('#'), item.strip_suffix('L')) {
            (Some((weekday, nth)), _) => {
                let place = nth.parse().ok().filter(|n| (1..=5).contains(n)).ok_or_else(|| {
                    AWS_DAY_OF_WEEK.wrong(item, "after # comes which one of the month, 1 to 5".into())
                })?;
                self.nth.push((day(weekday)?, place));
            }
            // The last day of the week.
            (None, Some("")) => {
                self.days.insert(6);
            }
            (None, Some(weekday)) => {
                self.last.insert(day(weekday)?);
            }
            (None, None) => self.days.extend(AWS_DAY_OF_WEEK.item(item)?.into_iter().map(|d| d - 1)),
        }
        Ok(())
    }

    fn fit(&self, date: Date) -> bool {
        let weekday = u16::from(date.weekday().to_sunday_zero_offset().unsigned_abs());
        let day = u16::from(date.day().unsigned_abs());
        let days = u16::from(date.days_in_month().unsigned_abs());
        self.days.contains(&weekday)
            || (self.last.contains(&weekday) && day + 7 > days)
            || self.nth.contains(&(weekday, (day - 1) / 7 + 1))
    }
}
