//! Pages. Each file has one, made of what is known at the moment it is asked for.

pub(super) mod backup;
pub(super) mod calendar;
pub(super) mod database;
pub(super) mod drill;
mod forms;
mod layout;
pub(super) mod overview;
mod progress;
pub(super) mod restore;
mod result;
pub(super) mod run;
pub(super) mod runs;
pub(super) mod sign_in;
mod spark;
mod words;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::Markup;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pgkeep_keep::KeepError;
use pgkeep_store::StoreError;

use crate::error::ServeError;
pub(super) use layout::plain;

/// A page, or why there is none.
pub(super) type Answer = Result<Markup, Failed>;

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Failed {
    /// The request makes no sense.
    Bad(String),
    /// What is asked for does not exist.
    NotFound(String),
    /// Not now.
    Unavailable(String),
    /// Something failed here.
    Internal(String),
}

impl From<ServeError> for Failed {
    fn from(e: ServeError) -> Failed {
        Failed::Internal(e.to_string())
    }
}

impl From<KeepError> for Failed {
    fn from(e: KeepError) -> Failed {
        match e {
            KeepError::NoSuchBackup { .. } => Failed::NotFound(e.to_string()),
            e => Failed::Internal(e.to_string()),
        }
    }
}

impl From<StoreError> for Failed {
    fn from(e: StoreError) -> Failed {
        Failed::from(KeepError::from(e))
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let (status, title, why) = match &self {
            Failed::Bad(why) => (StatusCode::BAD_REQUEST, "That makes no sense", why),
            Failed::NotFound(why) => (StatusCode::NOT_FOUND, "Not found", why),
            Failed::Unavailable(why) => (StatusCode::SERVICE_UNAVAILABLE, "Not now", why),
            Failed::Internal(why) => (StatusCode::INTERNAL_SERVER_ERROR, "That failed", why),
        };
        (status, plain(title, why)).into_response()
    }
}

/// What may stand in a URL as it is (RFC 3986, section 2.3).
pub(super) const UNRESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path of these segments.
pub(super) fn path(segments: &[&str]) -> String {
    segments.iter().map(|s| format!("/{}", utf8_percent_encode(s, UNRESERVED))).collect()
}
