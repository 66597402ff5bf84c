//! What AWS refused, and what to do about it.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloudErrorKind {
    /// No credentials, or such as AWS does not accept.
    Credentials,
    /// The credentials do not allow the action.
    Denied,
    /// There is nothing of that name.
    NotFound,
    /// What was named is of the wrong kind or in the wrong state, or the words for it make no sense.
    Unfit,
    /// Something of this name is there already.
    Exists,
    /// It is in a state that passes, and in which this cannot be done.
    Busy,
    /// AWS takes no more requests at present, or has no room at present.
    Throttled,
    /// The account may have no more of it.
    Quota,
    /// A key of KMS cannot be used.
    Key,
    /// AWS could not be reached.
    Unreachable,
    /// It was begun, and its answer did not come in time.
    Late,
    /// Anything else.
    Other,
}

/// An error as people meet it: what failed, why, and what to do next. Never holds a secret.
#[derive(Debug, Clone)]
pub struct CloudError {
    /// The class, for decisions.
    pub kind: CloudErrorKind,
    /// What was asked for, and of whom.
    pub what: String,
    /// Why it failed, as far as known.
    pub why: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// Result of everything in this crate.
pub type Result<T, E = CloudError> = std::result::Result<T, E>;

impl CloudError {
    pub(crate) fn new(kind: CloudErrorKind, what: impl Into<String>, why: impl Into<String>) -> Self {
        CloudError { kind, what: what.into(), why: why.into(), hint: None }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl StdError for CloudError {}

/// One request, for the words about its failure.
pub(crate) struct Asked<'a> {
    /// Such as `secret prod/pg in eu-central-1`.
    pub(crate) what: String,
    /// The IAM action that allows it.
    pub(crate) action: &'a str,
}

impl Asked<'_> {
    /// What the SDK's error means. Codes: the services' API references, "Common Errors" and each operation's "Errors".
    pub(crate) fn failed<E>(&self, e: &SdkError<E, HttpResponse>) -> CloudError
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        if let Some(source) = credentials_error(e) {
            return no_credentials(&self.what, source);
        }
        // Proxies and endpoint policies refuse in forms of their own.
        let forbidden = e.raw_response().is_some_and(|r| r.status().as_u16() == 403);
        let Some(code) = e.code().or(forbidden.then_some("AccessDenied")) else {
            return self.unreachable(e);
        };
        self.refused(code, e.message().unwrap_or("no reason given"))
    }

    pub(crate) fn unreachable(&self, e: &dyn StdError) -> CloudError {
        CloudError::new(CloudErrorKind::Unreachable, &self.what, chain(e))
            .hint("check the network, the region and AWS_ENDPOINT_URL")
    }

    /// What a service's error code means.
    pub(crate) fn refused(&self, code: &str, said: &str) -> CloudError {
        let new = |kind| CloudError::new(kind, &self.what, format!("{said} ({code})"));
        match code {
            "AccessDenied" | "AccessDeniedException" | "AuthorizationError" | "AuthorizationErrorException" | "UnauthorizedOperation" | "NotAuthorized" => {
                new(CloudErrorKind::Denied).hint(format!(
                    "allow {} on it in the IAM policy of whoever runs pgkeep (for a key of KMS kms:Decrypt too)",
                    self.action
                ))
            }
            "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "IncompleteSignature"
            | "MissingAuthenticationToken" => new(CloudErrorKind::Credentials)
                .hint("the AWS credentials are wrong or expired: `aws sts get-caller-identity` tells whose they are"),
            code if is_about_key(code) => new(CloudErrorKind::Key).hint(
                "the key must be enabled and in the region where it is used, and whoever runs pgkeep needs kms:CreateGrant, \
                 kms:DescribeKey, kms:Decrypt and kms:GenerateDataKeyWithoutPlaintext on it, in its policy too if it is another account's",
            ),
            code if is_quota(code) => new(CloudErrorKind::Quota).hint(
                "delete what is not needed any more (`pgkeep rds snapshot prune`), or ask for more in AWS's Service Quotas",
            ),
            code if is_throttling(code) => new(CloudErrorKind::Throttled)
                .hint("try again later; schedules that do not begin at the same minute help"),
            code if code.contains("AlreadyExists") => new(CloudErrorKind::Exists).hint("take another name"),
            code if code.starts_with("Invalid") && code.trim_end_matches("Fault").ends_with("State") => {
                new(CloudErrorKind::Busy).hint("wait until what it does now is over")
            }
            "ResourceNotFoundException"
            | "NotFound"
            | "NotFoundException"
            | "ParameterNotFound"
            | "ParameterVersionNotFound"
            | "ClusterNotFoundException"
            | "DBInstanceNotFound"
            | "DBInstanceNotFoundFault"
            | "DBClusterNotFoundFault"
            | "DBSnapshotNotFound"
            | "DBClusterSnapshotNotFoundFault"
            | "DBSubnetGroupNotFoundFault"
            | "DBParameterGroupNotFound"
            | "DBClusterParameterGroupNotFound"
            | "ExportTaskNotFound"
            | "NoSuchEntity" => new(CloudErrorKind::NotFound).hint(
                "check the name, the region, and with `aws sts get-caller-identity` that the credentials are of the right account",
            ),
            _ => new(CloudErrorKind::Other),
        }
    }
}

/// The names by which services tell of keys (RDS API reference, the operations' "Errors"; KMS API reference).
fn is_about_key(code: &str) -> bool {
    code.starts_with("KMS") || code.starts_with("Kms")
}

fn is_quota(code: &str) -> bool {
    code.contains("QuotaExceeded") || code.contains("LimitExceeded") && code != "RequestLimitExceeded"
}

/// What the SDK takes for throttling, too (aws-runtime, `retries/classifiers.rs`), and RDS's words for a lack of machines.
fn is_throttling(code: &str) -> bool {
    code.starts_with("Throttl")
        || code.starts_with("Insufficient") && code.contains("Capacity")
        || ["TooManyRequestsException", "RequestLimitExceeded", "RequestThrottled", "SlowDown"]
            .contains(&code)
}

/// Without credentials nothing is asked at all.
pub(crate) fn no_credentials(what: &str, e: &(dyn StdError + 'static)) -> CloudError {
    CloudError::new(CloudErrorKind::Credentials, what, format!("no usable AWS credentials: {}", chain(e)))
        .hint("set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role")
}

fn credentials_error<'e>(e: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    let mut next = Some(e);
    while let Some(e) = next {
        if e.is::<CredentialsError>() {
            return Some(e);
        }
        next = e.source();
    }
    None
}

/// An error and its causes in one line.
fn chain(e: &dyn StdError) -> String {
    let mut text = e.to_string();
    let mut source = e.source();
    while let Some(e) = source {
        text.push_str(": ");
        text.push_str(&e.to_string());
        source = e.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    fn told(code: &str) -> CloudError {
        let said = ErrorMetadata::builder().code(code).message("because").build();
        let response = HttpResponse::new(StatusCode::try_from(400).unwrap(), SdkBody::empty());
        let e = SdkError::service_error(GetSecretValueError::generic(said), response);
        Asked { what: "secret x".into(), action: "secretsmanager:GetSecretValue" }.failed(&e)
    }

    #[test]
    fn a_refusal_names_the_action_and_wrong_credentials_are_told_apart() {
        let e = told("AccessDeniedException");
        assert_eq!(e.kind, CloudErrorKind::Denied);
        let text = e.to_string();
        assert!(text.contains("because") && text.contains("secretsmanager:GetSecretValue"), "{text}");
        assert_eq!(told("ExpiredTokenException").kind, CloudErrorKind::Credentials);
        assert_eq!(told("InternalFailure").kind, CloudErrorKind::Other);
    }

    #[test]
    fn every_class_of_rds_is_told_apart_and_says_what_to_do() {
        use CloudErrorKind::{Busy, Exists, Key, NotFound, Quota, Throttled};
        for (code, kind) in [
            ("DBSnapshotAlreadyExists", Exists),
            ("DBClusterSnapshotAlreadyExistsFault", Exists),
            ("InvalidDBInstanceState", Busy),
            ("InvalidDBClusterStateFault", Busy),
            ("InvalidDBSnapshotState", Busy),
            ("SnapshotQuotaExceeded", Quota),
            ("InstanceQuotaExceeded", Quota),
            ("DBClusterQuotaExceededFault", Quota),
            ("KMSKeyNotAccessibleFault", Key),
            ("Throttling", Throttled),
            ("RequestLimitExceeded", Throttled),
            ("InsufficientDBInstanceCapacity", Throttled),
            ("DBSnapshotNotFound", NotFound),
            ("DBClusterSnapshotNotFoundFault", NotFound),
        ] {
            let e = told(code);
            assert_eq!(e.kind, kind, "{code}");
            assert!(e.hint.is_some(), "{code}");
        }
    }
}
