//! The requests that `object_store` does not make, and how they are signed, sent and tried again.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use object_store::Error;
use object_store::aws::{AwsAuthorizer, AwsCredentialProvider};
use object_store::client::{HttpClient, HttpError, HttpRequest, HttpRequestBody};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::time::{Duration, Instant};

use crate::backend::object::error::unreachable;
use crate::error::{Result, StoreError};

/// What stays as it is in the path of a signed request
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A key as it stands in a path.
pub(super) fn in_path(key: &str) -> String {
    utf8_percent_encode(key, PATH).to_string()
}

/// A bucket, for requests of our own.
#[derive(Clone)]
pub(super) struct Requests {
    /// The store's URL, for errors.
    pub(super) shown: String,
    /// The bucket's URL at the server.
    pub(super) bucket_url: String,
    pub(super) region: String,
    pub(super) credentials: AwsCredentialProvider,
    /// For requests that are answered at once.
    pub(super) client: HttpClient,
    /// For requests that move an object's bytes within the server.
    pub(super) slow: HttpClient,
    /// How long the first answer may take.
    pub(super) patience: Duration,
    /// How long a request that fails is tried again, and how often at most.
    pub(super) retry_budget: Duration,
    pub(super) max_retries: usize,
}

/// One request.
#[derive(Debug, Clone, Default)]
pub(super) struct Ask {
    pub(super) method: Method,
    /// Empty for one about the bucket.
    pub(super) key: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) slow: bool,
}

/// The answer of a request that went well.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// Reads the body as XML; `what` it should be, for the error.
    pub(super) fn xml<T: serde::de::DeserializeOwned>(&self, what: &str) -> object_store::Result<T> {
        quick_xml::de::from_reader(self.body.as_ref())
            .map_err(|e| failed(format!("{what} cannot be read; the server may not speak S3: {e}")))
    }

    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// An error of the server or of what it says.
pub(super) fn failed(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Generic { store: "S3", source: cause.into() }
}

/// What one try came to.
enum Tried {
    Answer(StatusCode, Answer),
    Broken(HttpError),
}

impl Tried {
    /// Whether the same request may succeed in a moment.
    fn is_passing(&self) -> bool {
        match self {
            Tried::Answer(status, answer) => {
                matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
                    || status.is_server_error() && *status != StatusCode::NOT_IMPLEMENTED
                    || hides_failure(*status, answer)
            }
            Tried::Broken(_) => true,
        }
    }

    fn end(self, key: &str) -> object_store::Result<Answer> {
        let (status, answer) = match self {
            Tried::Answer(status, answer) => (status, answer),
            Tried::Broken(e) => return Err(failed(e)),
        };
        if status.is_success() && !hides_failure(status, &answer) {
            return Ok(answer);
        }
        let text = format!("status code: {status}: {}", String::from_utf8_lossy(&answer.body));
        match status {
            StatusCode::NOT_FOUND => Err(Error::NotFound { path: key.to_owned(), source: text.into() }),
            _ => Err(failed(text)),
        }
    }
}

/// A copy and a completion say 200 before they are done, and tell a failure in the body
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>).
fn hides_failure(status: StatusCode, answer: &Answer) -> bool {
    status.is_success() && answer.body.windows(7).take(512).any(|w| w == b"<Error>")
}

impl Requests {
    fn request(&self, ask: &Ask) -> Result<HttpRequest, http::Error> {
        let mut uri = self.bucket_url.clone();
        if !ask.key.is_empty() {
            uri.push('/');
            uri.push_str(&in_path(&ask.key));
        }
        for (i, (name, value)) in ask.query.iter().enumerate() {
            uri.push(if i == 0 { '?' } else { '&' });
            uri.push_str(&format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        }
        let mut request = http::Request::builder()
            .method(&ask.method)
            .uri(uri)
            .body(HttpRequestBody::from(ask.body.clone()))?;
        request.headers_mut().extend(ask.headers.clone());
        if ask.body.is_empty() && matches!(ask.method, Method::PUT | Method::POST) {
            // Some servers ask for it, and an empty body has none by itself.
            request.headers_mut().insert(http::header::CONTENT_LENGTH, http::HeaderValue::from_static("0"));
        }
        Ok(request)
    }

    async fn try_once(&self, ask: &Ask) -> object_store::Result<Tried> {
        let credential = self.credentials.get_credential().await?;
        let mut request = self.request(ask).map_err(failed)?;
        AwsAuthorizer::new(&credential, "s3", &self.region).try_authorize(&mut request, None)?;
        let client = if ask.slow { &self.slow } else { &self.client };
        let response = match client.execute(request).await {
            Ok(response) => response,
            Err(e) => return Ok(Tried::Broken(e)),
        };
        let (parts, body) = response.into_parts();
        Ok(match body.bytes().await {
            Ok(body) => Tried::Answer(parts.status, Answer { headers: parts.headers, body }),
            Err(e) => Tried::Broken(e),
        })
    }

    /// Signs and sends a request, again and again within the budget while it fails in a passing way.
    pub(super) async fn send(&self, ask: &Ask) -> object_store::Result<Answer> {
        let began = Instant::now();
        let mut tried = 0;
        loop {
            let outcome = self.try_once(ask).await?;
            if !outcome.is_passing() || began.elapsed() > self.retry_budget || tried >= self.max_retries {
                return outcome.end(&ask.key);
            }
            tokio::time::sleep(pause(tried)).await;
            tried += 1;
        }
    }

    /// Whether anybody is there. Any answer will do, also that this anonymous request is refused.
    pub(super) async fn reach(&self) -> Result<()> {
        let tries = async {
            let mut tried = 0;
            loop {
                let request = self.request(&Ask { method: Method::HEAD, ..Ask::default() }).map_err(|e| {
                    let hint = "check the endpoint and the bucket's name";
                    StoreError::new(StoreError::InvalidUrl, &self.shown, e, hint)
                })?;
                match self.client.execute(request).await {
                    Ok(_) => return Ok(()),
                    Err(e) if tried == 1 => return Err(unreachable(&self.shown, &self.bucket_url, &e)),
                    Err(_) => tokio::time::sleep(pause(tried)).await,
                }
                tried += 1;
            }
        };
        tokio::time::timeout(self.patience, tries).await.unwrap_or_else(|_| {
            Err(StoreError::new(
                StoreError::Unreachable,
                &self.shown,
                format_args!("no answer from {} within {:?}", self.bucket_url, self.patience),
                "check the endpoint and the network",
            ))
        })
    }
}

/// A random pause whose upper end doubles with every try, up to 15 s as in `object_store`.
fn pause(tried: usize) -> Duration {
    let up_to = (200u64 << tried.min(7)).min(15_000);
    Duration::from_millis(fastrand::u64(100..=up_to))
}
