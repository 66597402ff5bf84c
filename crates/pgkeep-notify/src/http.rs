//! Requests to where messages go.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::RETRY_AFTER;
use reqwest::redirect::Policy;

use crate::error::{Retry, SendError, chain};
use crate::words::{cut, one_line};

/// Longest wait for a connection, and for the whole answer.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(20);
/// A wait that is longer than what the other end may ask for is cut to this.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// What is told of an answer.
const TOLD: usize = 300;

/// The client of one channel. Redirections are not followed: a POST would become a GET.
#[derive(Debug, Clone)]
pub(crate) struct Http(Client);

impl Http {
    pub(crate) fn new() -> Result<Http, String> {
        Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .redirect(Policy::none())
            .user_agent(concat!("pgkeep/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(Http)
            .map_err(|e| format!("HTTPS: {}", chain(&e)))
    }

    /// Posts a body; what the other end said.
    pub(crate) fn post(
        &self,
        url: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> Result<String, SendError> {
        let request = headers.iter().fold(self.0.post(url), |r, (name, value)| r.header(name, value));
        send(request.body(body))
    }

    /// Posts JSON; what the other end said.
    pub(crate) fn json(&self, url: &str, body: &serde_json::Value) -> Result<String, SendError> {
        send(self.0.post(url).json(body))
    }
}

fn send(request: RequestBuilder) -> Result<String, SendError> {
    let response = request.send().map_err(|e| SendError::later(chain(&e.without_url())))?;
    let (status, wait) = (response.status(), retry_after(&response));
    let said = one_line(&cut(&response.text().unwrap_or_default(), TOLD));
    let told = match said.is_empty() {
        true => status.to_string(),
        false => format!("{status}: {said}"),
    };
    let retry = match status {
        s if s.is_success() => return Ok(told),
        StatusCode::TOO_MANY_REQUESTS => wait.map_or(Retry::Later, Retry::After),
        StatusCode::REQUEST_TIMEOUT => Retry::Later,
        s if s.is_server_error() => wait.map_or(Retry::Later, Retry::After),
        _ => Retry::Never,
    };
    Err(SendError { why: format!("it answered {told}"), retry })
}

/// Seconds, or a date (RFC 9110, 10.2.3), of which only seconds are understood: the services all send those.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds: f64 = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().map(|wait| wait.min(LONGEST_WAIT))
}
