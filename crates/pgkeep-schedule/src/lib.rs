//! Times at which something is to happen: `rate(3 hours)`, AWS cron, five-field cron, `@daily`.

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule;
