//! Signing in at an identity provider: OpenID Connect's authorization code flow with PKCE
//! (<https://openid.net/specs/openid-connect-core-1_0.html>, RFC 7636).
//!
//! `trip` is what a browser carries there and back, `provider` speaks with the provider, `token` says whether an ID token
//! is good and what it tells, `routes` is what browsers see of it.

mod provider;
pub(super) mod routes;
mod signature;
mod token;
mod trip;

use std::fmt;

use serde_json::{Map, Value};
use url::Url;

use super::users::Role;
use provider::Provider;
use trip::Trip;

/// Where the provider sends people back to.
pub(super) const CALLBACK: &str = "/sign-in/oidc/callback";
/// Where signing in there begins.
pub(super) const BEGIN: &str = "/sign-in/oidc";

/// The identity provider, and who of its people gets in.
#[derive(Clone)]
pub struct OidcOptions {
    /// The provider's URL, as its tokens name it.
    pub issuer: String,
    /// The name that pgkeep has there.
    pub client_id: String,
    /// Its secret; none for a public client, whose codes are guarded by PKCE alone.
    pub client_secret: Option<String>,
    /// Scopes that are asked for beside `openid`, `profile` and `email`.
    pub scopes: Vec<String>,
    /// The claim of the ID token that says what somebody is; a dot leads into an object.
    pub role_claim: String,
    /// Values of it that make an operator.
    pub operators: Vec<String>,
    /// Values of it that make a viewer.
    pub viewers: Vec<String>,
}

impl fmt::Debug for OidcOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OidcOptions({}, {})", self.issuer, self.client_id)
    }
}

/// Somebody whom the provider vouches for.
#[derive(Debug, PartialEq, Eq)]
struct Person {
    name: String,
    /// The one name that never changes there.
    subject: String,
    /// `None`: known there, and nobody here.
    role: Option<Role>,
}

/// Signing in at the provider.
pub(super) struct Oidc {
    provider: Provider,
    options: OidcOptions,
    /// The address of this dashboard as the provider knows it.
    base: Url,
}

impl Oidc {
    /// Looks at the options; asks nobody yet.
    ///
    /// # Errors
    /// In words, an issuer that is no URL, is reached unprotected, or roles that nobody can have.
    pub(super) fn new(options: OidcOptions, base: Url) -> Result<Oidc, String> {
        if options.operators.is_empty() && options.viewers.is_empty() {
            return Err("nobody would get in by OpenID Connect\n  hint: name groups of the provider with \
                        --oidc-operators and --oidc-viewers"
                .into());
        }
        let provider = Provider::new(&options.issuer)?;
        Ok(Oidc { provider, options, base })
    }

    /// The provider's host, by which people know it.
    pub(super) fn host(&self) -> &str {
        self.provider.host()
    }

    /// Where signing in begins: under the address that the provider sends people back to, which alone has the cookie.
    pub(super) fn begin_url(&self, next: &str) -> String {
        let mut url = self.base.clone();
        url.set_path(BEGIN);
        url.query_pairs_mut().append_pair("next", next);
        url.into()
    }

    /// Asks the provider whether it is there.
    ///
    /// # Errors
    /// In words, why it can't be used.
    pub(super) async fn ask(&self) -> Result<(), String> {
        self.provider.metadata().await.map(drop)
    }

    /// Where people may sign out of the provider, too, as far as it is known.
    pub(super) async fn end_session(&self) -> Option<Url> {
        let mut url = self.provider.metadata().await.ok()?.end_session()?;
        url.query_pairs_mut().append_pair("client_id", &self.options.client_id);
        Some(url)
    }

    /// Where a browser that carries this trip is to go.
    async fn departure(&self, trip: &Trip) -> Result<Url, String> {
        let metadata = self.provider.metadata().await?;
        let mut url = metadata.authorization_endpoint.clone();
        let scopes = ["openid", "profile", "email"].into_iter();
        let scopes: Vec<&str> = scopes.chain(self.options.scopes.iter().map(String::as_str)).collect();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.options.client_id)
            .append_pair("redirect_uri", &self.callback())
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", &trip.state)
            .append_pair("nonce", &trip.nonce)
            .append_pair("code_challenge", &trip.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(url)
    }

    /// Who has come back with this code.
    async fn arrival(&self, trip: &Trip, code: &str, sender: Option<&str>) -> Result<Person, String> {
        let metadata = self.provider.metadata().await?;
        // RFC 9207: a provider that says who it is says so here.
        if sender.is_some_and(|sender| sender != metadata.issuer) {
            return Err("the answer is of another identity provider".into());
        }
        let options = &self.options;
        let token = self.provider.token(&metadata, options, code, &trip.verifier, &self.callback()).await?;
        let keys = self.provider.keys(&metadata).await?;
        let claims = token::claims(&token, &keys, &metadata.issuer, &options.client_id, &trip.nonce)?;
        Ok(self.person(&claims))
    }

    fn person(&self, claims: &Map<String, Value>) -> Person {
        let options = &self.options;
        let values = token::values(claims, &options.role_claim);
        let is_any = |of: &[String]| of.iter().any(|wanted| values.contains(&wanted.as_str()));
        let role = match (is_any(&options.operators), is_any(&options.viewers)) {
            (true, _) => Some(Role::Operator),
            (false, true) => Some(Role::Viewer),
            (false, false) => None,
        };
        Person { name: token::name(claims), subject: token::subject(claims), role }
    }

    fn callback(&self) -> String {
        let mut url = self.base.clone();
        url.set_path(CALLBACK);
        url.into()
    }
}
