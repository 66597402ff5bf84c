//! What people ask of the daemon.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use pgkeep_keep::Lease;

use crate::run::RunId;
use crate::supervisor::Outcome;

/// One thing asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Run a task now. Further words go to the command, such as `--backup <id>` for a drill of one backup.
    Run {
        /// The id that the run is to have.
        run: RunId,
        /// The task's id.
        task: String,
        /// Words after the task's own.
        words: Vec<String>,
        /// Who asks.
        by: String,
    },
    /// Stop a run.
    Stop {
        /// Which.
        run: RunId,
        /// Who asks.
        by: String,
    },
    /// Read the configuration anew.
    Reload {
        /// Who asks.
        by: String,
    },
    /// End: begin nothing more, let what runs come to its end or stop it after the grace time.
    End,
}

/// What the supervisor hears of: orders, and what its own threads report.
#[derive(Debug)]
pub(crate) enum Word {
    Order(Order),
    /// A run may begin, under this lease where one could be had, or need not.
    Cleared(RunId, Result<Option<Lease>, Outcome>),
    /// A run's process has ended.
    Ended(RunId, Outcome),
    /// Stores were looked at.
    Surveyed,
}

/// The end at which orders are given.
#[derive(Debug, Clone)]
pub struct Orders(Sender<Word>);

impl Orders {
    /// Both ends.
    pub fn new() -> (Orders, Inbox) {
        let (send, receive) = channel();
        (Orders(send), Inbox(receive))
    }

    /// Gives an order. `false` where the daemon has ended.
    pub fn give(&self, order: Order) -> bool {
        self.0.send(Word::Order(order)).is_ok()
    }

    /// Reports to the supervisor.
    pub(crate) fn report(&self, word: Word) {
        // A supervisor that has ended wants to know of nothing.
        let _ = self.0.send(word);
    }
}

/// The end at which they arrive.
#[derive(Debug)]
pub struct Inbox(Receiver<Word>);

impl Inbox {
    /// The next order, or nothing after this time.
    pub fn next(&self, wait: Duration) -> Option<Order> {
        match self.hear(wait) {
            Some(Word::Order(order)) => Some(order),
            _ => None,
        }
    }

    pub(crate) fn hear(&self, wait: Duration) -> Option<Word> {
        match self.0.recv_timeout(wait) {
            Ok(word) => Some(word),
            Err(RecvTimeoutError::Timeout) => None,
            // All that could give orders are gone.
            Err(RecvTimeoutError::Disconnected) => Some(Word::Order(Order::End)),
        }
    }
}
