//! The dashboard's options.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;
use pgkeep_serve::web::WebOptions;

use super::oidc::OidcFlags;
use crate::config::Config;
use crate::config::keys::DAEMON;
use crate::failure::{self, Failure};

/// The word for no dashboard.
const NONE: &str = "none";

/// Where the dashboard is, and who gets in.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = DAEMON)]
pub(super) struct WebFlags {
    /// Address and port of the dashboard, of /metrics and /healthz, or none
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7317")]
    listen: String,
    /// The dashboard's certificate, with its chain, as PEM; read anew when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Those who may sign in, a line of `pgkeep user` each; without it nobody need, and only this machine is let in
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// The URL that people reach the dashboard under, where a proxy stands before it
    #[arg(long, value_name = "URL")]
    external_url: Option<String>,
    /// A proxy whose X-Forwarded-For is believed, by address or network such as 10.0.0.0/8 [default: one on this machine,
    /// where there is an --external-url]
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    trusted_proxy: Vec<IpNet>,
    /// A file with a token that /metrics may be read with, instead of signing in
    #[arg(long, value_name = "FILE")]
    metrics_token_file: Option<PathBuf>,
    #[command(flatten)]
    oidc: OidcFlags,
}

impl WebFlags {
    /// What is asked for; nothing where no dashboard is wanted.
    pub(super) fn options(&self, config: &Config) -> failure::Result<Option<WebOptions>> {
        if self.listen == NONE {
            return Ok(None);
        }
        let listen: SocketAddr = self.listen.parse().map_err(|_| {
            Failure::usage(format!(
                "--listen {}: an address and a port, such as 127.0.0.1:7317 or [::1]:7317, or {NONE}",
                self.listen
            ))
        })?;
        // What comes from the configuration is not looked at by clap's `requires`.
        let tls = match (self.tls_cert.clone(), self.tls_key.clone()) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(Failure::usage("TLS needs both --tls-cert and --tls-key")),
        };
        let token = self.metrics_token_file.as_ref().map(|file| {
            let text = std::fs::read_to_string(file);
            let text =
                text.map_err(|e| Failure::usage(format!("--metrics-token-file {}: {e}", file.display())))?;
            match text.trim() {
                "" => Err(Failure::usage(format!("--metrics-token-file {}: it is empty", file.display()))),
                token => Ok(token.to_owned()),
            }
        });
        Ok(Some(WebOptions {
            tls,
            users: self.users.clone(),
            oidc: self.oidc.options(config)?,
            external_url: self.external_url.clone(),
            trusted_proxies: self.trusted_proxy.clone(),
            metrics_token: token.transpose()?,
            ..WebOptions::new(listen)
        }))
    }
}

/// A network, or one address of it.
fn network(text: &str) -> Result<IpNet, String> {
    let one = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| one()).map_err(|_| "an address, or a network such as 10.0.0.0/8".to_owned())
}
