//! The meanings of `object_store`'s errors.
//!
//! That crate tells missing objects and refused requests apart, but not a missing bucket from a missing
//! object, nor an unreachable server from one that answers badly. The codes that do are in the answers'
//! bodies: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.

use object_store::client::{HttpError, HttpErrorKind};
use std::error::Error as StdError;

use crate::error::StoreError;

/// What to look at when a store refuses.
fn credentials(url: &str) -> String {
    let from = match url.split_once("://").map(|(scheme, _)| scheme) {
        Some("az") => "AZURE_STORAGE_ACCOUNT_KEY and the like",
        Some("gs") => "GOOGLE_APPLICATION_CREDENTIALS",
        _ => "AWS_ACCESS_KEY_ID and the like, or profile=… in the URL",
    };
    format!("check the credentials ({from}) and what they are allowed to do with this bucket")
}

/// Gives the meaning of `e`, which came up at `url`.
pub(crate) fn meaning(url: &str, e: &object_store::Error) -> StoreError {
    let text = e.to_string();
    let code = tag(&text, "Code").or_else(|| plain_code(&text));
    let (make, hint) = by_code(url, code, &text)
        .or_else(|| by_transport(e))
        .or_else(|| by_status(url, &text))
        .unwrap_or_else(|| by_variant(url, e));
    let cause = cause(&text) + &root(e, &text);
    let cause: Vec<_> = cause.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    StoreError::new(make, url, cause.join("; "), hint)
}

/// The meaning of a request that got no answer from `place`, an endpoint without secrets in it.
pub(crate) fn unreachable(url: &str, place: &str, e: &HttpError) -> StoreError {
    let detail = format_args!("{place}: {}", innermost(e));
    StoreError::new(StoreError::Unreachable, url, detail, transport_hint(e.kind()))
}

type Meaning = (fn(Box<crate::error::Detail>) -> StoreError, String);

fn by_code(url: &str, code: Option<&str>, text: &str) -> Option<Meaning> {
    let region = || match tag(text, "Region") {
        Some(region) => format!("the bucket is in another region: put region={region} into the URL"),
        None => "the bucket is in another region: put region=… into the URL".to_owned(),
    };
    let meaning: Meaning = match code? {
        "NoSuchBucket" | "ContainerNotFound" => {
            (StoreError::BucketMissing, "create it, or check its name and the endpoint in the URL".into())
        }
        "NoSuchKey" | "BlobNotFound" | "NoSuchUpload" => (StoreError::NotFound, String::new()),
        "InvalidRange" => (StoreError::OutOfRange, "the object may have been cut short or replaced".into()),
        "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => {
            (StoreError::PermissionDenied, region())
        }
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "AuthenticationFailed" => {
            (StoreError::PermissionDenied, credentials(url))
        }
        "ExpiredToken" | "TokenRefreshRequired" => {
            (StoreError::PermissionDenied, "the credentials have expired: sign in again".into())
        }
        "RequestTimeTooSkewed" => {
            (StoreError::PermissionDenied, "this machine's clock is wrong: check its time service".into())
        }
        "AccessDenied" | "AllAccessDisabled" | "AuthorizationFailure" | "AccountProblem" => {
            (StoreError::PermissionDenied, credentials(url))
        }
        "QuotaExceeded" | "XMinioStorageFull" | "InsufficientCapacity" => {
            (StoreError::Full, "raise the quota or remove old backups".into())
        }
        "EntityTooLarge" => (StoreError::TooLarge, "the store takes no object of this size".into()),
        _ => return None,
    };
    Some(meaning)
}

fn by_transport(e: &object_store::Error) -> Option<Meaning> {
    let mut source: Option<&(dyn StdError + 'static)> = Some(e);
    while let Some(e) = source {
        if let Some(http) = e.downcast_ref::<HttpError>() {
            return Some((StoreError::Unreachable, transport_hint(http.kind()).into()));
        }
        source = e.source();
    }
    None
}

fn transport_hint(kind: HttpErrorKind) -> &'static str {
    match kind {
        HttpErrorKind::Connect => "check the endpoint, the network and, with https, the certificate",
        HttpErrorKind::Timeout => "the server did not answer in time: check the network, or try later",
        _ => "the connection broke: check the network, or try later",
    }
}

fn by_status(url: &str, text: &str) -> Option<Meaning> {
    if text.contains("Received redirect without LOCATION") {
        let hint = "the bucket is in another region: put region=… into the URL";
        return Some((StoreError::PermissionDenied, hint.into()));
    }
    let (_, status) = text.split_once("status code: ")?;
    match status.get(..3)?.parse().ok()? {
        507 => Some((StoreError::Full, "the server's disk is full".into())),
        500..=599 | 429 => Some((
            StoreError::Unreachable,
            "the server answers with errors or is overloaded: try later".into(),
        )),
        416 => Some((StoreError::OutOfRange, "the object may have been cut short or replaced".into())),
        401 | 403 => Some((StoreError::PermissionDenied, credentials(url))),
        // Also the answer to an access key that no key can look like.
        400 => Some((StoreError::Other, credentials(url) + ", the region and the endpoint")),
        _ => None,
    }
}

fn by_variant(url: &str, e: &object_store::Error) -> Meaning {
    use object_store::Error;
    match e {
        Error::NotFound { .. } => (StoreError::NotFound, String::new()),
        Error::AlreadyExists { .. } | Error::Precondition { .. } => {
            (StoreError::AlreadyExists, String::new())
        }
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            (StoreError::PermissionDenied, credentials(url))
        }
        Error::InvalidPath { .. } => (
            StoreError::Other,
            "another program's object has a name no folder could have: use a prefix".into(),
        ),
        _ => (StoreError::Other, String::new()),
    }
}

/// The innermost cause, where the text does not tell it: "connection refused" rather than "error sending
/// request".
fn root(e: &object_store::Error, text: &str) -> String {
    let root = innermost(e);
    if text.contains(&root) || root.contains('<') { String::new() } else { format!(": {root}") }
}

fn innermost(e: &(dyn StdError + 'static)) -> String {
    let mut innermost = e;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// The code in `… status code: 404 Not Found: ContainerNotFound: …`, as Azure's answers are shown.
fn plain_code(text: &str) -> Option<&str> {
    let code = text.split_once("status code: ")?.1.split(": ").nth(1)?.trim();
    code.bytes().all(|b| b.is_ascii_alphanumeric()).then_some(code)
}

/// What stands between `<name>` and `</name>`.
fn tag<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once("</")?.0)
}

/// The text of an error without the body of the answer, but with its code and message.
///
/// S3's answer to a wrong signature repeats the request it has computed, session token included.
fn cause(text: &str) -> String {
    let Some((before, _)) = text.split_once('<') else { return text.trim().to_owned() };
    let before = before.trim().trim_end_matches(':');
    match (tag(text, "Code"), tag(text, "Message")) {
        (Some(code), Some(message)) if !message.is_empty() => format!("{before}: {code}: {message}"),
        (Some(code), _) => format!("{before}: {code}"),
        _ => before.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> StoreError {
        let text = format!(
            "Error performing GET http://h/b/k in 1ms - Server returned non-2xx status code: 403 Forbidden: {body}"
        );
        meaning("s3://b/k", &object_store::Error::Generic { store: "S3", source: text.into() })
    }

    #[test]
    fn the_request_that_s3_repeats_never_gets_into_the_text() {
        let e = refused(
            "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>It differs.</Message>\
             <CanonicalRequest>x-amz-security-token:hunter2</CanonicalRequest></Error>",
        );
        assert!(matches!(e, StoreError::PermissionDenied(_)), "{e}");
        assert!(e.to_string().contains("SignatureDoesNotMatch: It differs."), "{e}");
        assert!(!format!("{e:?} {e}").contains("hunter2"), "{e:?}");
    }

    #[test]
    fn another_region_is_named_with_what_to_put_into_the_url() {
        let e = refused("<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>");
        assert!(e.hint().contains("region=eu-west-1"), "{e}");
    }

    #[test]
    fn a_request_refused_as_malformed_points_to_the_credentials() {
        let text = "Server returned non-2xx status code: 400 Bad Request: ";
        let e = meaning("s3://b/k", &object_store::Error::Generic { store: "S3", source: text.into() });
        assert!(e.hint().contains("AWS_ACCESS_KEY_ID") && e.hint().contains("endpoint"), "{e}");
    }

    #[test]
    fn azures_plain_codes_are_understood() {
        let e = refused("ContainerNotFound: The specified container does not exist.\nRequestId:1");
        assert!(matches!(e, StoreError::BucketMissing(_)), "{e}");
    }

    #[test]
    fn a_missing_bucket_is_no_missing_object() {
        let e = refused("<Error><Code>NoSuchBucket</Code></Error>");
        assert!(matches!(e, StoreError::BucketMissing(_)), "{e}");
    }
}
