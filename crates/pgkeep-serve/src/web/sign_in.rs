//! Signing in with a password, and out.

use std::sync::Arc;

use axum::Form;
use axum::extract::{ConnectInfo, Extension, Query, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::Deserialize;

use super::connections::Peer;
use super::pages;
use super::router::answer;
use super::sessions::{Account, LIFETIME};
use super::site::{Site, Visitor};

/// Where to go once signed in.
#[derive(Debug, Deserialize)]
pub(super) struct Going {
    pub(super) next: Option<String>,
}

/// What the form carries.
#[derive(Deserialize)]
pub(super) struct Fields {
    user: String,
    password: String,
    next: Option<String>,
}

/// The form.
pub(super) async fn page(State(site): State<Arc<Site>>, Query(going): Query<Going>) -> Response {
    match site.asks_who() {
        false => Redirect::to("/").into_response(),
        true => pages::sign_in::show(&site, own_path(going.next.as_deref()), None).into_response(),
    }
}

/// Looks at name and password.
pub(super) async fn sign_in(
    State(site): State<Arc<Site>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    // Hashing takes its time and memory, so it is done where few can be at it.
    answer(site, move |site| Ok(attempt(site, peer, &headers, &fields))).await
}

fn attempt(site: &Site, peer: std::net::SocketAddr, headers: &HeaderMap, fields: &Fields) -> Response {
    let (now, address) = (Timestamp::now(), site.address(peer, headers));
    let next = own_path(fields.next.as_deref());
    let refuse = |status: StatusCode, why: &str| {
        // The name is what somebody typed; it may be a password in the wrong field.
        site.audit("?", "sign-in-refused", None, &format!("from {address}: {why}"));
        (status, pages::sign_in::show(site, next, Some(why))).into_response()
    };
    if let Err(until) = site.attempts.count(&fields.user, address, now) {
        let seconds = until.duration_since(now).as_secs().max(1);
        let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, "Too many tries. Wait some minutes.");
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
        return response;
    }
    let users = site.users.as_ref().map(|users| users.get());
    if users.and_then(|users| users.verify(&fields.user, &fields.password)).is_none() {
        return refuse(StatusCode::UNAUTHORIZED, "Name and password do not fit.");
    }
    site.attempts.succeeded(&fields.user);
    match site.sessions.begin(&fields.user, Account::File, now) {
        Err(why) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &why),
        Ok(secret) => {
            site.audit(&fields.user, "sign-in", None, &format!("from {address}"));
            ([(SET_COOKIE, session_cookie(site, &secret))], Redirect::to(next)).into_response()
        }
    }
}

/// Ends the session.
pub(super) async fn sign_out(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let mut elsewhere = None;
    if let Some(secret) = &visitor.session {
        let ended = site.sessions.end(secret);
        site.audit(&visitor.name, "sign-out", None, "done");
        if let (Some(Account::Oidc(_)), Some(oidc)) = (ended.map(|session| session.account), &site.oidc) {
            elsewhere = oidc.end_session().await.map(|url| (oidc.host(), url));
        }
    }
    let gone = [(SET_COOKIE, cookie(&site, "", 0))];
    match elsewhere {
        None => (gone, Redirect::to("/sign-in")).into_response(),
        Some((host, url)) => (gone, pages::sign_in::out(host, url.as_str())).into_response(),
    }
}

/// The cookie of a session that begins.
pub(super) fn session_cookie(site: &Site, secret: &str) -> String {
    cookie(site, secret, LIFETIME.as_secs())
}

fn cookie(site: &Site, secret: &str, seconds: i64) -> String {
    let secure = if site.is_secure() { "; Secure" } else { "" };
    format!("{}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}", site.cookie())
}

/// A path of ours, and of nobody else: a link must not lead away after signing in.
pub(super) fn own_path(next: Option<&str>) -> &str {
    let own = |p: &&str| p.starts_with('/') && !p.starts_with("//") && !p.contains(['\\', '\r', '\n']);
    next.filter(own).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn signing_in_leads_to_no_other_site() {
        assert_eq!(own_path(Some("/runs?kind=drill")), "/runs?kind=drill");
        for next in ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "", "/a\r\nX: y"] {
            assert_eq!(own_path(Some(next)), "/", "{next}");
        }
    }
}
