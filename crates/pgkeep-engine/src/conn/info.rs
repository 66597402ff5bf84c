//! A PostgreSQL connection string: URL or `key=value`, completed from the `PG*` environment as libpq does
//! (PostgreSQL documentation, "Connection Strings" and "Environment Variables").

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::password::Password;
use crate::error::{EngineError, ErrorKind, Result};

/// How far TLS is wanted and the server's identity checked; the six meanings of libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS only if the server refuses to go without.
    Allow,
    /// TLS where the server offers it.
    #[default]
    Prefer,
    /// TLS or nothing; the certificate is checked only where a root certificate is named.
    Require,
    /// TLS, and the certificate is signed by a trusted authority.
    VerifyCa,
    /// TLS, and the certificate is signed by a trusted authority for this very host name.
    VerifyFull,
}

impl SslMode {
    fn parse(s: &str) -> Option<Self> {
        Some(match s {
            "disable" => SslMode::Disable,
            "allow" => SslMode::Allow,
            "prefer" => SslMode::Prefer,
            "require" => SslMode::Require,
            "verify-ca" => SslMode::VerifyCa,
            "verify-full" => SslMode::VerifyFull,
            _ => return None,
        })
    }

    /// The word libpq uses.
    pub fn as_str(self) -> &'static str {
        match self {
            SslMode::Disable => "disable",
            SslMode::Allow => "allow",
            SslMode::Prefer => "prefer",
            SslMode::Require => "require",
            SslMode::VerifyCa => "verify-ca",
            SslMode::VerifyFull => "verify-full",
        }
    }
}

/// Where and as whom to connect.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnInfo {
    /// Host name, address, or directory of a Unix socket.
    pub host: String,
    /// TCP port, or the number in the socket's name.
    pub port: u16,
    /// Role to connect as.
    pub user: String,
    /// Password, where one is known or can be asked for.
    pub password: Option<Password>,
    /// Database to connect to.
    pub database: String,
    /// TLS wish.
    pub sslmode: SslMode,
    /// File of trusted root certificates, PEM.
    pub sslrootcert: Option<PathBuf>,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Name shown in `pg_stat_activity`.
    pub application_name: String,
    /// `options` of the startup packet (`-c name=value …`).
    pub options: Option<String>,
}

/// Keys that are understood and carried out.
const KEYS: &[&str] = &[
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "dbname",
    "sslmode",
    "sslrootcert",
    "connect_timeout",
    "application_name",
    "options",
];
/// Keys of libpq that change nothing here and are taken without a word.
const IGNORED: &[&str] = &[
    "client_encoding",
    "fallback_application_name",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "gssencmode",
    "channel_binding",
    "sslcompression",
    "sslsni",
];

impl ConnInfo {
    /// Parses a connection URL (`postgres://`, `postgresql://`) or a `key=value` string and fills what it
    /// does not say from the environment.
    ///
    /// # Errors
    /// `Config` for a malformed string or an unknown key; the text of the string is never repeated, as it may
    /// hold a password.
    pub fn parse(s: &str) -> Result<ConnInfo> {
        Self::parse_with(s, |name| std::env::var(name).ok())
    }

    /// Whether the string looks like a connection string rather than a configured name.
    pub fn looks_like(s: &str) -> bool {
        s.starts_with("postgres://") || s.starts_with("postgresql://") || s.contains('=')
    }

    fn parse_with(s: &str, env: impl Fn(&str) -> Option<String>) -> Result<ConnInfo> {
        let mut keys = if s.starts_with("postgres://") || s.starts_with("postgresql://") {
            parse_url(s)?
        } else {
            parse_pairs(s)?
        };
        for key in keys.keys() {
            if !KEYS.contains(&key.as_str()) && !IGNORED.contains(&key.as_str()) {
                return Err(bad(format!("unknown connection parameter \"{key}\""))
                    .hint(format!("known are {}", KEYS.join(", "))));
            }
        }
        let mut take = |key: &str, var: &str| keys.remove(key).or_else(|| env(var)).filter(|v| !v.is_empty());
        let host = take("hostaddr", "PGHOSTADDR");
        let named = take("host", "PGHOST");
        let named = named.or(host);
        let port = match take("port", "PGPORT") {
            None => 5432,
            Some(p) => p.parse().map_err(|_| bad(format!("port \"{p}\" is not a number below 65536")))?,
        };
        let host = named.unwrap_or_else(|| default_host(port));
        if host.contains(',') {
            return Err(bad("several hosts in one connection string").hint("name one host"));
        }
        let user = take("user", "PGUSER")
            .or_else(|| env("USER"))
            .ok_or_else(|| bad("no user name").hint("write it in the URL: postgres://user@host/database"))?;
        let password = take("password", "PGPASSWORD").map(Password::from);
        let database = take("dbname", "PGDATABASE").unwrap_or_else(|| user.clone());
        let sslmode = match take("sslmode", "PGSSLMODE") {
            None => SslMode::default(),
            Some(m) => SslMode::parse(&m).ok_or_else(|| {
                bad(format!("sslmode \"{m}\" is unknown"))
                    .hint("use disable, allow, prefer, require, verify-ca or verify-full")
            })?,
        };
        let sslrootcert = take("sslrootcert", "PGSSLROOTCERT").map(PathBuf::from);
        let connect_timeout = match take("connect_timeout", "PGCONNECT_TIMEOUT") {
            None => Duration::from_secs(15),
            Some(t) => match t.parse::<u64>() {
                Ok(0) => Duration::from_secs(24 * 3600),
                Ok(n) => Duration::from_secs(n),
                Err(_) => return Err(bad(format!("connect_timeout \"{t}\" is not a number of seconds"))),
            },
        };
        let application_name = take("application_name", "PGAPPNAME").unwrap_or_else(|| "pgkeep".into());
        let options = take("options", "PGOPTIONS");
        Ok(ConnInfo {
            host,
            port,
            user,
            password,
            database,
            sslmode,
            sslrootcert,
            connect_timeout,
            application_name,
            options,
        })
    }

    /// The same server and user, another database.
    #[must_use]
    pub fn with_database(&self, database: &str) -> ConnInfo {
        ConnInfo { database: database.into(), ..self.clone() }
    }

    /// The environment that makes a libpq client (`pg_dump`) connect to the same place. The password goes
    /// here and not on the command line, where every user of the machine could read it.
    ///
    /// # Errors
    /// Where the password is asked for: its source's.
    pub fn to_env(&self) -> Result<Vec<(&'static str, String)>> {
        let mut env = vec![
            ("PGHOST", self.host.clone()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", self.user.clone()),
            ("PGDATABASE", self.database.clone()),
            ("PGSSLMODE", self.sslmode.as_str().into()),
            ("PGCONNECT_TIMEOUT", self.connect_timeout.as_secs().to_string()),
            ("PGAPPNAME", self.application_name.clone()),
        ];
        if let Some(p) = &self.password {
            env.push(("PGPASSWORD", p.get()?));
        }
        if let Some(f) = &self.sslrootcert {
            env.push(("PGSSLROOTCERT", f.display().to_string()));
        }
        if let Some(o) = &self.options {
            env.push(("PGOPTIONS", o.clone()));
        }
        Ok(env)
    }

    /// Whether `host` is a directory with a Unix socket in it.
    pub fn is_unix(&self) -> bool {
        self.host.starts_with('/')
    }
}

/// Shows the place and never the password.
impl fmt::Display for ConnInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}/{}", self.user, self.host, self.port, self.database)
    }
}

impl fmt::Debug for ConnInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnInfo({self})")
    }
}

/// As libpq: the Unix socket where there is one, in the directory of Debian's packages or of the source's default;
/// else the loopback.
fn default_host(port: u16) -> String {
    ["/var/run/postgresql", "/tmp"]
        .into_iter()
        .find(|dir| std::path::Path::new(&format!("{dir}/.s.PGSQL.{port}")).exists())
        .unwrap_or("localhost")
        .into()
}

fn bad(why: impl Into<String>) -> EngineError {
    EngineError::new(ErrorKind::Config, "connection string", why)
}

fn decode(s: &str) -> Result<String> {
    let out = percent_decode_str(s)
        .decode_utf8()
        .map_err(|_| bad("a percent-encoded part is not UTF-8"))?
        .into_owned();
    if out.contains('\0') { Err(bad("a percent-encoded part holds a zero byte")) } else { Ok(out) }
}

/// `postgres://[user[:password]@][host][:port][/dbname][?key=value&…]`, split by hand as libpq does: real
/// passwords hold characters that a strict URL parser refuses.
fn parse_url(s: &str) -> Result<BTreeMap<String, String>> {
    let rest = s.split_once("://").map(|(_, r)| r).unwrap_or_default();
    let mut keys = BTreeMap::new();
    let (rest, query) = match rest.split_once('?') {
        Some((r, q)) => (r, Some(q)),
        None => (rest, None),
    };
    // The last '@' before the path ends the user part: passwords often hold an unencoded '@' or '/'.
    let (auth, place) = match rest.rfind('@') {
        Some(i) => (Some(&rest[..i]), &rest[i + 1..]),
        None => (None, rest),
    };
    if let Some(auth) = auth {
        let (user, password) = match auth.split_once(':') {
            Some((u, p)) => (u, Some(p)),
            None => (auth, None),
        };
        if !user.is_empty() {
            keys.insert("user".into(), decode(user)?);
        }
        if let Some(p) = password {
            keys.insert("password".into(), decode(p)?);
        }
    }
    let (host, database) = match place.split_once('/') {
        Some((h, d)) => (h, Some(d)),
        None => (place, None),
    };
    let (host, port) = if let Some(v6) = host.strip_prefix('[') {
        let (h, tail) = v6.split_once(']').ok_or_else(|| bad("\"[\" without \"]\" in the host"))?;
        (h, tail.strip_prefix(':'))
    } else {
        match host.rsplit_once(':') {
            Some((h, p)) => (h, Some(p)),
            None => (host, None),
        }
    };
    if !host.is_empty() {
        keys.insert("host".into(), decode(host)?);
    }
    if let Some(p) = port.filter(|p| !p.is_empty()) {
        keys.insert("port".into(), p.into());
    }
    if let Some(d) = database.filter(|d| !d.is_empty()) {
        keys.insert("dbname".into(), decode(d)?);
    }
    for pair in query.unwrap_or_default().split('&').filter(|p| !p.is_empty()) {
        let (k, v) = pair.split_once('=').ok_or_else(|| bad("a parameter after \"?\" has no \"=\""))?;
        let (k, v) = (decode(k)?, decode(v)?);
        // JDBC's spelling, which libpq takes too.
        let (k, v) = if k == "ssl" && v == "true" { ("sslmode".into(), "require".into()) } else { (k, v) };
        keys.insert(k, v);
    }
    Ok(keys)
}

/// `key=value key='quoted value'`, with `\'` and `\\` inside quotes.
fn parse_pairs(s: &str) -> Result<BTreeMap<String, String>> {
    let mut keys = BTreeMap::new();
    let mut chars = s.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(keys);
        }
        let mut key = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=' && !c.is_whitespace()) {
            key.push(c);
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.next() != Some('=') {
            return Err(bad("expected key=value pairs or a postgres:// URL"));
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let mut value = String::new();
        if chars.next_if_eq(&'\'').is_some() {
            loop {
                match chars.next() {
                    Some('\'') => break,
                    Some('\\') => value.extend(chars.next()),
                    Some(c) => value.push(c),
                    None => return Err(bad("a quoted value is not closed")),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
                if c == '\\' { value.extend(chars.next()) } else { value.push(c) }
            }
        }
        keys.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(s: &str) -> Result<ConnInfo> {
        ConnInfo::parse_with(s, |_| None)
    }

    fn text(info: &ConnInfo) -> String {
        info.password.as_ref().unwrap().get().unwrap()
    }

    #[test]
    fn a_url_says_everything() {
        let c = parse(
            "postgres://al%20ice:p%40ss:w@db.example.com:6543/shop?sslmode=verify-full&connect_timeout=3",
        )
        .unwrap();
        assert_eq!((c.user.as_str(), text(&c).as_str()), ("al ice", "p@ss:w"));
        assert_eq!((c.host.as_str(), c.port, c.database.as_str()), ("db.example.com", 6543, "shop"));
        assert_eq!((c.sslmode, c.connect_timeout), (SslMode::VerifyFull, Duration::from_secs(3)));
    }

    #[test]
    fn an_unencoded_at_sign_or_slash_in_a_password_is_understood() {
        let c = parse("postgresql://u:p@s/s@h/d").unwrap();
        assert_eq!((text(&c).as_str(), c.host.as_str(), c.database.as_str()), ("p@s/s", "h", "d"));
    }

    #[test]
    fn pairs_with_quotes_are_read_as_libpq_reads_them() {
        let c = parse(r"host = /var/run user='o''").unwrap_err();
        assert_eq!(c.kind, ErrorKind::Config);
        let c = parse(r"host=/var/run  user='o\'neil' dbname=x password=a\ b").unwrap();
        assert!(c.is_unix());
        assert_eq!((c.user.as_str(), c.database.as_str(), text(&c).as_str()), ("o'neil", "x", "a b"));
    }

    #[test]
    fn ipv6_hosts_keep_their_colons() {
        let c = parse("postgres://u@[::1]:5433/d").unwrap();
        assert_eq!((c.host.as_str(), c.port), ("::1", 5433));
    }

    #[test]
    fn the_environment_fills_what_is_missing() {
        let c = ConnInfo::parse_with("postgres://h", |v| match v {
            "PGUSER" => Some("eve".into()),
            "PGPASSWORD" => Some("secret".into()),
            _ => None,
        })
        .unwrap();
        assert_eq!((c.user.as_str(), c.database.as_str(), c.port), ("eve", "eve", 5432));
        assert!(!format!("{c} {c:?}").contains("secret"));
    }

    #[test]
    fn an_unknown_key_is_named_and_the_password_is_not() {
        let e = parse("postgres://u:hunter2@h/d?sslmodus=x").unwrap_err().to_string();
        assert!(e.contains("sslmodus") && !e.contains("hunter2"), "{e}");
    }
}
