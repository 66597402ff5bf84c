//! Secrets of the Secrets Manager: RDS's JSON, or a plain string.

use serde_json::Value;
use std::fmt;

use crate::account::Account;
use crate::error::{Asked, CloudError, CloudErrorKind, Result};
use crate::runtime;

/// A secret. The shape with more than a password is that of RDS (Secrets Manager User Guide, "JSON structure of AWS
/// Secrets Manager secrets").
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret {
    /// The password.
    pub password: String,
    /// Whose it is.
    pub username: Option<String>,
    /// Where it is good for.
    pub host: Option<String>,
    /// TCP port.
    pub port: Option<u16>,
    /// Database to connect to.
    pub dbname: Option<String>,
}

impl Account {
    /// The current version of a secret, by name or ARN (`secretsmanager:GetSecretValue`).
    ///
    /// # Errors
    /// Not found, not allowed, not reached; `Unfit` for one that holds no password for PostgreSQL.
    pub fn secret(&self, id: &str) -> Result<Secret> {
        parse(&self.secret_text(id)?).map_err(|why| {
            CloudError::new(CloudErrorKind::Unfit, self.named(id), why)
                .hint("store a plain string, or JSON with password and, as RDS has it, username, host, port, dbname")
        })
    }

    /// The text of a secret's current version, whatever it is.
    ///
    /// # Errors
    /// Not found, not allowed, not reached; `Unfit` for a binary one.
    pub fn secret_text(&self, id: &str) -> Result<String> {
        let asked = Asked { what: self.named(id), action: "secretsmanager:GetSecretValue" };
        let client = aws_sdk_secretsmanager::Client::new(&self.sdk);
        let request = client.get_secret_value().secret_id(id);
        runtime::run(async move {
            let got = request.send().await.map_err(|e| asked.failed(&e))?;
            let text = got.secret_string().map(str::to_owned);
            text.ok_or_else(|| {
                CloudError::new(CloudErrorKind::Unfit, &asked.what, "it is binary and not text")
            })
        })
    }

    fn named(&self, id: &str) -> String {
        format!("secret {id} in {}", self.region)
    }
}

/// The reason of a failure names keys and never values.
fn parse(text: &str) -> Result<Secret, String> {
    let map = match serde_json::from_str(text) {
        Ok(Value::Object(map)) => map,
        _ => {
            let password = text.trim_end_matches(['\r', '\n']).to_owned();
            return match password.is_empty() {
                true => Err("it is empty".into()),
                false => Ok(Secret { password, ..Secret::default() }),
            };
        }
    };
    let word = |key: &str| map.get(key).and_then(Value::as_str).filter(|v| !v.is_empty()).map(str::to_owned);
    if let Some(engine) = word("engine").filter(|e| !e.contains("postgres")) {
        return Err(format!("it is for a database of engine {engine}, and pgkeep speaks PostgreSQL only"));
    }
    let password = word("password").ok_or_else(|| {
        let keys: Vec<&str> = map.keys().map(String::as_str).collect();
        format!("its JSON has no \"password\" (its keys: {})", keys.join(", "))
    })?;
    let port = match map.get("port") {
        None | Some(Value::Null) => None,
        Some(port) => {
            let number = port.as_u64().or_else(|| port.as_str()?.parse().ok());
            let number = number.and_then(|n| u16::try_from(n).ok());
            Some(number.ok_or("its \"port\" is not a number below 65536")?)
        }
    };
    Ok(Secret { password, username: word("username"), host: word("host"), port, dbname: word("dbname") })
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret(of {:?} on {:?})", self.username, self.host)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_shape_of_rds_is_read_with_the_port_as_number_or_text() {
        for port in ["5433", "\"5433\""] {
            let text = format!(
                r#"{{"username":"app","password":"p","engine":"aurora-postgresql","host":"h","port":{port},"dbname":"shop"}}"#
            );
            let secret = parse(&text).unwrap();
            assert_eq!((secret.password.as_str(), secret.port), ("p", Some(5433)));
            assert_eq!(secret.username.as_deref(), Some("app"));
            assert_eq!((secret.host.as_deref(), secret.dbname.as_deref()), (Some("h"), Some("shop")));
        }
    }

    #[test]
    fn what_is_no_object_is_the_password_itself() {
        for text in ["s3cret\n", "12345", "\"quoted\"", "{broken"] {
            assert_eq!(parse(text).unwrap().password, text.trim_end());
        }
        assert!(parse("\n").is_err());
    }

    #[test]
    fn a_refusal_names_keys_and_no_values() {
        let why = parse(r#"{"user":"app","passwort":"hunter2"}"#).unwrap_err();
        assert!(why.contains("passwort") && !why.contains("hunter2"), "{why}");
        let why = parse(r#"{"engine":"mysql","password":"hunter2"}"#).unwrap_err();
        assert!(why.contains("mysql") && !why.contains("hunter2"), "{why}");
        assert!(parse(r#"{"password":"hunter2","port":"many"}"#).is_err());
        assert!(!format!("{:?}", parse("hunter2").unwrap()).contains("hunter2"));
    }
}
