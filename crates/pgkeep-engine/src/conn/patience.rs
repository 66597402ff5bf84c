//! How long a connection's wait may last, and who may end it.

use std::time::{Duration, Instant};

use crate::cancel::Cancel;
use crate::error::{EngineError, ErrorKind, Result};

/// How often a blocked wait wakes to look at the cancel flag.
pub(super) const POLL: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub(super) struct Patience {
    cancel: Cancel,
    /// When to give up, and how long that wait was. `None` waits for ever, as statements may take hours.
    limit: Option<(Instant, Duration)>,
}

impl Patience {
    pub(super) fn new(time: Duration, cancel: &Cancel) -> Patience {
        Patience { cancel: cancel.clone(), limit: Some((Instant::now() + time, time)) }
    }

    /// Waits for ever from now on, unless asked to stop.
    pub(super) fn endless(&mut self) {
        self.limit = None;
    }

    /// Waits so long from now on.
    pub(super) fn limit(&mut self, time: Duration) {
        self.limit = Some((Instant::now() + time, time));
    }

    /// The next step of a wait: short enough that a wish to stop is noticed.
    pub(super) fn step(&self) -> Duration {
        let left = self.limit.map_or(POLL, |(until, _)| until.saturating_duration_since(Instant::now()));
        left.clamp(Duration::from_millis(1), POLL)
    }

    /// Whether it was asked to stop.
    pub(super) fn is_given_up(&self) -> bool {
        self.cancel.is_raised()
    }

    /// # Errors
    /// `Cancelled` when asked to stop, `Connect` when the time is over.
    pub(super) fn check(&self) -> Result<()> {
        self.cancel.check()?;
        match self.limit {
            Some((until, time)) if Instant::now() >= until => Err(EngineError::new(
                ErrorKind::Connect,
                "",
                format!("no answer within {} s", time.as_secs()),
            )),
            _ => Ok(()),
        }
    }
}
