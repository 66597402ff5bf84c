//! How a store is opened.

use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use std::fmt;
use std::time::Duration;

/// What the caller wants to decide about a store that its URL does not say.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Credentials to use instead of those found in the environment (S3 only).
    pub credentials: Option<Credentials>,
    /// How long a connection may take to come about. 5 s: a server that takes longer is not there.
    pub connect_timeout: Duration,
    /// How long one request may take, body included, before it is begun anew. It has to fit the largest
    /// part over the slowest line, hence the 5 min: 8 MiB at 30 KB/s.
    pub request_timeout: Duration,
    /// How long a request that fails is tried again: from its beginning, with growing, random pauses. 60 s
    /// outlasts the failover of a load balancer without making a wrong URL look like a hang.
    pub retry_budget: Duration,
    /// How often it is tried again at most.
    pub max_retries: usize,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions {
            credentials: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(300),
            retry_budget: Duration::from_secs(60),
            max_retries: 10,
        }
    }
}

/// A key and its secret. Shown, it shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key's id.
    pub access_key: String,
    /// The secret.
    pub secret_key: String,
    /// The token of temporary credentials.
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl OpenOptions {
    /// These options with the time that a store's URL names for trying again. A request with bytes may be tried for
    /// longer than that, since one try may; so the tries are as many as pauses of half their longest fill the time.
    pub(crate) fn with_retry_for(&self, time: Option<Duration>) -> OpenOptions {
        let Some(retry_budget) = time else { return self.clone() };
        let pauses = retry_budget.as_secs() / (BackoffConfig::default().max_backoff.as_secs() / 2).max(1);
        let max_retries = self.max_retries.saturating_add(usize::try_from(pauses).unwrap_or(usize::MAX));
        OpenOptions { retry_budget, max_retries, ..self.clone() }
    }

    /// How long a request without an object's bytes may take; also AWS's own answers to a listing of
    /// 1,000 objects come within a second or two.
    pub(crate) fn control_timeout(&self) -> Duration {
        self.request_timeout.min(Duration::from_secs(30))
    }

    /// The retry budget of requests that carry bytes: it counts from the first try's beginning, which
    /// may have lasted as long as a request may.
    pub(crate) fn data_budget(&self) -> Duration {
        self.request_timeout + self.retry_budget
    }

    pub(crate) fn client(&self, timeout: Duration) -> ClientOptions {
        ClientOptions::new().with_connect_timeout(self.connect_timeout).with_timeout(timeout)
    }

    pub(crate) fn retry(&self, retry_timeout: Duration) -> RetryConfig {
        RetryConfig { backoff: BackoffConfig::default(), max_retries: self.max_retries, retry_timeout }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_for_trying_again_is_filled_by_as_many_tries() {
        let default = OpenOptions::default();
        let long = default.with_retry_for(Some(Duration::from_secs(600)));
        assert_eq!(long.retry_budget, Duration::from_secs(600));
        assert!(long.max_retries >= default.max_retries + 600 / 15, "{long:?}");
        assert_eq!(default.with_retry_for(None).max_retries, default.max_retries);
    }
}
