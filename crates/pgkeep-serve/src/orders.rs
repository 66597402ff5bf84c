//! What people ask of the daemon.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::run::RunId;

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

/// The end at which orders are given.
#[derive(Debug, Clone)]
pub struct Orders(Sender<Order>);

impl Orders {
    /// Both ends.
    pub fn new() -> (Orders, Inbox) {
        let (send, receive) = channel();
        (Orders(send), Inbox(receive))
    }

    /// Gives an order. `false` where the daemon has ended.
    pub fn give(&self, order: Order) -> bool {
        self.0.send(order).is_ok()
    }
}

/// The end at which they arrive.
#[derive(Debug)]
pub struct Inbox(Receiver<Order>);

impl Inbox {
    /// The next order, or nothing after this time.
    pub fn next(&self, wait: Duration) -> Option<Order> {
        match self.0.recv_timeout(wait) {
            Ok(order) => Some(order),
            Err(RecvTimeoutError::Timeout) => None,
            // All that could give orders are gone.
            Err(RecvTimeoutError::Disconnected) => Some(Order::End),
        }
    }
}
