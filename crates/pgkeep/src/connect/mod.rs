//! From the word for a database on the command line to a connection: configured names, URLs, `rds:` names, and
//! passwords by reference.

mod command;
mod flags;
mod password;
mod rds;
mod string;

use pgkeep_engine::{ConnInfo, EngineError, ErrorKind, Password};

use crate::config::Config;
use crate::config::expand::expand;
use crate::failure::{Failure, Result};
use crate::show::warn;

pub(crate) use flags::PasswordFlags;
pub(crate) use password::PasswordSource;
pub(crate) use rds::{is_rds, named as rds_named};
use string::ConnString;

/// A database that can be connected to.
pub(crate) struct Target<'c> {
    /// Its name in the configuration; `None` for a bare URL.
    pub(crate) name: Option<&'c str>,
    pub(crate) info: ConnInfo,
}

/// Whether these words say where a database is, so that they may hold a password, rather than name one.
pub(crate) fn is_place(words: &str) -> bool {
    rds::is_rds(words) || ConnInfo::looks_like(words)
}

/// The database meant by a URL, an `rds:` name or a configured name. Flags come before the configuration.
///
/// # Errors
/// Words or a configuration that make no sense; what AWS, a command or a file said instead of giving a password.
pub(crate) fn target<'c>(words: &'c str, flags: &PasswordFlags, config: &'c Config) -> Result<Target<'c>> {
    let said = said(words, config)?;
    let source = flags.source()?.or(said.source);
    let info = connection(&said.url, source.as_ref(), flags.region.as_deref())?;
    Ok(Target { name: said.name, info })
}

/// The database of these words as a restore of RDS's has brought it back under another name, at another place: user, password and
/// database are the same.
///
/// # Errors
/// As [`target`].
pub(crate) fn restored(
    words: &str,
    config: &Config,
    region: &str,
    name: &str,
    place: (&str, u16),
) -> Result<ConnInfo> {
    let said = said(words, config)?;
    if rds::is_rds(&said.url) {
        return connection(&rds::renamed(&said.url, name), said.source.as_ref(), Some(region));
    }
    let info = connection(&said.url, said.source.as_ref(), Some(region))?;
    Ok(ConnInfo { host: place.0.to_owned(), port: place.1, hostaddr: None, others: Vec::new(), ..info })
}

/// What words and configuration say of a database.
struct Said<'c> {
    name: Option<&'c str>,
    url: String,
    source: Option<PasswordSource>,
}

fn said<'c>(words: &str, config: &'c Config) -> Result<Said<'c>> {
    let Some((name, entry)) = config.databases.get_key_value(words) else {
        return match is_place(words) {
            true => Ok(Said { name: None, url: words.to_owned(), source: None }),
            false => Err(config.unknown_database(words)),
        };
    };
    let url =
        expand(entry.url.as_deref().unwrap_or("postgres://"), &format!("the URL of database \"{name}\""))?;
    let source = entry.password.as_ref().map(|p| p.expanded(&format!("the password of database \"{name}\"")));
    Ok(Said { name: Some(name), url, source: source.transpose()? })
}

/// Asks a source for a secret that is no database's; `place` is named when a variable of the source is not set.
///
/// # Errors
/// What AWS, a command or a file said instead of giving it.
pub(crate) fn secret(source: &PasswordSource, place: &str) -> Result<String> {
    match source.expanded(place)?.read(None)? {
        Password::Text(text) => Ok(text),
        Password::Ask(ask) => Ok(ask()?),
    }
}

/// Where a configured database is, without its password; `None` where only its secret says it.
///
/// # Errors
/// A URL that makes no sense, or what AWS said of an `rds:` name.
pub(crate) fn place(name: &str, config: &Config) -> Result<Option<ConnInfo>> {
    let Some(url) = config.databases.get(name).and_then(|d| d.url.as_deref()) else { return Ok(None) };
    let url = expand(url, &format!("the URL of database \"{name}\""))?;
    let string = if rds::is_rds(&url) { rds::place(&url, None)?.0 } else { ConnString::of(&url) };
    Ok(Some(ConnInfo::parse(&string.text())?))
}

/// Host and port of a configured database, without asking anybody: the name where only RDS or a secret knows them.
pub(crate) fn host(name: &str, config: &Config) -> String {
    let url = config.databases.get(name).and_then(|d| d.url.as_deref());
    let url = url.and_then(|url| expand(url, "url").ok()).filter(|url| !rds::is_rds(url));
    let info = url.and_then(|url| ConnInfo::parse(&ConnString::of(&url).text()).ok());
    info.map_or_else(|| name.to_owned(), |info| format!("{}:{}", info.host, info.port))
}

fn connection(url: &str, source: Option<&PasswordSource>, region: Option<&str>) -> Result<ConnInfo> {
    let (mut string, iam) = match rds::is_rds(url) {
        true => rds::place(url, region)?,
        false => (ConnString::of(url), None),
    };
    let source = source.or(iam.as_ref());
    let password = match source {
        None => None,
        Some(PasswordSource::Secret { secret, region: own }) => {
            let secret = password::secret(secret, own.as_deref().or(region))?;
            string.fill("user", secret.username.as_deref());
            string.fill("host", secret.host.as_deref());
            string.fill("port", secret.port.map(|p| p.to_string()).as_deref());
            string.fill("dbname", secret.dbname.as_deref());
            Some(Password::Text(secret.password))
        }
        Some(PasswordSource::Iam { region: own, .. }) => {
            // libpq's default lets the token go over a connection without TLS.
            string.fill("sslmode", Some("require"));
            let info = ConnInfo::parse(&string.text())?;
            let mode = info.tls.mode.as_str();
            if ["disable", "allow", "prefer"].contains(&mode) {
                return Err(Failure::usage(format!(
                    "{info}: sslmode={mode} could send the IAM token without encryption\n  hint: sslmode=require or verify-full"
                )));
            }
            Some(password::iam(&info, own.as_deref().or(region))?)
        }
        Some(other) => Some(other.read(region)?),
    };
    if rds::is_rds(url) && !string.has("user") && std::env::var_os("PGUSER").is_none() {
        return Err(Failure::usage(format!(
            "{}: no user is named\n  hint: write {}?user=…, set PGUSER, or take a secret with a user name",
            rds::shown(url),
            rds::shown(url)
        )));
    }
    let mut info = ConnInfo::parse(&string.text())?;
    if password.is_some() {
        info.password = password;
    }
    Ok(info)
}

/// A password that could not be had, as an error of the connection that needed it.
fn no_password(what: impl Into<String>, why: impl Into<String>) -> EngineError {
    EngineError::new(ErrorKind::Authentication, what, why)
}

/// What the reader should know although the run goes on.
fn note(text: impl std::fmt::Display) {
    warn(format!("pgkeep: note: {text}"));
}
