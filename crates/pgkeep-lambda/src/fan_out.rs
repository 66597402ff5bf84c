//! An invocation for each database.
//!
//! Each is asked for its answer and waited for, within the time that this invocation has: so its failure is known, and the
//! caller's answer has all results. What is not over by then goes on without us, and is reported as unfinished.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, SystemTime};

use pgkeep_cloud::{Account, CloudErrorKind};
use serde_json::Value;

use crate::answer::Done;
use crate::event::{Ask, Part};

/// What is left of the time for the answer.
const RESERVE: Duration = Duration::from_secs(5);
/// Between tries of an invocation that the concurrency quota does not let begin.
const PAUSE: Duration = Duration::from_secs(2);

/// Where to, and how many at a time.
pub(crate) struct FanOut<'f> {
    /// The function's own name.
    pub(crate) function: &'f str,
    /// At most so many at a time.
    pub(crate) width: usize,
    /// The event, which each is given with the name of its database.
    pub(crate) event: &'f Value,
    /// When this invocation ends.
    pub(crate) deadline: SystemTime,
}

impl FanOut<'_> {
    /// Invokes the function for each; what became of them, in their order.
    pub(crate) fn run(&self, asks: &[Ask]) -> Vec<Done> {
        let account = Account::open(None);
        let one = |ask: &Ask| match &account {
            Ok(account) => self.invoke(account, ask),
            Err(e) => Done::failed(ask, "fan-out", &e.to_string()),
        };
        let waiting = Mutex::new(asks.iter().enumerate());
        let next = || waiting.lock().ok().and_then(|mut waiting| waiting.next());
        let mut done: Vec<(usize, Done)> = thread::scope(|scope| {
            let work = || std::iter::from_fn(next).map(|(i, ask)| (i, one(ask))).collect::<Vec<_>>();
            let workers: Vec<_> = (0..self.width.min(asks.len())).map(|_| scope.spawn(work)).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
        });
        done.sort_by_key(|(i, _)| *i);
        done.into_iter().map(|(_, done)| done).collect()
    }

    fn invoke(&self, account: &Account, ask: &Ask) -> Done {
        let part = Part { event: self.event, only: Some(&ask.name) }.to_event();
        loop {
            let left = self.deadline.duration_since(SystemTime::now()).unwrap_or_default();
            let Some(within) = left.checked_sub(RESERVE).filter(|left| !left.is_zero()) else {
                return Done::failed(
                    ask,
                    "no-time",
                    "its invocation did not come to begin in time\n  hint: a longer timeout of the function, or a greater \
                     PGKEEP_FAN_OUT",
                );
            };
            match account.invoke(self.function, &part, within) {
                Ok(invoked) => return Done::of_invocation(ask, &invoked),
                Err(e) if e.kind == CloudErrorKind::Throttled && within > PAUSE => thread::sleep(PAUSE),
                Err(e) if e.kind == CloudErrorKind::Late => {
                    let why = "its invocation was not over when this one's time ended; it goes on, and its own log tells \
                               how it ends\n  hint: invoke it by itself, or give the function a longer timeout";
                    return Done { told: true, ..Done::failed(ask, "unfinished", why) };
                }
                Err(e) => return Done::failed(ask, "fan-out", &e.to_string()),
            }
        }
    }
}
