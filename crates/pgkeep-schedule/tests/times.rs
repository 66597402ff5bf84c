//! What schedules mean: AWS's examples, summer time, and a plain matcher that goes minute by minute.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use pgkeep_schedule::{Schedule, jitter};
use proptest::prelude::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// The next times after a local time, as local times with their offset.
fn next(text: &str, zone_name: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(text, zone(zone_name)).unwrap_or_else(|e| panic!("{text}: {e}"));
    let from = from.parse::<DateTime>().unwrap().to_zoned(zone(zone_name)).unwrap().timestamp();
    let mut times = std::iter::successors(Some(from), |t| schedule.next_after(*t)).skip(1);
    let told = |t: Timestamp| t.to_zoned(zone(zone_name)).strftime("%Y-%m-%dT%H:%M%:z").to_string();
    times.by_ref().take(count).map(told).collect()
}

#[track_caller]
fn utc_days(text: &str, from: &str, expected: &[&str]) {
    let found = next(text, "UTC", from, expected.len());
    let found: Vec<&str> = found.iter().map(|t| t.trim_end_matches("+00:00")).collect();
    assert_eq!(found, expected, "{text}");
}

/// The examples of
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html>, and the letters.
#[test]
fn aws_cron_means_what_aws_says() {
    let from = "2026-11-24T12:00"; // a Tuesday
    utc_days("cron(0 10 * * ? *)", from, &["2026-11-25T10:00", "2026-11-26T10:00"]);
    utc_days("cron(15 12 * * ? *)", from, &["2026-11-24T12:15"]);
    utc_days("cron(0 18 ? * MON-FRI *)", "2026-11-27T18:00", &["2026-11-30T18:00"]);
    utc_days("cron(0 8 1 * ? *)", from, &["2026-12-01T08:00", "2027-01-01T08:00"]);
    utc_days("cron(0/15 * * * ? *)", from, &["2026-11-24T12:15", "2026-11-24T12:30"]);
    utc_days("cron(0/10 * ? * MON-FRI *)", "2026-11-27T23:50", &["2026-11-30T00:00"]);
    utc_days("cron(0/5 8-17 ? * MON-FRI *)", "2026-11-24T17:54", &["2026-11-24T17:55", "2026-11-25T08:00"]);
    utc_days("cron(0 9 ? * 2#1 *)", from, &["2026-12-07T09:00", "2027-01-04T09:00"]);
    utc_days("cron(0 0 ? * 6#5 *)", from, &["2027-01-29T00:00", "2027-04-30T00:00"]);
    utc_days("cron(0 1 L * ? *)", from, &["2026-11-30T01:00", "2026-12-31T01:00", "2027-01-31T01:00"]);
    utc_days("cron(0 1 LW * ? *)", "2027-01-01T00:00", &["2027-01-29T01:00", "2027-02-26T01:00"]);
    utc_days("cron(0 1 ? * L *)", from, &["2026-11-28T01:00", "2026-12-05T01:00"]);
    utc_days("cron(0 1 ? * 6L *)", from, &["2026-11-27T01:00", "2026-12-25T01:00"]);
    // August 1st 2026 is a Saturday, November 1st a Sunday, May 31st 2026 a Sunday.
    utc_days("cron(0 0 1W * ? 2026)", "2026-07-31T00:00", &["2026-08-03T00:00", "2026-09-01T00:00"]);
    utc_days("cron(0 0 31W 5 ? *)", "2026-01-01T00:00", &["2026-05-29T00:00", "2027-05-31T00:00"]);
    utc_days("cron(0 0 15W 11 ? *)", "2026-01-01T00:00", &["2026-11-16T00:00"]);
    utc_days("cron(0 0 ? JAN,jul 1 2027-2028/1)", from, &["2027-01-03T00:00"]);
    let ended = Schedule::parse("cron(0 0 1 1 ? 2027)", TimeZone::UTC).unwrap();
    assert_eq!(ended.next_after("2027-01-01T00:00:00Z".parse().unwrap()), None);
}

#[test]
fn rates_count_from_the_time_before_and_words_are_cron_lines() {
    utc_days("rate(90 minutes)", "2026-11-24T12:07", &["2026-11-24T13:37", "2026-11-24T15:07"]);
    utc_days("rate(1 day)", "2026-11-24T12:07", &["2026-11-25T12:07"]);
    utc_days("@weekly", "2026-11-24T12:07", &["2026-11-29T00:00", "2026-12-06T00:00"]);
    utc_days("@monthly", "2026-11-24T12:07", &["2026-12-01T00:00", "2027-01-01T00:00"]);
    let rate = Schedule::parse("rate(3 hours)", TimeZone::UTC).unwrap();
    let mark: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    let newest = |hours: i64| {
        let found = rate.newest_within(mark, mark + SignedDuration::from_hours(hours));
        found.map(|t| t.duration_since(mark).as_hours())
    };
    assert_eq!((newest(2), newest(3), newest(10)), (None, Some(3), Some(9)));
}

#[test]
fn a_time_in_the_gap_comes_after_it_and_one_in_the_overlap_once() {
    // Europe/Berlin 2026: 02:00 to 03:00 on March 29th, 03:00 back to 02:00 on October 25th.
    let daily = next("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00", 3);
    assert_eq!(daily, ["2026-03-28T02:30+01:00", "2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]);
    let daily = next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2);
    assert_eq!(daily, ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]);
    let hourly = next("30 * * * *", "Europe/Berlin", "2026-10-25T01:00", 4);
    assert_eq!(
        hourly,
        [
            "2026-10-25T01:30+02:00",
            "2026-10-25T02:30+02:00",
            "2026-10-25T02:30+01:00",
            "2026-10-25T03:30+01:00"
        ]
    );
    let hourly = next("30 * * * *", "Europe/Berlin", "2026-03-29T01:00", 2);
    assert_eq!(hourly, ["2026-03-29T01:30+01:00", "2026-03-29T03:30+02:00"]);
    // Australia/Lord_Howe goes by half an hour: 02:00 to 02:30 on October 4th 2026, 02:00 back to 01:30 on April 5th.
    let daily = next("cron(15 2 * * ? *)", "Australia/Lord_Howe", "2026-10-03T12:00", 2);
    assert_eq!(daily, ["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"]);
    let daily = next("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00", 2);
    assert_eq!(daily, ["2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"]);
    // Beirut puts its clocks forward at midnight.
    let daily = next("0 0 * * *", "Asia/Beirut", "2026-03-28T12:00", 2);
    assert_eq!(daily, ["2026-03-29T01:00+03:00", "2026-03-30T00:00+03:00"]);
}

/// Each day of years with summer time has exactly one moment of a daily schedule, and each hour that passes one of an
/// hourly schedule.
#[test]
fn nothing_is_lost_or_doubled_in_years_with_summer_time() {
    for name in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"] {
        let start = "2024-12-31T12:00".parse::<DateTime>().unwrap();
        let (from, to) =
            [start, start + 4.years()].map(|t| t.to_zoned(zone(name)).unwrap().timestamp()).into();
        let until = |text: &str, to: Timestamp| {
            let schedule = Schedule::parse(text, zone(name)).unwrap();
            let times = std::iter::successors(schedule.next_after(from), |t| schedule.next_after(*t));
            times.take_while(|t| *t <= to).collect::<Vec<_>>()
        };
        for text in ["30 2 * * *", "0 0 * * *", "cron(59 1 * * ? *)", "15 3 * * *", "45 1 * * *"] {
            let days: Vec<_> = until(text, to).into_iter().map(|t| t.to_zoned(zone(name)).date()).collect();
            assert_eq!(days.len(), 1461, "{text} {name}");
            assert!(days.windows(2).all(|two| two[0].tomorrow().unwrap() == two[1]), "{text} {name}");
        }
        let hours = until("0 * * * *", from + SignedDuration::from_hours(24 * 366));
        let whole = |two: &[Timestamp]| two[1].duration_since(two[0]) == SignedDuration::from_hours(1);
        // Lord Howe's hour is half an hour longer or shorter twice a year.
        let uneven = hours.windows(2).filter(|two| !whole(two)).count();
        assert!(uneven <= if name.ends_with("Lord_Howe") { 2 } else { 0 }, "{name}: {uneven}");
    }
}

#[test]
fn what_makes_no_sense_is_told_with_the_field_and_what_is_allowed() {
    for (text, words) in [
        ("61 * * * *", "minute \"61\": numbers from 0 to 59"),
        ("* 24 * * *", "hour \"24\""),
        ("0 0 32 * *", "day of month \"32\""),
        ("0 0 * foo *", "JAN to DEC"),
        ("0 0 * * 8", "day of week \"8\""),
        ("0 0 * *", "5 fields: minute, hour, day of month, month, day of week; here are 4"),
        ("cron(0 0 * * *)", "6 fields"),
        ("cron(0 0 * * * *)", "exactly one"),
        ("cron(0 0 ? * ? *)", "exactly one"),
        ("cron(0 0 ? * 0 *)", "numbers from 1 to 7"),
        ("cron(0 0 ? * 2#6 *)", "after #"),
        ("cron(0 0 1 1 ? 1969)", "year"),
        ("5-1 * * * *", "backwards"),
        ("*/0 * * * *", "above 0"),
        ("+1 * * * *", "minute"),
        ("0 0 30 2 *", "never comes"),
        ("cron(0 0 31W 2 ? *)", "never comes"),
        ("rate(0 hours)", "rate(0 hours)"),
        ("rate(1 week)", "minutes, hours or days"),
        ("rate(-1 hours)", "above 0"),
        ("@often", "is no schedule"),
        ("", "is no schedule"),
    ] {
        let told = Schedule::parse(text, TimeZone::UTC).unwrap_err().to_string();
        assert!(told.contains(words), "{text}: {told}");
    }
}

#[test]
fn jitter_is_the_same_for_an_id_and_spreads_over_all_of_it() {
    let most = std::time::Duration::from_secs(600);
    let all: Vec<_> = (0..1000).map(|i| jitter(&format!("db{i}/backup"), most)).collect();
    assert_eq!(all[7], jitter("db7/backup", most));
    assert!(all.iter().all(|j| *j <= most));
    for tenth in 0..10 {
        let within = all.iter().filter(|j| j.as_secs() / 60 == tenth).count();
        assert!((60..140).contains(&within), "{tenth}: {within}");
    }
}

prop_compose! {
    /// A field as text, with the numbers that it means.
    fn field(low: u16, high: u16)(
        star in prop::bool::weighted(0.3),
        items in prop::collection::vec((low..=high, low..=high, 1u16..9, 0..3), 1..3),
    ) -> (String, Vec<u16>) {
        if star {
            return ("*".into(), (low..=high).collect());
        }
        let (mut text, mut numbers) = (Vec::new(), Vec::new());
        for (a, b, step, form) in items {
            let (a, b) = (a.min(b), a.max(b));
            match form {
                0 => { text.push(a.to_string()); numbers.push(a); }
                1 => { text.push(format!("{a}-{b}")); numbers.extend(a..=b); }
                _ => { text.push(format!("{a}-{b}/{step}")); numbers.extend((a..=b).step_by(step.into())); }
            }
        }
        (text.join(","), numbers)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_next_time_is_that_of_a_matcher_that_goes_minute_by_minute(
        minute in field(0, 59), hour in field(0, 23), day in field(1, 31), weekday in field(0, 6),
        start in 1_700_000_000i64..1_900_000_000,
    ) {
        let text = format!("{} {} {} * {}", minute.0, hour.0, day.0, weekday.0);
        let schedule = Schedule::parse(&text, TimeZone::UTC).unwrap();
        let start = Timestamp::from_second(start).unwrap();
        let matches = |t: Timestamp| {
            let t = t.to_zoned(TimeZone::UTC);
            let (d, w) = (t.day() as u16, t.weekday().since(Weekday::Sunday) as u16);
            let (by_day, by_week) = (day.1.contains(&d), weekday.1.contains(&w));
            let both = day.0 == "*" || weekday.0 == "*";
            minute.1.contains(&(t.minute() as u16))
                && hour.1.contains(&(t.hour() as u16))
                && if both { by_day && by_week } else { by_day || by_week }
        };
        let first = start.as_second() / 60 + 1;
        let expected = (first..).map(|m| Timestamp::from_second(m * 60).unwrap()).find(|t| matches(*t));
        let found = schedule.next_after(start);
        prop_assert_eq!(found, expected, "{}", text);
        let found = found.unwrap();
        prop_assert_eq!(schedule.newest_within(start, found), Some(found));
        prop_assert_eq!(schedule.newest_within(start, found - SignedDuration::from_secs(1)), None);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[ -~]{0,40}", numbers in "(cron|rate)\\([0-9L#W?*/, -]{0,30}\\)") {
        let _ = Schedule::parse(&text, TimeZone::UTC);
        let _ = Schedule::parse(&numbers, TimeZone::UTC);
    }
}
