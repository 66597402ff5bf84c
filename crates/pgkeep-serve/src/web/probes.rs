//! Is it alive, is it ready? For supervisors of containers, who don't sign in: a word, and no more.

use axum::http::StatusCode;

use super::site::Site;

/// The process answers.
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// The state can be read and orders are taken.
pub(super) fn ready(site: &Site) -> (StatusCode, &'static str) {
    match site.shared.history.mark("ready") {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the local state can't be read\n"),
    }
}
