//! What all requests share.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use ipnet::IpNet;
use jiff::Timestamp;
use url::Url;

use super::attempts::Attempts;
use super::connections::ConnectionLimits;
use super::oidc::Oidc;
use super::options::WebOptions;
use super::sessions::{Account, Sessions, random, same};
use super::tls::Certificate;
use super::users::{Role, Users};
use super::watched::Watched;
use crate::error::{Result, ServeError};
use crate::shared::Shared;
use crate::watch::{Act, Watchers};

/// One for the whole server.
pub(super) struct Site {
    pub(super) shared: Arc<Shared>,
    pub(super) watchers: Watchers,
    /// Who may sign in with a password.
    pub(super) users: Option<Watched<Users>>,
    /// Where people may sign in elsewhere.
    pub(super) oidc: Option<Oidc>,
    pub(super) sessions: Sessions,
    pub(super) attempts: Attempts,
    pub(super) certificate: Option<Arc<Certificate>>,
    /// Where people reach it, if not under the address that it listens on.
    pub(super) external: Option<Url>,
    /// Where it is: that, or the address that it listens on.
    pub(super) url: Url,
    pub(super) limits: ConnectionLimits,
    trusted_proxies: Vec<IpNet>,
    metrics_token: Option<String>,
    /// What forms carry where nobody signs in.
    csrf: String,
}

/// Who makes a request.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    /// The user's name; `local` where nobody signs in.
    pub(super) name: String,
    pub(super) role: Role,
    /// What a form has to carry.
    pub(super) csrf: String,
    /// The session's secret, where there is one.
    pub(super) session: Option<String>,
}

impl Visitor {
    /// Whether they may begin and stop runs.
    pub(super) fn may_order(&self) -> bool {
        self.role >= Role::Operator
    }
}

impl Site {
    /// Looks whether the options make sense together. `address` is what is listened on.
    pub(super) fn new(
        options: &WebOptions,
        address: SocketAddr,
        shared: Arc<Shared>,
        watchers: Watchers,
    ) -> Result<Site> {
        let config = |why: String| ServeError::Config(format!("dashboard: {why}"));
        let users = options.users.clone().map(|file| Watched::new(vec![file], Users::read));
        let users = users.transpose().map_err(config)?;
        let asks_nobody = users.is_none() && options.oidc.is_none();
        if asks_nobody && !options.listen.ip().is_loopback() {
            return Err(config(format!(
                "{} can be reached from elsewhere, and nobody would have to sign in\n  hint: name a file of users with \
                 --users or a provider with --oidc-issuer, or listen on 127.0.0.1",
                options.listen
            )));
        }
        let external = options.external_url.as_deref().map(external_url).transpose().map_err(config)?;
        if asks_nobody && external.is_some() {
            return Err(config(
                "--external-url lets others in through a proxy, and nobody would have to sign in\n  hint: name a file \
                 of users with --users or a provider with --oidc-issuer"
                    .into(),
            ));
        }
        let certificate = options.tls.clone().map(|(chain, key)| Certificate::read(chain, key).map(Arc::new));
        let certificate = certificate.transpose().map_err(config)?;
        if options.oidc.is_some() && external.is_none() && !address.ip().is_loopback() {
            return Err(config(
                "the identity provider has to know where to send people back to\n  hint: say with --external-url how \
                 they reach the dashboard"
                    .into(),
            ));
        }
        let url = match &external {
            Some(external) => external.clone(),
            None => own_url(address, certificate.is_some()).map_err(config)?,
        };
        let oidc = options.oidc.clone().map(|oidc| Oidc::new(oidc, url.clone()));
        Ok(Site {
            shared,
            watchers,
            users,
            oidc: oidc.transpose().map_err(config)?,
            sessions: Sessions::default(),
            attempts: Attempts::default(),
            certificate,
            external,
            url,
            limits: options.limits,
            trusted_proxies: options.trusted_proxies.clone(),
            metrics_token: options.metrics_token.clone(),
            csrf: random().map_err(config)?,
        })
    }

    /// Whether people have to sign in.
    pub(super) fn asks_who(&self) -> bool {
        self.users.is_some() || self.oidc.is_some()
    }

    /// Whether browsers reach it over TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.external.as_ref().map_or(self.certificate.is_some(), |url| url.scheme() == "https")
    }

    /// Name of the session's cookie. `__Host-` lets browsers take it from this host over TLS alone.
    pub(super) fn cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-pgkeep" } else { "pgkeep" }
    }

    /// Who makes this request; `None` for somebody who has yet to sign in.
    pub(super) fn visitor(&self, headers: &HeaderMap) -> Option<Visitor> {
        if !self.asks_who() {
            let csrf = self.csrf.clone();
            return Some(Visitor { name: "local".into(), role: Role::Operator, csrf, session: None });
        }
        let secret = cookie(headers, self.cookie())?;
        let session = self.sessions.find(secret, Timestamp::now())?;
        let role = match session.account {
            Account::File => self.users.as_ref()?.get().role(&session.user)?,
            Account::Oidc(role) => role,
        };
        Some(Visitor { name: session.user, role, csrf: session.csrf, session: Some(secret.to_owned()) })
    }

    /// Whether the request carries the token for metrics.
    pub(super) fn has_metrics_token(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()?.strip_prefix("Bearer "));
        given.zip(self.metrics_token.as_deref()).is_some_and(|(given, token)| same(given, token))
    }

    /// Where a request comes from: the last address before those of trusted proxies.
    pub(super) fn address(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let is_trusted = |address: &IpAddr| {
            let address = address.to_canonical();
            match self.trusted_proxies.is_empty() {
                true => self.external.is_some() && address.is_loopback(),
                false => self.trusted_proxies.iter().any(|net| net.contains(&address)),
            }
        };
        // A proxy adds who has asked it at the end; what stands before that is its client's word.
        let lines = headers.get_all("x-forwarded-for").into_iter().filter_map(|line| line.to_str().ok());
        let all: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
        let mut address = peer.ip();
        for before in all.into_iter().rev() {
            match before.parse() {
                Ok(before) if is_trusted(&address) => address = before,
                _ => break,
            }
        }
        address
    }

    /// Notes who did what.
    pub(super) fn audit(&self, who: &str, what: &str, on: Option<&str>, outcome: &str) {
        let act = Act {
            at: Timestamp::now(),
            who: who.into(),
            what: what.into(),
            on: on.map(Into::into),
            outcome: outcome.into(),
        };
        self.watchers.each(|w| w.audited(&act));
    }

    /// What is wrong with the daemon itself.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut all = self.shared.problems();
        let renewal = self.certificate.as_ref().and_then(|c| c.problem());
        all.extend(renewal.map(|why| format!("the new TLS certificate is not used: {why}")));
        let users = self.users.as_ref().and_then(Watched::problem);
        all.extend(users.map(|why| format!("the changed file of users is not used: {why}")));
        all
    }
}

fn own_url(address: SocketAddr, over_tls: bool) -> std::result::Result<Url, String> {
    let scheme = if over_tls { "https" } else { "http" };
    Url::parse(&format!("{scheme}://{address}")).map_err(|e| e.to_string())
}

fn external_url(text: &str) -> Result<Url, String> {
    let bad = |why: &str| format!("--external-url {text}: {why}");
    let url = Url::parse(text).map_err(|e| bad(&e.to_string()))?;
    match (url.scheme(), url.path()) {
        ("http" | "https", "/") if url.host().is_some() => Ok(url),
        ("http" | "https", _) => Err(bad("it has to have a host of its own, and no path")),
        _ => Err(bad("it has to begin with https:// or http://")),
    }
}

/// The value of a cookie.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    all.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}
