//! One field of a cron expression: numbers with ranges, steps and lists.

use std::collections::BTreeSet;

use crate::error::ScheduleError;

/// The numbers that a field names.
pub(crate) type Numbers = BTreeSet<u16>;

/// What a field can hold.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) lowest: u16,
    pub(crate) highest: u16,
    /// Words for `lowest`, `lowest + 1` …
    pub(crate) words: &'static [&'static str],
}

const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

pub(crate) const MINUTE: Field = Field { name: "minute", lowest: 0, highest: 59, words: &[] };
pub(crate) const HOUR: Field = Field { name: "hour", lowest: 0, highest: 23, words: &[] };
pub(crate) const DAY_OF_MONTH: Field = Field { name: "day of month", lowest: 1, highest: 31, words: &[] };
pub(crate) const MONTH: Field = Field { name: "month", lowest: 1, highest: 12, words: MONTHS };
/// crontab(5): 0 and 7 are Sunday.
pub(crate) const DAY_OF_WEEK: Field = Field { name: "day of week", lowest: 0, highest: 7, words: WEEKDAYS };
/// AWS: 1 is Sunday.
pub(crate) const AWS_DAY_OF_WEEK: Field = Field { lowest: 1, ..DAY_OF_WEEK };
pub(crate) const YEAR: Field = Field { name: "year", lowest: 1970, highest: 2199, words: &[] };

impl Field {
    /// Everything that it can hold.
    pub(crate) fn all(&self) -> Numbers {
        (self.lowest..=self.highest).collect()
    }

    /// The numbers of a list such as `1,5-9,20/2`.
    pub(crate) fn list(&self, text: &str) -> Result<Numbers, ScheduleError> {
        let mut numbers = Numbers::new();
        for item in text.split(',') {
            numbers.append(&mut self.item(item)?);
        }
        Ok(numbers)
    }

    /// The numbers of one item of a list.
    pub(crate) fn item(&self, item: &str) -> Result<Numbers, ScheduleError> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.lowest, self.highest),
            Some((from, to)) => (self.number(from, item)?, self.number(to, item)?),
            None => {
                let from = self.number(range, item)?;
                (from, if step.is_some() { self.highest } else { from })
            }
        };
        if from > to {
            return Err(self.wrong(item, "the range runs backwards: write it as two, with a comma".into()));
        }
        let step = match step.map(str::parse::<usize>) {
            None => 1,
            Some(Ok(step)) if step > 0 => step,
            Some(_) => return Err(self.wrong(item, "after / comes a number above 0".into())),
        };
        Ok((from..=to).step_by(step).collect())
    }

    /// One number or word.
    pub(crate) fn number(&self, text: &str, item: &str) -> Result<u16, ScheduleError> {
        let word = self.words.iter().position(|w| w.eq_ignore_ascii_case(text));
        let number = match word {
            Some(place) => self.lowest.checked_add(u16::try_from(place).unwrap_or(u16::MAX)),
            None if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
            None => None,
        };
        number
            .filter(|n| (self.lowest..=self.highest).contains(n))
            .ok_or_else(|| self.wrong(item, self.allowed()))
    }

    pub(crate) fn wrong(&self, text: &str, why: String) -> ScheduleError {
        ScheduleError::Field { field: self.name, text: text.to_owned(), why }
    }

    fn allowed(&self) -> String {
        let words = match self.words {
            [first, .., last] => format!(" or {first} to {last}"),
            _ => String::new(),
        };
        format!(
            "numbers from {} to {}{words}, ranges a-b, steps /n and lists with commas",
            self.lowest, self.highest
        )
    }
}
