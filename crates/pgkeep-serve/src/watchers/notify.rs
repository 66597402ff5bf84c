//! People, by their channels.

use std::sync::{Arc, Weak};
use std::time::Duration;

use pgkeep_notify::{Event, EventKind, Notifications};

use crate::history::RunFilter;
use crate::run::{RunId, RunState};
use crate::shared::Shared;
use crate::watch::Watcher;

/// The longest wait for messages that are not delivered when the daemon ends.
const LAST_TRY: Duration = Duration::from_secs(10);

/// Tells the channels of events.
pub struct Notifier {
    notifications: Arc<Notifications>,
    shared: Weak<Shared>,
}

impl Notifier {
    /// With these channels; the history tells which failure is the first of a row.
    pub fn new(notifications: Arc<Notifications>, shared: &Arc<Shared>) -> Notifier {
        Notifier { notifications, shared: Arc::downgrade(shared) }
    }

    /// Whether the run before the event's had not failed.
    fn is_first(&self, event: &Event) -> bool {
        let (Some(shared), Some(id)) = (self.shared.upgrade(), &event.run) else { return true };
        let before = shared.history.run(&RunId(id.clone())).ok().flatten().and_then(|run| {
            let filter =
                RunFilter { task: Some(&run.task), over: Some(true), limit: 50, ..RunFilter::default() };
            let mut runs = shared.history.runs(&filter).ok()?;
            // By their ends: after a restart two runs can be of the same time, and ids tell seconds only.
            runs.retain(|other| {
                other.state != RunState::Skipped && other.id != run.id && other.finished <= run.finished
            });
            runs.sort_by_key(|other| std::cmp::Reverse(other.finished));
            // The tries before this one belong to it.
            runs.into_iter().nth(run.attempt.saturating_sub(1) as usize)
        });
        before.is_none_or(|before| before.state != RunState::Failed)
    }
}

impl Watcher for Notifier {
    fn happened(&self, event: &Event) {
        let first = event.kind != EventKind::Failure || self.is_first(event);
        self.notifications.tell(event, first);
    }

    fn end(&self) {
        for lost in self.notifications.finish(Duration::ZERO, LAST_TRY) {
            tracing::error!("{lost}");
        }
    }
}
