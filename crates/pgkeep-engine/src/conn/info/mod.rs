//! A connection string: URL or `key=value`, completed from a service, the `PG*` environment and the password file as
//! libpq does (PostgreSQL documentation, "Connection Strings", "Parameter Key Words", "Environment Variables").

mod client_env;
mod keys;
mod network;
mod passfile;
mod place;
mod require_auth;
mod service;
mod strings;
#[cfg(test)]
mod tests;
mod tls_options;
mod words;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use client_env::ClientEnv;
pub use network::Keepalive;
pub(super) use passfile::{Found, look_up};
pub use place::Place;
pub use require_auth::RequireAuth;
pub(super) use tls_options::Authorities;
pub use tls_options::{RootCert, TlsOptions};
pub use words::{
    ChannelBinding, LoadBalance, SslCertMode, SslMode, SslNegotiation, TargetSession, TlsVersion,
};

use super::password::Password;
use crate::error::{EngineError, ErrorKind, Result};

/// Where and as whom to connect.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnInfo {
    /// Host name, address, or directory of a Unix socket (`@…`: in the abstract namespace).
    pub host: String,
    /// The address to connect to in place of looking the host's name up.
    pub hostaddr: Option<IpAddr>,
    /// TCP port, or the number in the socket's name.
    pub port: u16,
    /// Further servers, tried in this order where the first will not do.
    pub others: Vec<Place>,
    /// Which of several servers will do.
    pub target_session: TargetSession,
    /// In which order several servers are tried.
    pub load_balance: LoadBalance,
    /// Role to connect as.
    pub user: String,
    /// Password, where one is known or can be asked for; else the password file is looked into.
    pub password: Option<Password>,
    /// The password file.
    pub passfile: Option<PathBuf>,
    /// Database to connect to.
    pub database: String,
    /// TLS: whether, whom to trust, what to show.
    pub tls: TlsOptions,
    /// Accepted ways to log in.
    pub require_auth: RequireAuth,
    /// Whether the log-in is tied to the TLS session.
    pub channel_binding: ChannelBinding,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// When a silent peer counts as dead.
    pub keepalive: Keepalive,
    /// Name shown in `pg_stat_activity`.
    pub application_name: String,
    /// `options` of the startup packet (`-c name=value …`).
    pub options: Option<String>,
}

impl ConnInfo {
    /// Parses a connection URL (`postgres://`, `postgresql://`) or a `key=value` string and fills what it
    /// does not say from the service it names and from the environment.
    ///
    /// # Errors
    /// `Config` for a malformed string, an unknown key or a value that makes no sense; the text of the string is never
    /// repeated, as it may hold a password.
    pub fn parse(s: &str) -> Result<ConnInfo> {
        Self::parse_with(s, &|name| match std::env::var(name) {
            Ok(value) => Some(value),
            Err(_) if name == "HOME" => std::env::home_dir().map(|dir| dir.display().to_string()),
            Err(_) => None,
        })
    }

    /// A server of our own, by the Unix socket in its folder; nothing is taken from the environment.
    pub(crate) fn by_socket(folder: &std::path::Path, user: &str) -> Result<ConnInfo> {
        let folder = folder.display().to_string().replace('\\', "\\\\").replace('\'', "\\'");
        Self::parse_with(&format!("host='{folder}' port=5432 user={user} dbname=postgres"), &|_| None)
    }

    /// Whether the string looks like a connection string rather than a configured name.
    pub fn looks_like(s: &str) -> bool {
        strings::is_url(s) || s.contains('=')
    }

    fn parse_with(s: &str, var: &dyn Fn(&str) -> Option<String>) -> Result<ConnInfo> {
        let mut keys = strings::parse(s)?;
        keys::complete(&mut keys, var)?;
        refuse_what_is_not_done(&keys)?;
        let mut take = |key: &str| keys.remove(key);
        let mut places =
            place::places(take("host").as_deref(), take("hostaddr").as_deref(), take("port").as_deref())?;
        let first = places.remove(0);
        let user = take("user")
            .or_else(|| var("USER"))
            .or_else(|| var("LOGNAME"))
            .ok_or_else(|| bad("no user name").hint("write it in the URL: postgres://user@host/database"))?;
        Ok(ConnInfo {
            host: first.host,
            hostaddr: first.hostaddr,
            port: first.port,
            others: places,
            target_session: take("target_session_attrs")
                .map_or(Ok(TargetSession::default()), |w| TargetSession::parse(&w))?,
            load_balance: take("load_balance_hosts")
                .map_or(Ok(LoadBalance::default()), |w| LoadBalance::parse(&w))?,
            password: take("password").map(Password::from),
            passfile: take("passfile")
                .map(PathBuf::from)
                .or_else(|| var("HOME").map(|home| PathBuf::from(home).join(".pgpass"))),
            database: take("dbname").unwrap_or_else(|| user.clone()),
            user,
            require_auth: RequireAuth::parse(&take("require_auth").unwrap_or_default())?,
            channel_binding: take("channel_binding")
                .map_or(Ok(ChannelBinding::default()), |w| ChannelBinding::parse(&w))?,
            connect_timeout: network::connect_timeout(take("connect_timeout").as_deref())?,
            keepalive: Keepalive::parse(&mut take)?,
            application_name: take("application_name").unwrap_or_else(|| "pgkeep".into()),
            options: take("options"),
            tls: TlsOptions::parse(&mut take, var)?,
        })
    }

    /// The same server and user, another database.
    #[must_use]
    pub fn with_database(&self, database: &str) -> ConnInfo {
        ConnInfo { database: database.into(), ..self.clone() }
    }

    /// Whether `host` is a Unix socket's.
    pub fn is_unix(&self) -> bool {
        self.host.starts_with(['/', '@'])
    }

    /// The server's place for people: `host:port`.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The password for a connection that is opened now: the given one, else the password file's.
    ///
    /// # Errors
    /// What an asked one says.
    pub(super) fn find_password(&self) -> Result<Found> {
        if let Some(password) = &self.password {
            return password.get().map(Found::Password);
        }
        let Some(file) = &self.passfile else { return Ok(Found::Nothing) };
        let host = if place::SOCKET_DIRS.contains(&self.host.as_str()) { "localhost" } else { &self.host };
        Ok(look_up(file, host, self.port, &self.database, &self.user))
    }
}

/// Shows the place and never the password.
impl fmt::Display for ConnInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.place())?;
        for other in &self.others {
            write!(f, ",{}:{}", other.host, other.port)?;
        }
        write!(f, "/{}", self.database)
    }
}

impl fmt::Debug for ConnInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnInfo({self})")
    }
}

/// Parameters that would make a connection safer or another one, and are not carried out: silence would deceive.
fn refuse_what_is_not_done(keys: &strings::Keys) -> Result<()> {
    let refused = [
        (
            "sslpassword",
            None,
            "an encrypted client key is not supported",
            "decrypt it: openssl pkey -in KEY -out PLAIN",
        ),
        (
            "sslcrldir",
            None,
            "folders of revocation lists are not supported",
            "put the lists into one file: sslcrl",
        ),
        (
            "requirepeer",
            None,
            "requirepeer is not supported",
            "leave it out; the socket's directory decides who may serve there",
        ),
        ("gssencmode", Some("require"), "GSSAPI is not spoken", "use TLS: sslmode=verify-full"),
        ("sslcertmode", Some("require"), "sslcertmode=require is not supported", "use sslcertmode=allow"),
    ];
    for (key, only, why, hint) in refused {
        if keys.get(key).is_some_and(|value| only.is_none_or(|only| only == value)) {
            return Err(bad(format!("{key}: {why}")).hint(hint));
        }
    }
    match keys.get("replication").map(String::as_str) {
        None | Some("false" | "off" | "no" | "0") => Ok(()),
        Some(_) => Err(bad("replication connections carry no queries").hint("leave replication out")),
    }
}

fn bad(why: impl Into<String>) -> EngineError {
    EngineError::new(ErrorKind::Config, "connection string", why)
}
