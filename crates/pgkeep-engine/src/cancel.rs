//! One flag by which a run is asked to stop; every blocking wait of the engine looks at it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{EngineError, Result};

/// A shared request to stop. Cloning gives another handle on the same flag.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    parent: Option<Arc<Cancel>>,
}

impl Cancel {
    /// A flag that nobody has raised.
    pub fn new() -> Self {
        Cancel::default()
    }

    /// A flag of its own that also counts as raised when this one is: a run stops its workers by it without
    /// looking as if the user had asked.
    #[must_use]
    pub fn child(&self) -> Cancel {
        Cancel { flag: Arc::default(), parent: Some(Arc::new(self.clone())) }
    }

    /// The flag itself, for a signal handler.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.flag.clone()
    }

    /// Asks the run to stop.
    pub fn raise(&self) {
        self.flag.store(true, Ordering::SeqCst);
    }

    /// Whether the run was asked to stop.
    pub fn is_raised(&self) -> bool {
        self.flag.load(Ordering::Relaxed) || self.parent.as_ref().is_some_and(|p| p.is_raised())
    }

    /// An error of kind `Cancelled` once the flag is raised.
    pub fn check(&self) -> Result<()> {
        if self.is_raised() { Err(EngineError::cancelled()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_heard_by_all_below_and_nobody_above() {
        let top = Cancel::new();
        let middle = top.child();
        let bottom = middle.child();
        bottom.raise();
        assert!(bottom.is_raised() && !middle.is_raised());
        let other = middle.child();
        top.raise();
        assert!(middle.is_raised() && other.is_raised());
    }
}
