//! One request and its answer.

use std::future::Future;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::error::{Asked, CloudError, CloudErrorKind, Result};
use crate::runtime;

/// Sends a request and waits for its answer.
pub(crate) fn answer<T, E>(
    asked: Asked<'static>,
    request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'static,
) -> Result<T>
where
    T: Send + 'static,
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    runtime::run(async move { request.await.map_err(|e| asked.failed(&e)) })
}

/// An answer of AWS that lacks what its reference promises.
pub(crate) fn empty(asked: &Asked<'_>) -> CloudError {
    CloudError::new(CloudErrorKind::Other, &asked.what, "AWS's answer says nothing of it")
}

/// Nothing found is no failure.
pub(crate) fn found<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(e) if e.kind == CloudErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

pub(crate) fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

pub(crate) fn some(value: Option<&str>) -> Option<String> {
    value.filter(|v| !v.is_empty()).map(str::to_owned)
}
