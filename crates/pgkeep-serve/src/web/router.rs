//! What is where.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json};
use serde_json::Value;

use super::guard::guard;
use super::pages::{self, Answer, Failed};
use super::site::{Site, Visitor};
use super::{api, metrics, oidc, orders, probes, sign_in};

/// Everything, behind the guard.
pub(super) fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(overview))
        .route("/calendar", get(calendar))
        .route("/databases/{database}", get(database))
        .route("/databases/{database}/backups/{id}", get(backup))
        .route("/databases/{database}/backups/{id}/drills/{drill}", get(drill))
        .route("/databases/{database}/restore", get(restore))
        .route("/runs", get(runs))
        .route("/runs/{id}", get(run))
        .route("/runs/{id}/log", get(log))
        .route("/parts/running", get(running_part))
        .route("/parts/run/{id}", get(run_part))
        .route("/orders/run", post(orders::run))
        .route("/orders/stop", post(orders::stop))
        .route("/orders/reload", post(orders::reload))
        .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route(oidc::BEGIN, get(oidc::routes::begin))
        .route(oidc::CALLBACK, get(oidc::routes::callback))
        .route("/api/databases", get(api_databases))
        .route("/api/points", get(api_points))
        .route("/api/runs", get(api_runs))
        .route("/api/runs/{id}", get(api_run))
        .route("/metrics", get(metrics_text))
        .route("/healthz", get(probes::health))
        .route("/readyz", get(ready))
        .route("/assets/style.css", get(style))
        .route("/assets/live.js", get(script))
        .fallback(unknown)
        .layer(from_fn_with_state(site.clone(), guard))
        .with_state(site)
}

type Shown = (State<Arc<Site>>, Extension<Visitor>);

/// Makes an answer where it may block: pages read SQLite and stores.
pub(super) async fn answer<T: IntoResponse + Send + 'static>(
    site: Arc<Site>,
    make: impl FnOnce(&Site) -> Result<T, Failed> + Send + 'static,
) -> Response {
    match tokio::task::spawn_blocking(move || make(&site)).await {
        Ok(Ok(made)) => made.into_response(),
        Ok(Err(failed)) => failed.into_response(),
        Err(_) => Failed::Internal("making this page failed".into()).into_response(),
    }
}

async fn overview((State(site), Extension(visitor)): Shown) -> Response {
    answer(site, move |site| pages::overview::show(site, &visitor)).await
}

async fn calendar(
    (State(site), Extension(visitor)): Shown,
    Query(q): Query<pages::calendar::Wanted>,
) -> Response {
    answer(site, move |site| pages::calendar::show(site, &visitor, &q)).await
}

async fn database((State(site), Extension(visitor)): Shown, Path(name): Path<String>) -> Response {
    answer(site, move |site| pages::database::show(site, &visitor, &name)).await
}

async fn backup(
    (State(site), Extension(visitor)): Shown,
    Path((name, id)): Path<(String, String)>,
    Query(q): Query<pages::backup::Wanted>,
) -> Response {
    answer(site, move |site| pages::backup::show(site, &visitor, &name, &id, &q)).await
}

async fn drill(
    State(site): State<Arc<Site>>,
    Path((name, id, drill)): Path<(String, String, String)>,
) -> Response {
    answer(site, move |site| pages::drill::show(site, &name, &id, &drill)).await
}

async fn restore(
    (State(site), Extension(visitor)): Shown,
    Path(name): Path<String>,
    Query(q): Query<pages::restore::Wanted>,
) -> Response {
    answer(site, move |site| pages::restore::show(site, &visitor, &name, &q)).await
}

async fn runs((State(site), Extension(visitor)): Shown, Query(q): Query<pages::runs::Wanted>) -> Response {
    answer(site, move |site| pages::runs::show(site, &visitor, &q)).await
}

async fn run((State(site), Extension(visitor)): Shown, Path(id): Path<String>) -> Response {
    answer(site, move |site| pages::run::show(site, &visitor, &id)).await
}

async fn log(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    answer(site, move |site| pages::run::log(site, &id)).await
}

async fn running_part(State(site): State<Arc<Site>>) -> Response {
    answer(site, pages::overview::running).await
}

async fn run_part((State(site), Extension(visitor)): Shown, Path(id): Path<String>) -> Response {
    answer(site, move |site| pages::run::part(site, &visitor, &id)).await
}

async fn api_databases(State(site): State<Arc<Site>>) -> Response {
    answer(site, |site| api::databases(site).map(Json::<Value>)).await
}

async fn api_points(State(site): State<Arc<Site>>, Query(q): Query<api::OfDatabase>) -> Response {
    answer(site, move |site| api::points(site, &q).map(Json::<Value>)).await
}

async fn api_runs(State(site): State<Arc<Site>>, Query(q): Query<api::OfDatabase>) -> Response {
    answer(site, move |site| api::runs(site, &q).map(Json::<Value>)).await
}

async fn api_run(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    answer(site, move |site| api::run(site, &id).map(Json::<Value>)).await
}

async fn metrics_text(State(site): State<Arc<Site>>) -> Response {
    answer(site, |site| Ok(([(CONTENT_TYPE, metrics::CONTENT)], metrics::text(&site.shared)?))).await
}

async fn ready(State(site): State<Arc<Site>>) -> Response {
    answer(site, |site| Ok::<_, Failed>(probes::ready(site))).await
}

async fn style() -> impl IntoResponse {
    asset("text/css; charset=utf-8", include_str!("assets/style.css"))
}

async fn script() -> impl IntoResponse {
    asset("text/javascript; charset=utf-8", include_str!("assets/live.js"))
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "max-age=300")], text)
}

async fn unknown() -> Answer {
    Err(Failed::NotFound("There is no such page.".into()))
}
