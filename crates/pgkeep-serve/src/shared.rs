//! What the parts of the daemon share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;

use crate::fleet::Fleet;
use crate::history::History;
use crate::live::Live;
use crate::orders::Orders;

/// One for the whole daemon: the supervisor writes it, pages and metrics read it.
#[derive(Debug)]
pub struct Shared {
    /// Runs, recovery points, marks.
    pub history: History,
    /// How far running runs are.
    pub live: Live,
    /// Where orders are given.
    pub orders: Orders,
    /// When the daemon began.
    pub began: Timestamp,
    fleet: RwLock<Arc<Fleet>>,
    problems: Mutex<BTreeMap<String, String>>,
}

impl Shared {
    /// With the fleet that the daemon begins with.
    pub fn new(history: History, orders: Orders, fleet: Fleet, began: Timestamp) -> Shared {
        Shared {
            history,
            live: Live::default(),
            orders,
            began,
            fleet: RwLock::new(Arc::new(fleet)),
            problems: Mutex::default(),
        }
    }

    /// What is to be done now.
    pub fn fleet(&self) -> Arc<Fleet> {
        self.fleet.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over a configuration that was read anew.
    pub fn set_fleet(&self, fleet: Fleet) {
        *self.fleet.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fleet);
    }

    /// What is wrong with the daemon itself, in words for people: a configuration that could not be read anew, a store
    /// that does not answer.
    pub fn problems(&self) -> Vec<String> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Says what is wrong now about something, such as `configuration` or `store offsite`, or that nothing is.
    pub fn set_problem(&self, about: &str, problem: Option<String>) {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        match problem {
            Some(problem) => problems.insert(about.to_owned(), problem),
            None => problems.remove(about),
        };
    }
}
