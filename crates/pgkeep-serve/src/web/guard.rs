//! Stands before every request: is it for this host, whose is it, may they do that, and did our own page send it?

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use tokio::time::timeout;
use url::{Url, form_urlencoded};

use super::headers::secure;
use super::sessions::same;
use super::site::{Site, Visitor};
use super::{oidc, pages};

/// No form of ours has more.
const LONGEST_FORM: usize = 64 << 10;

/// Lets a request through to its page, with its [`Visitor`], or refuses it.
pub(super) async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let mut response = match admit(&site, request).await {
        Ok(request) => next.run(request).await,
        Err(refused) => refused,
    };
    secure(response.headers_mut(), site.is_secure());
    response
}

/// A request that may be answered, or the refusal.
async fn admit(site: &Site, mut request: Request) -> Result<Request, Response> {
    // HTTP/1.1 only, so the host is always in the header.
    let host = text(request.headers(), HOST.as_str()).unwrap_or_default().to_owned();
    if !is_ours(site, &host) {
        return Err(refuse(
            StatusCode::MISDIRECTED_REQUEST,
            "This host name is not known here. If a proxy stands before pgkeep, say so with --external-url.",
        ));
    }
    let visitor = site.visitor(request.headers());
    let path = request.uri().path().to_owned();
    let is_post = request.method() == Method::POST;
    if is_post && !is_from_here(site, request.headers(), &host) {
        return Err(refuse(StatusCode::FORBIDDEN, "This form was sent by another site."));
    }
    let mut form = None;
    if is_post {
        let (head, body) = request.into_parts();
        let body = body_of(site, body).await?;
        request = Request::from_parts(head, Body::from(body.clone()));
        form = Some(body);
    }
    if is_open(&path) || (path == "/metrics" && site.has_metrics_token(request.headers())) {
        request.extensions_mut().insert(visitor);
        return Ok(request);
    }
    let Some(visitor) = visitor else { return Err(ask_to_sign_in(request.uri())) };
    if let Some(form) = form {
        if !has_token(request.headers(), &form, &visitor) {
            return Err(refuse(
                StatusCode::FORBIDDEN,
                "This form is of another session. Go back, load the page again, and send it once more.",
            ));
        }
        if !visitor.may_order() && path != "/sign-out" {
            return Err(refuse(StatusCode::FORBIDDEN, "Viewers see everything and change nothing."));
        }
    }
    request.extensions_mut().insert(visitor);
    Ok(request)
}

/// What answers whoever asks.
fn is_open(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/sign-in" | oidc::BEGIN | oidc::CALLBACK)
        || path.starts_with("/assets/")
}

/// Whether a request is for this host. Where nobody signs in, a page from elsewhere could otherwise point its own name
/// at this address and read everything (DNS rebinding).
fn is_ours(site: &Site, host: &str) -> bool {
    if let Some(external) = &site.external {
        return host_of(external) == host || is_local(host);
    }
    site.asks_who() || is_local(host)
}

fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    matches!(name, Some("localhost" | "127.0.0.1" | "::1"))
}

/// Host and port as a browser sends them.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"))
}

/// Whether one of our own pages sent a form. Browsers say with each where it comes from.
fn is_from_here(site: &Site, headers: &HeaderMap, host: &str) -> bool {
    let ours = match &site.external {
        Some(external) => vec![external.origin().ascii_serialization()],
        None => vec![format!("{}://{host}", if site.is_secure() { "https" } else { "http" })],
    };
    let from = text(headers, "sec-fetch-site");
    from.is_none_or(|from| from == "same-origin")
        && text(headers, ORIGIN.as_str()).map_or(from.is_some(), |origin| ours.iter().any(|o| o == origin))
}

/// The whole body of a form, which is short and comes at once.
async fn body_of(site: &Site, body: Body) -> Result<Bytes, Response> {
    match timeout(site.limits.patience, to_bytes(body, LONGEST_FORM)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "The form is too long.")),
        Err(_) => Err(refuse(StatusCode::REQUEST_TIMEOUT, "The form took too long to come.")),
    }
}

/// Whether a form carries the session's token.
fn has_token(headers: &HeaderMap, form: &[u8], visitor: &Visitor) -> bool {
    let is_form = text(headers, CONTENT_TYPE.as_str())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let token = form_urlencoded::parse(form).find(|(name, _)| name == "csrf").map(|(_, value)| value);
    is_form && token.is_some_and(|token| same(&token, &visitor.csrf))
}

/// People are led to the page for it, programs are told.
fn ask_to_sign_in(uri: &Uri) -> Response {
    if uri.path().starts_with("/api/") || uri.path() == "/metrics" {
        return (StatusCode::UNAUTHORIZED, "sign in, or send a token\n").into_response();
    }
    let next = uri.path_and_query().map_or("/", |p| p.as_str());
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    Redirect::to(&format!("/sign-in?next={next}")).into_response()
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, pages::plain("Refused", why)).into_response()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}
