//! Why a message was not taken.

use std::time::Duration;

/// A message that was not taken. Never holds a secret once it has left its [`Channel`](crate::Channel).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct SendError {
    /// Why.
    pub why: String,
    /// Whether another try can help.
    pub retry: Retry,
}

/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Never: the same message would be refused again.
    Never,
    /// Later.
    Later,
    /// Not before this time has passed; the other end said so.
    After(Duration),
}

impl SendError {
    pub(crate) fn never(why: impl Into<String>) -> SendError {
        SendError { why: why.into(), retry: Retry::Never }
    }

    pub(crate) fn later(why: impl Into<String>) -> SendError {
        SendError { why: why.into(), retry: Retry::Later }
    }
}

/// An error and its causes in one line; each only where the line does not say it yet.
pub(crate) fn chain(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut source = e.source();
    while let Some(e) = source {
        let more = e.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = e.source();
    }
    text
}
