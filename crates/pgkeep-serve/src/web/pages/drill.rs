//! A drill's report. It is made from the record, so that nothing that a store holds is taken for a page of ours.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use pgkeep_keep::drill::{DrillRecord, drills, html};
use sha2::{Digest, Sha256};

use super::{Failed, backup};
use crate::web::site::Site;

/// The report for people of one drill of a backup; `file` is the name of the record.
pub(crate) fn show(site: &Site, name: &str, id: &str, file: &str) -> Result<Response, Failed> {
    let (kept, _) = backup::read(site, name, id)?;
    let all = drills(&kept.store, &kept.stem)?;
    let drill = all.iter().find(|d| d.key.rsplit('/').next() == Some(file));
    let drill = drill.ok_or_else(|| Failed::NotFound("This backup has no such drill.".into()))?;
    let record = DrillRecord::from_json(&kept.store.get(&drill.key)?, &kept.store.url_of(&drill.key))?;
    let page = html(&record);
    let mut response = Html(page.clone()).into_response();
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy(&page)?);
    Ok(response)
}

/// The page carries its style in itself, so that it can be kept as one file; its hash lets that in, and nothing else.
fn policy(page: &str) -> Result<HeaderValue, Failed> {
    let style =
        page.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).map(|(style, _)| style);
    let hash = BASE64_STANDARD.encode(Sha256::digest(style.unwrap_or_default()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; frame-ancestors 'none'; sandbox"
    );
    HeaderValue::from_str(&policy).map_err(|e| Failed::Internal(e.to_string()))
}
