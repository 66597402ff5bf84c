//! How long a backup may take.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use pgkeep_engine::Cancel;

use crate::failure::{Exit, Failure, Result};

/// Runs `work`, and stops it as a signal would once `limit` is over.
///
/// # Errors
/// The work's own; of kind `too-long` where the limit ended it.
pub(super) fn within<T>(
    limit: Option<Duration>,
    cancel: &Cancel,
    work: impl FnOnce(&Cancel) -> Result<T>,
) -> Result<T> {
    let Some(limit) = limit else { return work(cancel) };
    let stop = cancel.child();
    let (done, waits) = channel::<()>();
    let (result, late) = thread::scope(|scope| {
        let flag = stop.clone();
        let clock = scope.spawn(move || {
            let late = waits.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
            if late {
                flag.raise();
            }
            late
        });
        let result = work(&stop);
        drop(done);
        (result, clock.join().unwrap_or(false))
    });
    match result {
        Err(failure) if late && failure.exit == Exit::Cancelled && !cancel.is_raised() => Err(Failure::new(
            Exit::Failed,
            "too-long",
            format!(
                "the backup was not done after {} s and was stopped; nothing of it is left\n  hint: a longer \
                 --max-duration, more --jobs, or less to back up",
                limit.as_secs()
            ),
        )),
        other => other,
    }
}
