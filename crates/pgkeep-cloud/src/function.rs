//! Lambda functions.

use std::time::Duration;

use crate::account::Account;
use crate::call::Call;
use crate::error::{Asked, Result};

/// What an invocation answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoked {
    /// Whether the function failed: then the answer is its error.
    pub failed: bool,
    /// JSON.
    pub answer: String,
}

impl Account {
    /// Invokes a function and waits for its answer (`lambda:InvokeFunction`; Lambda API reference, "Invoke").
    ///
    /// # Errors
    /// Not allowed, not reached; `Throttled` where it did not begin, `Late` where it goes on without us.
    pub fn invoke(&self, function: &str, event: &str, within: Duration) -> Result<Invoked> {
        let asked = Asked {
            what: format!("function {function} in {}", self.region),
            action: "lambda:InvokeFunction",
        };
        let answer = self.call(
            asked,
            Call {
                service: "lambda",
                path: format!("/2015-03-31/functions/{function}/invocations"),
                headers: vec![
                    ("x-amz-invocation-type", "RequestResponse"),
                    ("content-type", "application/json"),
                ],
                body: event.to_owned(),
                within,
            },
        )?;
        Ok(Invoked { failed: answer.headers.contains_key("x-amz-function-error"), answer: answer.body })
    }
}
