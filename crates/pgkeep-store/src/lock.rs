//! Object Lock: what keeps an object's version from being deleted, by anybody or by all but a few.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>

use jiff::Timestamp;
use std::fmt;

/// How firmly an object is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Those with the right `s3:BypassGovernanceRetention` can still delete it.
    Governance,
    /// Nobody can, the account's owner included.
    Compliance,
}

impl LockMode {
    /// The mode as S3's headers and documents spell it.
    pub(crate) fn in_s3(self) -> &'static str {
        match self {
            LockMode::Governance => "GOVERNANCE",
            LockMode::Compliance => "COMPLIANCE",
        }
    }
}

impl fmt::Display for LockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LockMode::Governance => "governance",
            LockMode::Compliance => "compliance",
        })
    }
}

/// A lock that ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How firm it is.
    pub mode: LockMode,
    /// When it ends, by the store's clock.
    pub until: Timestamp,
}

/// What keeps an object from being deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lock {
    /// The lock that ends by itself; it may have ended.
    pub retention: Option<Retention>,
    /// A lock without an end, until somebody takes it off.
    pub legal_hold: bool,
}

impl Lock {
    /// Whether the object cannot be deleted at `now`.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.legal_hold || self.retention.is_some_and(|r| r.until > now)
    }

    /// Whether this lock is at least as firm and as long as `other`.
    pub(crate) fn covers(&self, other: &Lock) -> bool {
        let firm = |r: &Retention, o: &Retention| {
            r.until >= o.until && (r.mode == o.mode || r.mode == LockMode::Compliance)
        };
        let retained = other.retention.is_none_or(|o| self.retention.is_some_and(|r| firm(&r, &o)));
        retained && (self.legal_hold || !other.legal_hold)
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.retention, self.legal_hold) {
            (None, false) => f.write_str("not locked"),
            (None, true) => f.write_str("locked by a legal hold"),
            (Some(r), hold) => {
                write!(f, "locked ({}) until {}", r.mode, r.until)?;
                if hold { f.write_str(" and by a legal hold") } else { Ok(()) }
            }
        }
    }
}

/// The lock that a store's URL asks for; see [`S3Options::lock`](crate::S3Options::lock).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LockPolicy {
    /// Mode and days.
    pub retention: Option<(LockMode, u32)>,
    /// Whether a legal hold is put on everything.
    pub legal_hold: bool,
}

impl LockPolicy {
    /// The lock of what is written by a run that began at `from`.
    pub(crate) fn at(&self, from: Timestamp) -> Lock {
        let until = |days: u32| Timestamp::from_second(from.as_second() + i64::from(days) * 24 * 60 * 60);
        let retention =
            self.retention.and_then(|(mode, days)| Some(Retention { mode, until: until(days).ok()? }));
        Lock { retention, legal_hold: self.legal_hold }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retained(mode: LockMode, until: i64) -> Lock {
        let until = Timestamp::from_second(until).unwrap();
        Lock { retention: Some(Retention { mode, until }), legal_hold: false }
    }

    #[test]
    fn a_lock_holds_until_its_end_and_a_legal_hold_for_ever() {
        let now = Timestamp::from_second(100).unwrap();
        assert!(retained(LockMode::Governance, 101).holds(now));
        assert!(!retained(LockMode::Governance, 100).holds(now));
        assert!(Lock { legal_hold: true, ..retained(LockMode::Governance, 1) }.holds(now));
        assert!(!Lock::default().holds(now));
    }

    #[test]
    fn a_shorter_or_weaker_lock_does_not_do_for_what_was_asked() {
        let asked = retained(LockMode::Compliance, 100);
        assert!(retained(LockMode::Compliance, 100).covers(&asked));
        assert!(retained(LockMode::Compliance, 200).covers(&asked));
        assert!(retained(LockMode::Compliance, 100).covers(&retained(LockMode::Governance, 100)));
        assert!(!retained(LockMode::Compliance, 99).covers(&asked));
        assert!(!retained(LockMode::Governance, 100).covers(&asked));
        assert!(!Lock::default().covers(&asked));
        assert!(!asked.covers(&Lock { legal_hold: true, ..asked }));
    }

    #[test]
    fn the_days_count_from_the_beginning_of_the_run() {
        let policy = LockPolicy { retention: Some((LockMode::Governance, 30)), legal_hold: false };
        let lock = policy.at("2026-11-01T01:30:00.5Z".parse().unwrap());
        assert_eq!(lock.to_string(), "locked (governance) until 2026-12-01T01:30:00Z");
    }
}
