//! Going to the provider, and coming back.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::sleep;

use super::trip::{LIFETIME, Trip};
use super::{Oidc, Person};
use crate::web::connections::Peer;
use crate::web::pages;
use crate::web::sessions::{Account, same};
use crate::web::sign_in::{Going, own_path, session_cookie};
use crate::web::site::{Site, cookie};

/// How often it is looked whether the provider is there, and how often while it is not.
const EVERY: Duration = Duration::from_secs(600);
const AGAIN: Duration = Duration::from_secs(30);

/// What the provider sends a browser back with.
#[derive(Deserialize)]
pub(in crate::web) struct Answer {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Tells, from the start on, when the provider can't be used.
pub(in crate::web) async fn watch(site: Arc<Site>) {
    let Some(oidc) = &site.oidc else { return };
    loop {
        let asked = told(&site, oidc.ask().await);
        if let Err(why) = &asked {
            tracing::warn!(why, "nobody can sign in by OpenID Connect now");
        }
        sleep(if asked.is_ok() { EVERY } else { AGAIN }).await;
    }
}

/// To the provider.
pub(in crate::web) async fn begin(State(site): State<Arc<Site>>, Query(going): Query<Going>) -> Response {
    let next = own_path(going.next.as_deref());
    let Some(oidc) = &site.oidc else { return Redirect::to("/sign-in").into_response() };
    let trip = match Trip::new(next) {
        Ok(trip) => trip,
        Err(why) => return shown(&site, StatusCode::INTERNAL_SERVER_ERROR, next, &why),
    };
    match told(&site, oidc.departure(&trip).await) {
        Ok(url) => {
            let set = trip_cookie(&site, &trip.packed(), LIFETIME);
            ([(SET_COOKIE, set)], Redirect::to(url.as_str())).into_response()
        }
        Err(why) => shown(&site, StatusCode::SERVICE_UNAVAILABLE, next, &why),
    }
}

/// Back from the provider.
pub(in crate::web) async fn callback(
    State(site): State<Arc<Site>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Response {
    let Some(oidc) = &site.oidc else { return Redirect::to("/sign-in").into_response() };
    let (now, address) = (Timestamp::now(), site.address(peer, &headers));
    let refused = |who: &str, status: StatusCode, why: &str| {
        site.audit(who, "sign-in-refused", None, &format!("from {address}, by {}: {why}", oidc.host()));
        shown(&site, status, "/", why)
    };
    if site.attempts.count_address(address, now).is_err() {
        return refused("?", StatusCode::TOO_MANY_REQUESTS, "Too many tries. Wait some minutes.");
    }
    let trip = cookie(&headers, trip_name(&site)).and_then(Trip::unpacked);
    let trip = trip.filter(|trip| answer.state.as_deref().is_some_and(|state| same(state, &trip.state)));
    let Some(trip) = trip else {
        let why = "This sign-in was not begun in this browser, or too long ago. Begin it once more.";
        return refused("?", StatusCode::BAD_REQUEST, why);
    };
    let person = match came(oidc, &trip, &answer).await {
        Ok(person) => person,
        Err(why) => return refused("?", StatusCode::UNAUTHORIZED, &why),
    };
    let Some(role) = person.role else {
        let why = format!("{} is neither a viewer nor an operator here.", person.name);
        return refused(&person.name, StatusCode::FORBIDDEN, &why);
    };
    match site.sessions.begin(&person.name, Account::Oidc(role), now) {
        Err(why) => refused(&person.name, StatusCode::INTERNAL_SERVER_ERROR, &why),
        Ok(secret) => {
            let how =
                format!("from {address}, by {}, subject {}, {}", oidc.host(), person.subject, role.as_str());
            site.audit(&person.name, "sign-in", None, &how);
            let set =
                [session_cookie(&site, &secret), trip_cookie(&site, "", 0)].map(|set| (SET_COOKIE, set));
            // A redirection would still be the provider's, and be made without the cookie that it sets.
            (AppendHeaders(set), pages::sign_in::done(own_path(Some(&trip.next)))).into_response()
        }
    }
}

async fn came(oidc: &Oidc, trip: &Trip, answer: &Answer) -> Result<Person, String> {
    match (&answer.code, &answer.error) {
        (Some(code), None) => oidc.arrival(trip, code, answer.iss.as_deref()).await,
        (_, error) => {
            let error = error.as_deref().unwrap_or("it sent no code");
            let more =
                answer.error_description.as_deref().map(|more| format!(": {more}")).unwrap_or_default();
            let said: String =
                format!("{error}{more}").chars().filter(|c| !c.is_control()).take(300).collect();
            Err(format!("the identity provider refused: {said}"))
        }
    }
}

/// Keeps among the daemon's problems whether the provider can be used.
fn told<T>(site: &Site, asked: Result<T, String>) -> Result<T, String> {
    let problem = asked.as_ref().err().map(|why| format!("signing in by OpenID Connect: {why}"));
    site.shared.set_problem("sign-in", problem);
    asked
}

fn shown(site: &Site, status: StatusCode, next: &str, why: &str) -> Response {
    (status, pages::sign_in::show(site, next, Some(why))).into_response()
}

fn trip_name(site: &Site) -> &'static str {
    if site.is_secure() { "__Host-pgkeep-trip" } else { "pgkeep-trip" }
}

/// Lax: it has to be sent when the provider sends the browser back.
fn trip_cookie(site: &Site, value: &str, seconds: i64) -> String {
    let secure = if site.is_secure() { "; Secure" } else { "" };
    format!("{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}", trip_name(site))
}
