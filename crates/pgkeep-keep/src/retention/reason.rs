//! Why a backup stays or goes.

use std::fmt;

use jiff::{SignedDuration, Span, Timestamp};

use super::period::Kind;

/// One reason.
#[derive(Debug, Clone)]
pub enum Reason {
    /// Floor: the newest of its database and content.
    Newest,
    /// Floor: the newest whose last drill did not fail.
    NewestSound,
    /// Floor: the newest that a drill has proven.
    NewestProven,
    /// Floor: somebody holds it.
    Held,
    /// Floor: the store refuses to delete it before.
    Locked(Timestamp),
    /// Floor: backups fail to come; this is the age of the newest.
    Overdue(SignedDuration),
    /// Floor: it was taken after now, so a clock is wrong.
    Future,
    /// Floor: there are manifests under its name that cannot be read.
    Unreadable,
    /// There is no policy.
    NoPolicy,
    /// Rule: one of the last so many.
    Last(u32),
    /// Rule: this close to the newest.
    Within(Span),
    /// Rule: the newest of this period.
    Period(Kind, String),
    /// No floor and no rule keeps it: so many newer ones are there, and it is so much older than the newest.
    Expired {
        /// Newer backups of its group.
        newer: usize,
        /// Time between it and the newest.
        behind: SignedDuration,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Newest => f.write_str("the newest"),
            Reason::NewestSound => f.write_str("the newest whose drill did not fail"),
            Reason::NewestProven => f.write_str("the newest proven one"),
            Reason::Held => f.write_str("held"),
            Reason::Locked(until) if *until == Timestamp::MAX => {
                f.write_str("locked by the store: a legal hold")
            }
            Reason::Locked(until) => {
                write!(f, "locked by the store until {}", until.strftime("%Y-%m-%d %H:%M UTC"))
            }
            Reason::Overdue(age) => write!(f, "backups fail to come: the newest is {} old", coarse(*age)),
            Reason::Future => f.write_str("taken in the future: a clock is wrong"),
            Reason::Unreadable => f.write_str("a manifest under this name cannot be read"),
            Reason::NoPolicy => f.write_str("there is no policy"),
            Reason::Last(n) => write!(f, "one of the last {n}"),
            Reason::Within(span) => write!(f, "within {span:#} of the newest"),
            Reason::Period(kind, label) => write!(f, "{kind} {label}"),
            Reason::Expired { newer, behind } => {
                write!(f, "no rule keeps it: {newer} newer, {} behind the newest", coarse(*behind))
            }
        }
    }
}

/// `3 d`, `5 h`, `12 min`: a length of time in one figure.
pub fn coarse(length: SignedDuration) -> String {
    match length.as_mins() {
        m if m < 60 => format!("{m} min"),
        m if m < 48 * 60 => format!("{} h", m / 60),
        m => format!("{} d", m / (24 * 60)),
    }
}
