//! What can go wrong with a store, by meaning rather than by protocol.
//!
//! Callers decide on the variant ("is there nothing under this name?"), people read the text. Each error
//! carries the URL it is about, the cause in the store's own words, and a hint of what to do next. None
//! carries a secret: bodies of refused requests, which S3 fills with the canonical request including
//! session tokens, are cut down to their code and message before they come here.

use std::fmt;

/// A result of a store operation.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// An error of a store, by meaning.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no object under this key.
    NotFound(Box<Detail>),
    /// There is an object under this key already, and it was to be absent.
    AlreadyExists(Box<Detail>),
    /// The store refused: wrong, expired or missing credentials, or a missing right.
    PermissionDenied(Box<Detail>),
    /// The bucket or container does not exist.
    BucketMissing(Box<Detail>),
    /// The store could not be reached, or stopped answering, until the time budget was used up.
    Unreachable(Box<Detail>),
    /// The disk or the quota is full.
    Full(Box<Detail>),
    /// The store's URL, or a key within it, cannot be used.
    InvalidUrl(Box<Detail>),
    /// The object is larger than the store, or the plan of its upload, allows.
    TooLarge(Box<Detail>),
    /// The bytes asked for begin behind the end of the object.
    OutOfRange(Box<Detail>),
    /// An Object Lock keeps the object from being deleted.
    Locked(Box<Detail>),
    /// The store does not have what is asked for: no Object Lock, no server-side copy from there.
    Unsupported(Box<Detail>),
    /// The store took an object and did not do with it what was asked: encrypt or lock it, keep its bytes.
    Unkept(Box<Detail>),
    /// The work was broken off before it was done; nothing was committed.
    Interrupted(Box<Detail>),
    /// The run was asked to stop ([`interrupt_reads`](crate::interrupt_reads)).
    Stopped(Box<Detail>),
    /// Anything else, with the store's own words as the cause.
    Other(Box<Detail>),
}

/// What an error is about: the URL, the cause and what to do next.
#[derive(Debug)]
pub struct Detail {
    pub(crate) url: String,
    pub(crate) cause: String,
    hint: String,
}

type Make = fn(Box<Detail>) -> StoreError;

impl StoreError {
    /// Builds an error from a variant, the URL it is about, the cause and a hint (which may be empty).
    pub(crate) fn new(
        make: Make,
        url: impl Into<String>,
        cause: impl fmt::Display,
        hint: impl Into<String>,
    ) -> StoreError {
        make(Box::new(Detail { url: url.into(), cause: cause.to_string(), hint: hint.into() }))
    }

    /// The detail all variants carry, and the words for the variant.
    fn parts(&self) -> (&'static str, &Detail) {
        match self {
            StoreError::NotFound(d) => ("not found", d),
            StoreError::AlreadyExists(d) => ("already exists", d),
            StoreError::PermissionDenied(d) => ("permission denied", d),
            StoreError::BucketMissing(d) => ("the bucket does not exist", d),
            StoreError::Unreachable(d) => ("the store cannot be reached", d),
            StoreError::Full(d) => ("no space left", d),
            StoreError::InvalidUrl(d) => ("not usable as a store", d),
            StoreError::TooLarge(d) => ("too large", d),
            StoreError::OutOfRange(d) => ("behind the end of the object", d),
            StoreError::Locked(d) => ("locked", d),
            StoreError::Unsupported(d) => ("not possible here", d),
            StoreError::Unkept(d) => ("the store did not do as it was asked", d),
            StoreError::Interrupted(d) => ("interrupted", d),
            StoreError::Stopped(d) => ("stopped", d),
            StoreError::Other(d) => ("failed", d),
        }
    }

    /// The URL of the object or store the error is about.
    pub fn url(&self) -> &str {
        &self.parts().1.url
    }

    /// The cause in the words of the system that refused.
    pub fn cause(&self) -> &str {
        &self.parts().1.cause
    }

    /// What to do next, or `""`.
    pub fn hint(&self) -> &str {
        &self.parts().1.hint
    }

    /// Whether the same call may succeed later without anybody changing anything.
    ///
    /// The store has already tried again for as long as its time budget allowed; this is for callers
    /// with a schedule of their own, such as a nightly run that can wait an hour.
    pub fn is_retryable(&self) -> bool {
        matches!(self, StoreError::Unreachable(_) | StoreError::Interrupted(_))
    }

    /// Whether this is [`StoreError::NotFound`].
    pub fn is_not_found(&self) -> bool {
        matches!(self, StoreError::NotFound(_))
    }

    /// Whether this is [`StoreError::AlreadyExists`].
    pub fn is_already_exists(&self) -> bool {
        matches!(self, StoreError::AlreadyExists(_))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (meaning, detail) = self.parts();
        write!(f, "{}: {meaning}", detail.url)?;
        if !detail.cause.is_empty() {
            write!(f, ": {}", detail.cause)?;
        }
        if !detail.hint.is_empty() {
            write!(f, " ({})", detail.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for StoreError {}
