//! Whether a database's backups come as its schedule says.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::fleet::Task;

/// Since when a backup is overdue: the scheduled time after which none was begun, although it has had time enough to be
/// made. `newest` is when the newest one was begun; without one, `known` is since when the task is known.
///
/// Time enough is the completion window where there is one, else half of the time between two backups, but from ten
/// minutes to six hours.
pub fn overdue_since(
    task: &Task,
    newest: Option<Timestamp>,
    known: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    let schedule = task.schedule.as_ref()?;
    let from = newest.unwrap_or(known);
    let grace = match task.windows.completion {
        Some(window) => window,
        None => {
            let half = schedule.interval_at(now).unwrap_or(SignedDuration::ZERO) / 2;
            half.unsigned_abs().clamp(Duration::from_secs(600), Duration::from_secs(6 * 3600))
        }
    };
    let passed = now.checked_sub(grace + task.jitter).ok()?;
    schedule.newest_within(from, passed)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use pgkeep_schedule::Schedule;

    use super::*;
    use crate::supervisor::simulation::task;

    #[test]
    fn a_backup_is_overdue_when_its_time_and_the_grace_have_passed() {
        let daily = task("shop", Some(Schedule::parse("0 2 * * *", TimeZone::UTC).unwrap()));
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let newest = Some(at("2026-11-23T02:00:05Z"));
        let known = at("2026-11-01T00:00:00Z");
        let since = |now: &str| overdue_since(&daily, newest, known, at(now));
        assert_eq!(since("2026-11-24T01:59:00Z"), None);
        assert_eq!(since("2026-11-24T07:59:00Z"), None, "the grace is six hours at most");
        assert_eq!(since("2026-11-24T08:01:00Z"), Some(at("2026-11-24T02:00:00Z")));
        let fresh = overdue_since(&daily, None, at("2026-11-24T03:00:00Z"), at("2026-11-24T12:00:00Z"));
        assert_eq!(fresh, None, "what was never due is not overdue");
        let by_hand = task("shop", None);
        assert_eq!(overdue_since(&by_hand, None, known, at("2027-01-01T00:00:00Z")), None);
    }
}
