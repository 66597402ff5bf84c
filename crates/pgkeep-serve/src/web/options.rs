//! How the dashboard is served.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use super::connections::ConnectionLimits;
use super::oidc::OidcOptions;

/// What the configuration says of it.
#[derive(Clone)]
pub struct WebOptions {
    /// Address and port.
    pub listen: SocketAddr,
    /// Certificate chain and key, both PEM; without them it is plain HTTP.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The file of those who may sign in, a line each, as [`hash_user`](super::hash_user) makes them. Without it, and
    /// without OpenID Connect, nobody need sign in, and only a loopback address may be listened on.
    pub users: Option<PathBuf>,
    /// The identity provider at which people may sign in, too.
    pub oidc: Option<OidcOptions>,
    /// The URL that people reach it under, where a proxy stands before it.
    pub external_url: Option<String>,
    /// Whose `X-Forwarded-For` says where a request comes from. Without any: a proxy on this machine, where there is an
    /// external URL.
    pub trusted_proxies: Vec<IpNet>,
    /// What `/metrics` may be read with, instead of signing in.
    pub metrics_token: Option<String>,
    /// What one who connects may take.
    pub limits: ConnectionLimits,
}

impl WebOptions {
    /// Plain HTTP for everybody on this machine.
    pub fn new(listen: SocketAddr) -> WebOptions {
        WebOptions {
            listen,
            tls: None,
            users: None,
            oidc: None,
            external_url: None,
            trusted_proxies: Vec::new(),
            metrics_token: None,
            limits: ConnectionLimits::default(),
        }
    }
}

impl fmt::Debug for WebOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebOptions({})", self.listen)
    }
}
