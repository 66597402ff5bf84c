//! Time, and what is told while it passes.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pgkeep_cloud::CloudErrorKind;

use crate::error::{Result, SnapshotError, SnapshotErrorKind};

/// So many looks in a row may fail in passing, each of which has been tried several times by itself.
const TOLERATED: u32 = 5;

/// How a run waits.
pub struct Pace<'a> {
    /// Time between two looks.
    pub poll: Duration,
    /// The time.
    pub now: &'a (dyn Fn() -> Timestamp + Sync),
    /// Waits so long; `false` where the user wants to stop.
    pub pause: &'a (dyn Fn(Duration) -> bool + Sync),
    /// Is told how far things are.
    pub told: &'a (dyn Fn(&Step<'_>) + Sync),
}

/// How far something is.
#[derive(Debug, Clone, Copy)]
pub struct Step<'s> {
    /// The snapshot, export, instance.
    pub what: &'s str,
    /// AWS's word for its state, or why nothing can be told at present.
    pub status: &'s str,
    /// How much of it is done, 0 to 100.
    pub percent: Option<i32>,
}

/// How late something may begin and end. The names and their meaning are those of AWS Backup.
#[derive(Debug, Clone, Copy, Default)]
pub struct Windows {
    /// So long it may wait for its beginning.
    pub start: Option<SignedDuration>,
    /// So long it may take in all.
    pub completion: Option<SignedDuration>,
}

/// A window that has begun.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Such as `start window`.
    pub(crate) name: &'static str,
    length: Option<SignedDuration>,
    end: Option<Timestamp>,
}

impl Limit {
    /// One of this length from a time on; without an end where there is no length.
    #[must_use]
    pub fn of(name: &'static str, length: Option<SignedDuration>, from: Timestamp) -> Limit {
        Limit { name, length, end: length.and_then(|l| from.checked_add(l).ok()) }
    }
}

impl Pace<'_> {
    pub(crate) fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// Tells how far something is.
    pub fn tell(&self, what: &str, status: &str, percent: Option<i32>) {
        (self.told)(&Step { what, status, percent });
    }

    /// Looks again and again until there is something. What fails in passing is looked at again, too.
    ///
    /// # Errors
    /// What `look` gives; `Window` where the limit is over; `Cancelled` where the user wants to stop.
    pub fn until<T>(
        &self,
        what: &str,
        limit: Limit,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let mut failed = 0;
        loop {
            match look() {
                Ok(Some(done)) => return Ok(done),
                Ok(None) => failed = 0,
                Err(e) if failed < TOLERATED && is_passing(&e) => {
                    failed += 1;
                    self.tell(what, e.word(), None);
                }
                Err(e) => return Err(e),
            }
            if let (Some(length), true) = (limit.length, limit.end.is_some_and(|end| self.now() >= end)) {
                let why = format!(
                    "{what}: not done within the {} of {length:#}; what AWS does goes on",
                    limit.name
                );
                return Err(SnapshotError::new(SnapshotErrorKind::Window, why)
                    .hint("run it again: it takes up what was begun; or give it more time"));
            }
            if !(self.pause)(self.poll) {
                let why = format!("{what}: stopped; what AWS does goes on, and the next run takes it up");
                return Err(SnapshotError::new(SnapshotErrorKind::Cancelled, why));
            }
        }
    }
}

fn is_passing(e: &SnapshotError) -> bool {
    e.is(CloudErrorKind::Throttled) || e.is(CloudErrorKind::Unreachable)
}
