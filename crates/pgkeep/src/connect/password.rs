//! Where a password comes from.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pgkeep_cloud::{Account, CloudError, CloudErrorKind, Secret};
use pgkeep_engine::{ConnInfo, EngineError, ErrorKind, Password};
use serde::Deserialize;

use super::command::{Argv, output};
use super::{no_password, note};
use crate::config::expand::expand;
use crate::failure::{Failure, Result};

/// A password by reference.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum PasswordSource {
    /// The first line of a file.
    File {
        /// Its path.
        file: PathBuf,
    },
    /// The first line that a command prints.
    Command {
        /// A list of words, or one string for `sh -c`.
        command: Argv,
    },
    /// A variable of the environment.
    Env {
        /// Its name.
        env: String,
    },
    /// A secret of AWS Secrets Manager: a plain string, or JSON as RDS writes it.
    Secret {
        /// Name or ARN.
        secret: String,
        /// Its region.
        region: Option<String>,
    },
    /// A parameter of AWS Systems Manager.
    Parameter {
        /// Name or ARN.
        parameter: String,
        /// Its region.
        region: Option<String>,
    },
    /// A token that IAM gives, made anew for each connection.
    Iam {
        /// Must be true.
        iam: bool,
        /// The database's region.
        region: Option<String>,
    },
}

impl PasswordSource {
    /// The same with `${NAME}` replaced; `place` is named when one is not set.
    pub(super) fn expanded(&self, place: &str) -> Result<PasswordSource> {
        let x = |text: &str| expand(text, place);
        let xx = |text: &Option<String>| text.as_deref().map(x).transpose();
        Ok(match self {
            PasswordSource::File { file } => {
                PasswordSource::File { file: x(&file.to_string_lossy())?.into() }
            }
            // A shell replaces its own, and a list is for a program that may want the sign.
            PasswordSource::Command { .. } => self.clone(),
            PasswordSource::Env { env } => PasswordSource::Env { env: x(env)? },
            PasswordSource::Secret { secret, region } => {
                PasswordSource::Secret { secret: x(secret)?, region: xx(region)? }
            }
            PasswordSource::Parameter { parameter, region } => {
                PasswordSource::Parameter { parameter: x(parameter)?, region: xx(region)? }
            }
            PasswordSource::Iam { iam, region } => PasswordSource::Iam { iam: *iam, region: xx(region)? },
        })
    }

    /// Asks a source that gives the same all through a run.
    pub(super) fn read(&self, region: Option<&str>) -> Result<Password> {
        let text = match self {
            PasswordSource::File { file } => of_file(file)?,
            PasswordSource::Command { command } => output(command)?,
            PasswordSource::Env { env } => of_env(env)?,
            PasswordSource::Parameter { parameter, region: own } => {
                Account::of(parameter, own.as_deref().or(region))
                    .and_then(|a| a.parameter(parameter))
                    .map_err(engine_error)?
            }
            PasswordSource::Secret { secret: id, region: own } => {
                secret(id, own.as_deref().or(region))?.password
            }
            PasswordSource::Iam { .. } => {
                return Err(Failure::usage("an IAM token is for one host and user; none is known here"));
            }
        };
        Ok(Password::Text(text))
    }
}

/// A secret with all that it says.
pub(super) fn secret(id: &str, region: Option<&str>) -> Result<Secret> {
    Ok(Account::of(id, region).and_then(|a| a.secret(id)).map_err(engine_error)?)
}

/// A token for each new connection to the place that `info` names.
pub(super) fn iam(info: &ConnInfo, region: Option<&str>) -> Result<Password> {
    let of_host = region_of_host(&info.host);
    let account = Account::open(region.or(of_host)).map_err(engine_error)?;
    let (host, port, user) = (info.host.clone(), info.port, info.user.clone());
    let ask = move || account.iam_token(&host, port, &user).map_err(engine_error);
    // A missing credential is told before anything is begun.
    ask()?;
    Ok(Password::Ask(Arc::new(ask)))
}

/// `<name>.<id>.<region>.rds.amazonaws.com` (RDS User Guide, "Connecting to a DB instance").
fn region_of_host(host: &str) -> Option<&str> {
    let host =
        host.strip_suffix(".rds.amazonaws.com").or_else(|| host.strip_suffix(".rds.amazonaws.com.cn"))?;
    host.rsplit('.').next()
}

fn of_file(file: &Path) -> Result<String> {
    let what = || format!("password file {}", file.display());
    let text = std::fs::read_to_string(file).map_err(|e| no_password(what(), e.to_string()))?;
    // A pipe or /dev/stdin has no rights worth a word.
    let shared = std::fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o077 != 0);
    if shared {
        note(format!("{} can be read by others: chmod 600 {}", what(), file.display()));
    }
    Ok(first_line(&text).ok_or_else(|| no_password(what(), "its first line is empty"))?)
}

fn of_env(name: &str) -> Result<String> {
    let what = || format!("password from ${name}");
    let text = std::env::var(name).map_err(|e| no_password(what(), e.to_string()))?;
    if text.is_empty() { Err(no_password(what(), "it is empty").into()) } else { Ok(text) }
}

/// Editors and `echo` end a file with a newline that is no part of the password.
pub(super) fn first_line(text: &str) -> Option<String> {
    text.lines().next().filter(|line| !line.is_empty()).map(str::to_owned)
}

/// As an error of the connection that needed it.
pub(super) fn engine_error(e: CloudError) -> EngineError {
    let kind = match e.kind {
        CloudErrorKind::NotFound | CloudErrorKind::Unfit => ErrorKind::Config,
        CloudErrorKind::Credentials | CloudErrorKind::Denied => ErrorKind::Authentication,
        _ => ErrorKind::Connect,
    };
    EngineError { hint: e.hint, ..EngineError::new(kind, e.what, e.why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_of_rds_names_its_region() {
        assert_eq!(region_of_host("shop.abc.eu-central-1.rds.amazonaws.com"), Some("eu-central-1"));
        assert_eq!(region_of_host("a.b.cn-north-1.rds.amazonaws.com.cn"), Some("cn-north-1"));
        assert_eq!(region_of_host("db.example.com"), None);
    }
}
