//! Single requests to services of which pgkeep needs one call only: an SDK for each would be megabytes of code.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::Value;

use crate::account::Account;
use crate::error::{Asked, CloudError, CloudErrorKind, Result, no_credentials};
use crate::runtime;

/// A POST to a service.
pub(crate) struct Call {
    /// The service's name in host names and signatures, such as `lambda`.
    pub(crate) service: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: String,
    /// The longest wait for the answer.
    pub(crate) within: Duration,
}

/// What was answered, with success.
pub(crate) struct Answer {
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Account {
    /// Sends it once: whether it may be sent again is the caller's to know.
    pub(crate) fn call(&self, asked: Asked<'static>, call: Call) -> Result<Answer> {
        let url = format!("{}{}", self.endpoint(call.service), call.path);
        let (sdk, region) = (self.sdk.clone(), self.region.clone());
        runtime::run(async move {
            let other = |e: &dyn std::fmt::Display| {
                CloudError::new(CloudErrorKind::Other, &asked.what, format!("signing the request: {e}"))
            };
            let provider = sdk.credentials_provider().ok_or_else(|| other(&"no credentials"))?;
            let identity =
                provider.provide_credentials().await.map_err(|e| no_credentials(&asked.what, &e))?.into();
            let parameters = v4::SigningParams::builder()
                .identity(&identity)
                .region(&region)
                .name(call.service)
                .time(SystemTime::now())
                .settings(SigningSettings::default())
                .build()
                .map_err(|e| other(&e))?;
            let signed = SignableRequest::new(
                "POST",
                &url,
                call.headers.iter().copied(),
                SignableBody::Bytes(call.body.as_bytes()),
            )
            .and_then(|request| sign(request, &parameters.into()))
            .map_err(|e| other(&e))?;
            let mut request = reqwest::Client::new().post(&url).timeout(call.within);
            for (name, value) in call.headers.iter().copied().chain(signed.output().headers()) {
                request = request.header(name, value);
            }
            let unanswered = |e: reqwest::Error| unanswered(&asked, &e);
            let response = request.body(call.body).send().await.map_err(unanswered)?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = response.text().await.map_err(unanswered)?;
            if status.is_success() {
                Ok(Answer { headers, body })
            } else {
                Err(refused(&asked, &headers, &body))
            }
        })
    }

    /// Where a service is: `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, or AWS's own (AWS SDKs and Tools Reference
    /// Guide, "Service-specific endpoints").
    fn endpoint(&self, service: &str) -> String {
        let given = std::env::var(format!("AWS_ENDPOINT_URL_{}", service.to_uppercase())).ok();
        let given = given.or_else(|| self.sdk.endpoint_url().map(Into::into));
        let domain = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let url = given.unwrap_or_else(|| format!("https://{service}.{}.{domain}", self.region));
        url.trim_end_matches('/').to_owned()
    }
}

fn unanswered(asked: &Asked<'_>, e: &reqwest::Error) -> CloudError {
    if e.is_timeout() && !e.is_connect() {
        return CloudError::new(CloudErrorKind::Late, &asked.what, "no answer came in time");
    }
    asked.unreachable(e)
}

/// The code is in a header or in the body (Smithy, "AWS restJson1 protocol" and "AWS JSON 1.1 protocol", "Operation error
/// serialization").
fn refused(asked: &Asked<'_>, headers: &reqwest::header::HeaderMap, body: &str) -> CloudError {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let word = |names: [&str; 2]| names.into_iter().find_map(|name| body[name].as_str());
    let code = headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    let code = code.or_else(|| word(["__type", "Code"])).unwrap_or("no code");
    let code = code.split(':').next().unwrap_or(code).rsplit('#').next().unwrap_or(code);
    asked.refused(code, word(["message", "Message"]).unwrap_or("no reason given"))
}
