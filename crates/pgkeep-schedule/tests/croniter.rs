//! Cron lines against croniter, an independent implementation; `from_croniter.py` wrote what it says.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pgkeep_schedule::Schedule;

fn utc(text: &str) -> Timestamp {
    text.parse::<DateTime>().unwrap().to_zoned(TimeZone::UTC).unwrap().timestamp()
}

#[test]
fn cron_lines_mean_what_croniter_says() {
    let lines: Vec<&str> = include_str!("croniter.txt").lines().collect();
    assert!(lines.len() > 50);
    for line in lines {
        let parts: Vec<&str> = line.split('|').collect();
        let schedule = Schedule::parse(parts[0], TimeZone::UTC).unwrap();
        let start = utc(parts[1]);
        let before = start - SignedDuration::from_secs(1);
        let last = schedule.newest_within(Timestamp::UNIX_EPOCH, before);
        assert_eq!(last, Some(utc(parts[2])), "{line}");
        let mut at = start;
        for expected in parts[3].split(' ') {
            at = schedule.next_after(at).unwrap();
            assert_eq!(at, utc(expected), "{line}");
        }
    }
}
