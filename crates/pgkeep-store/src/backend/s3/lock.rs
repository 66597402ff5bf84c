//! Object Lock: asking whether a bucket has it, and locking what is there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sha2::{Digest, Sha256};

use super::requests::{Answer, Ask, Requests};
use crate::lock::{Lock, LockMode, Retention};

const MODE: HeaderName = HeaderName::from_static("x-amz-object-lock-mode");
const UNTIL: HeaderName = HeaderName::from_static("x-amz-object-lock-retain-until-date");
const HOLD: HeaderName = HeaderName::from_static("x-amz-object-lock-legal-hold");

/// The headers that lock what is put, or what a multipart upload becomes.
pub(super) fn headers(lock: &Lock) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(Retention { mode, until }) = lock.retention
        && let Ok(until) = HeaderValue::from_str(&until.to_string())
    {
        headers.insert(MODE, HeaderValue::from_static(mode.in_s3()));
        headers.insert(UNTIL, until);
    }
    if lock.legal_hold {
        headers.insert(HOLD, HeaderValue::from_static("ON"));
    }
    headers
}

/// The lock that an answer to HEAD tells of. One who may not see locks is told of none.
pub(super) fn of_answer(answer: &Answer) -> Lock {
    let mode = match answer.header(MODE.as_str()) {
        Some("GOVERNANCE") => Some(LockMode::Governance),
        Some("COMPLIANCE") => Some(LockMode::Compliance),
        _ => None,
    };
    let until = answer.header(UNTIL.as_str()).and_then(|t| t.parse().ok());
    Lock {
        retention: mode.zip(until).map(|(mode, until)| Retention { mode, until }),
        legal_hold: answer.header(HOLD.as_str()) == Some("ON"),
    }
}

/// Whether the bucket was made with Object Lock; see
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLockConfiguration.html>.
pub(super) async fn is_enabled(requests: &Requests) -> object_store::Result<bool> {
    let query = vec![("object-lock", String::new())];
    match requests.send(&Ask { method: Method::GET, query, ..Ask::default() }).await {
        Ok(answer) => Ok(answer.body.windows(9).any(|w| w == b">Enabled<")),
        Err(e) => {
            let text = e.to_string();
            match ["ObjectLockConfigurationNotFound", "NotImplemented", "MethodNotAllowed", "501 "]
                .iter()
                .any(|code| text.contains(code))
            {
                true => Ok(false),
                false => Err(e),
            }
        }
    }
}

async fn put(requests: &Requests, key: &str, what: &'static str, xml: String) -> object_store::Result<()> {
    let mut headers = HeaderMap::new();
    // Both are asked for a checksum of their body.
    if let Ok(sum) = HeaderValue::from_str(&BASE64.encode(Sha256::digest(&xml))) {
        headers.insert("x-amz-checksum-sha256", sum);
    }
    let ask = Ask {
        method: Method::PUT,
        key: key.to_owned(),
        query: vec![(what, String::new())],
        headers,
        body: Bytes::from(xml),
        slow: false,
    };
    requests.send(&ask).await.map(drop)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectRetention.html>
pub(super) async fn retain(
    requests: &Requests,
    key: &str,
    retention: &Retention,
) -> object_store::Result<()> {
    let Retention { mode, until } = retention;
    let xml = format!(
        "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>{}</Mode>\
         <RetainUntilDate>{until}</RetainUntilDate></Retention>",
        mode.in_s3()
    );
    put(requests, key, "retention", xml).await
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLegalHold.html>
pub(super) async fn set_legal_hold(requests: &Requests, key: &str, on: bool) -> object_store::Result<()> {
    let status = if on { "ON" } else { "OFF" };
    let xml = format!(
        "<LegalHold xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>{status}</Status></LegalHold>"
    );
    put(requests, key, "legal-hold", xml).await
}
