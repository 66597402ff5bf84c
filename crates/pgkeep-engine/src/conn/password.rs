//! A password, or the way to one.

use std::fmt;
use std::sync::Arc;

use crate::error::Result;

/// What gives a password when a connection is opened.
pub type Ask = dyn Fn() -> Result<String> + Send + Sync;

/// A password, never shown.
#[derive(Clone)]
pub enum Password {
    /// The password itself.
    Text(String),
    /// Asked for each new connection: tokens such as those of RDS live for minutes, a backup for hours.
    Ask(Arc<Ask>),
}

impl Password {
    /// The password for a connection that is opened now.
    ///
    /// # Errors
    /// What the asked one says.
    pub fn get(&self) -> Result<String> {
        match self {
            Password::Text(text) => Ok(text.clone()),
            Password::Ask(ask) => ask(),
        }
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Password::Text(text)
    }
}

/// Equal texts, or the very same source.
impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Password::Text(a), Password::Text(b)) => a == b,
            (Password::Ask(a), Password::Ask(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}
