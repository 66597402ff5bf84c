//! What a connection string says of TLS.

use std::path::{Path, PathBuf};

use super::bad;
use super::words::{SslCertMode, SslMode, SslNegotiation, TlsVersion};
use crate::error::Result;

/// Whose signature under a server's certificate is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootCert {
    /// The machine's authorities.
    System,
    /// Those in a PEM file.
    File(PathBuf),
}

/// What a connection string says of TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsOptions {
    /// Whether TLS is wanted, and what is checked.
    pub mode: SslMode,
    /// How TLS begins.
    pub negotiation: SslNegotiation,
    /// Trusted authorities, where they are named or `~/.postgresql/root.crt` is there.
    pub root: Option<RootCert>,
    /// Revocation lists, PEM.
    pub crl: Option<PathBuf>,
    /// The client's certificate, PEM.
    pub cert: Option<PathBuf>,
    /// The client's key, PEM, unencrypted.
    pub key: Option<PathBuf>,
    /// Whether a client certificate may be shown.
    pub cert_mode: SslCertMode,
    /// Whether the host's name is kept out of the handshake.
    pub no_sni: bool,
    /// Lowest version.
    pub min: TlsVersion,
    /// Highest version.
    pub max: Option<TlsVersion>,
}

/// Who is trusted for a host.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::conn) enum Authorities<'a> {
    File(&'a Path),
    System,
    /// Amazon RDS and Aurora.
    Rds,
    /// RDS Proxy, whose certificates come from another of Amazon's services.
    RdsProxy,
}

impl TlsOptions {
    pub(super) fn parse(
        take: &mut dyn FnMut(&str) -> Option<String>,
        var: &dyn Fn(&str) -> Option<String>,
    ) -> Result<TlsOptions> {
        // libpq's own places, where a file is taken if it is there.
        let usual = |name: &str| {
            var("HOME").map(|home| Path::new(&home).join(".postgresql").join(name)).filter(|f| f.exists())
        };
        let root = match take("sslrootcert") {
            Some(word) if word == "system" => Some(RootCert::System),
            Some(file) => Some(RootCert::File(file.into())),
            None => usual("root.crt").map(RootCert::File),
        };
        let mode = match take("sslmode") {
            Some(word) => SslMode::parse(&word)?,
            None if root == Some(RootCert::System) => SslMode::VerifyFull,
            None => SslMode::default(),
        };
        // The world's authorities sign for anybody: without the name such a signature says nothing (libpq, too).
        if root == Some(RootCert::System) && mode != SslMode::VerifyFull {
            return Err(bad(format!("sslmode={} is too weak for sslrootcert=system", mode.as_str()))
                .hint("use sslmode=verify-full"));
        }
        let negotiation =
            take("sslnegotiation").map_or(Ok(SslNegotiation::default()), |w| SslNegotiation::parse(&w))?;
        let sure = matches!(mode, SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull);
        if negotiation == SslNegotiation::Direct && !sure {
            return Err(bad(format!("sslmode={} is too weak for sslnegotiation=direct", mode.as_str()))
                .hint("use sslmode=require, verify-ca or verify-full"));
        }
        let cert = take("sslcert").map(PathBuf::from).or_else(|| usual("postgresql.crt"));
        let key = take("sslkey").map(PathBuf::from).or_else(|| usual("postgresql.key"));
        let min =
            take("ssl_min_protocol_version").map_or(Ok(TlsVersion::default()), |w| TlsVersion::parse(&w))?;
        let max = take("ssl_max_protocol_version").map(|w| TlsVersion::parse(&w)).transpose()?;
        if max.is_some_and(|max| max < min.max(TlsVersion::V1_2)) {
            return Err(bad(
                "no version of TLS is left between ssl_min_protocol_version and ssl_max_protocol_version",
            )
            .hint("pgkeep speaks TLSv1.2 and TLSv1.3"));
        }
        Ok(TlsOptions {
            mode,
            negotiation,
            root,
            crl: take("sslcrl").map(PathBuf::from).or_else(|| usual("root.crl")),
            cert,
            key,
            cert_mode: take("sslcertmode").map_or(Ok(SslCertMode::default()), |w| SslCertMode::parse(&w))?,
            no_sni: take("sslsni").is_some_and(|w| w == "0"),
            min,
            max,
        })
    }

    /// Who is trusted for this host.
    pub(in crate::conn) fn authorities(&self, host: &str) -> Authorities<'_> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        match &self.root {
            Some(RootCert::File(file)) => Authorities::File(file),
            Some(RootCert::System) => Authorities::System,
            // AWS documents both suffixes, and "proxy-" in the name of a proxy's endpoint.
            None if host.ends_with(".rds.amazonaws.com") || host.ends_with(".rds.amazonaws.com.cn") => {
                if host.contains(".proxy-") { Authorities::RdsProxy } else { Authorities::Rds }
            }
            None => Authorities::System,
        }
    }

    /// Whether a certificate must be signed by an authority that is trusted.
    pub(in crate::conn) fn checks_authority(&self) -> bool {
        match self.mode {
            SslMode::VerifyCa | SslMode::VerifyFull => true,
            // libpq: "require" checks the authority where a root certificate is there.
            SslMode::Require => self.root.is_some(),
            _ => false,
        }
    }
}
