//! Which failures are tried again, and when.

use std::time::Duration;

use crate::fleet::Retries;

/// Kinds of errors (`docs/exit-codes.md`) that may have passed when it is tried again. Others stay until somebody mends
/// something: a wrong password, a missing right, damage.
const MAY_PASS: [&str; 15] = [
    "connect",
    "pooler",
    "connection-lost",
    "lock-timeout",
    "server",
    "store",
    "busy",
    "failed",
    // The process died of a signal that was not ours, or could not be started.
    "crashed",
    "not-started",
    // What AWS says of snapshots.
    "throttled",
    "unreachable",
    "window",
    "snapshot-failed",
    "gone",
];

/// Whether a failure of this kind may pass.
pub(super) fn may_pass(kind: &str) -> bool {
    MAY_PASS.contains(&kind)
}

/// The wait before the next try after `attempt` of them; `None` where there is no further.
pub(super) fn wait(retries: Retries, attempt: u32, task: &str) -> Option<Duration> {
    if attempt > retries.count {
        return None;
    }
    let doubled = retries.first_wait.saturating_mul(1u32.checked_shl(attempt - 1).unwrap_or(u32::MAX));
    let wait = doubled.min(retries.longest_wait);
    // What failed together, such as all databases of a server, does not come back together.
    Some(wait + pgkeep_schedule::jitter(task, wait / 4))
}
