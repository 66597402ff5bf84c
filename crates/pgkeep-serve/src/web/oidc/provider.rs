//! Speaks with the identity provider.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::Jwk;
use percent_encoding::utf8_percent_encode;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokio::sync::Mutex;
use url::{Host, Url};

use super::OidcOptions;
use crate::web::pages::UNRESERVED;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// No answer of a provider is longer.
const LONGEST: usize = 1 << 20;
/// How long what the provider says of itself counts.
const FRESH: Duration = Duration::from_secs(60);
/// What is told of an answer.
const TOLD: usize = 300;

/// What a provider says of itself (OpenID Connect Discovery 1.0, section 3).
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) issuer: String,
    #[serde(deserialize_with = "safe")]
    pub(super) authorization_endpoint: Url,
    #[serde(deserialize_with = "safe")]
    token_endpoint: Url,
    #[serde(deserialize_with = "safe")]
    jwks_uri: Url,
    end_session_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

impl Metadata {
    /// Where people sign out there.
    pub(super) fn end_session(&self) -> Option<Url> {
        Url::parse(self.end_session_endpoint.as_deref()?).ok().filter(is_safe)
    }
}

/// The provider.
pub(super) struct Provider {
    http: Client,
    issuer: Url,
    known: Mutex<Option<(Instant, Arc<Metadata>)>>,
}

impl Provider {
    pub(super) fn new(issuer: &str) -> Result<Provider, String> {
        let bad = |why: &str| format!("--oidc-issuer {issuer}: {why}");
        let url = Url::parse(issuer).map_err(|e| bad(&e.to_string()))?;
        if !is_safe(&url) || url.query().is_some() {
            return Err(bad("it has to be an https:// URL, as the provider's tokens name it"));
        }
        let http = Client::builder()
            .timeout(PATIENCE)
            .redirect(Policy::none())
            .user_agent(concat!("pgkeep/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| format!("HTTPS: {}", told(e)))?;
        Ok(Provider { http, issuer: url, known: Mutex::default() })
    }

    pub(super) fn host(&self) -> &str {
        self.issuer.host_str().unwrap_or_default()
    }

    /// What it says of itself; asked again when that is old, by one request at a time.
    pub(super) async fn metadata(&self) -> Result<Arc<Metadata>, String> {
        let mut known = self.known.lock().await;
        if let Some((at, metadata)) = &*known
            && at.elapsed() < FRESH
        {
            return Ok(metadata.clone());
        }
        let found = Arc::new(self.discover().await?);
        *known = Some((Instant::now(), found.clone()));
        Ok(found)
    }

    async fn discover(&self) -> Result<Metadata, String> {
        let issuer = self.issuer.as_str().trim_end_matches('/');
        let url = format!("{issuer}/.well-known/openid-configuration");
        let failed = |why: String| {
            format!(
                "the identity provider does not say what it offers ({url}): {why}\n  hint: see whether --oidc-issuer is \
                 right and this machine reaches it"
            )
        };
        let metadata: Metadata = asked(self.http.get(&url)).await.map_err(failed)?;
        if metadata.issuer.trim_end_matches('/') != issuer {
            return Err(failed(format!("it calls itself {}", metadata.issuer)));
        }
        Ok(metadata)
    }

    /// The ID token for a code.
    pub(super) async fn token(
        &self,
        metadata: &Metadata,
        options: &OidcOptions,
        code: &str,
        verifier: &str,
        callback: &str,
    ) -> Result<String, String> {
        #[derive(Deserialize)]
        struct Tokens {
            id_token: Option<String>,
        }
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", callback),
            ("code_verifier", verifier),
            ("client_id", options.client_id.as_str()),
        ];
        let mut request = self.http.post(metadata.token_endpoint.clone());
        // Not every provider decodes what it gets in the header, which all have to understand (Discovery 1.0, section 3).
        let methods = &metadata.token_endpoint_auth_methods_supported;
        let in_form = methods.iter().any(|method| method == "client_secret_post");
        match &options.client_secret {
            Some(secret) if in_form => form.push(("client_secret", secret)),
            Some(secret) => {
                request = request.basic_auth(encoded(&options.client_id), Some(encoded(secret)));
            }
            None => {}
        }
        let tokens: Tokens = asked(request.form(&form)).await.map_err(|why| {
            format!("the identity provider gave no token: {why}\n  hint: see whether client id and secret are right")
        })?;
        tokens.id_token.ok_or_else(|| "the identity provider gave no ID token".into())
    }

    /// Its keys, asked for whenever somebody has come back with a code that was good: so a new key is known at once.
    pub(super) async fn keys(&self, metadata: &Metadata) -> Result<Vec<Jwk>, String> {
        #[derive(Deserialize)]
        struct Keys {
            keys: Vec<Value>,
        }
        let found: Keys = asked(self.http.get(metadata.jwks_uri.clone()))
            .await
            .map_err(|why| format!("the identity provider's keys ({}): {why}", metadata.jwks_uri))?;
        // A key of a kind that is unknown here is left out.
        Ok(found.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect())
    }
}

fn safe<'d, D: Deserializer<'d>>(from: D) -> Result<Url, D::Error> {
    let text = String::deserialize(from)?;
    let url = Url::parse(&text).ok().filter(is_safe);
    url.ok_or_else(|| D::Error::custom(format!("{text} is no https:// URL")))
}

/// Over TLS, or on this machine.
fn is_safe(url: &Url) -> bool {
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_local)
}

/// Id and secret are form-encoded before they become a header (RFC 6749, 2.3.1).
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

async fn asked<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, String> {
    let response = request.send().await.map_err(told)?;
    let status = response.status();
    let body = body(response).await?;
    if !status.is_success() {
        let said: String = String::from_utf8_lossy(&body).chars().take(TOLD).collect();
        return Err(format!(
            "it answered {status}: {}",
            said.split_whitespace().collect::<Vec<_>>().join(" ")
        ));
    }
    serde_json::from_slice(&body).map_err(|e| format!("its answer makes no sense: {e}"))
}

async fn body(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(more) = response.chunk().await.map_err(told)? {
        body.extend_from_slice(&more);
        if body.len() > LONGEST {
            return Err("its answer does not end".into());
        }
    }
    Ok(body)
}

/// An error with what has led to it, without the URL.
fn told(e: reqwest::Error) -> String {
    let e = e.without_url();
    let mut said = e.to_string();
    let mut next = std::error::Error::source(&e);
    while let Some(e) = next {
        let why = e.to_string();
        if !said.contains(&why) {
            said = format!("{said}: {why}");
        }
        next = e.source();
    }
    said
}
