//! Where a database is, and the words that say it without the password.

use serde::Deserialize;

use super::{Ask, EventError};

/// A database in parts, as Terraform's list gives it. Each part has the name that our configuration uses and those
/// that others do.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The name that its backups are kept under; the database's where it is left out.
    pub name: Option<String>,
    /// Host.
    pub host: Option<String>,
    /// Port, a number or a string.
    pub port: Option<serde_json::Value>,
    /// Role to log in as.
    #[serde(alias = "username")]
    pub user: Option<String>,
    /// Its password.
    pub password: Option<String>,
    /// Or the secret of AWS Secrets Manager that holds it.
    #[serde(alias = "password_secret")]
    pub secret: Option<String>,
    /// Log in by an IAM token.
    #[serde(default, alias = "iam")]
    pub iam_auth: bool,
    /// Database.
    #[serde(alias = "database")]
    pub dbname: Option<String>,
    /// libpq's `sslmode`.
    #[serde(alias = "ssl_mode")]
    pub sslmode: Option<String>,
    /// Or all of it in one: a URL, an `rds:` name, a configured name.
    pub url: Option<String>,
}

impl Place {
    /// The names of the parts.
    pub const FIELDS: [&str; 9] =
        ["name", "host", "port", "username", "password", "secret", "iam_auth", "database", "ssl_mode"];

    /// The backup of it.
    pub(crate) fn ask(&self, store: Option<&str>) -> Result<Ask, EventError> {
        let mut ask = match &self.url {
            Some(url) => Ask::of_words(url, store)?,
            None => {
                let name = self.name.as_ref().or(self.dbname.as_ref());
                if self.host.is_none() && self.secret.is_none() {
                    let of = name.map(|n| format!(" of \"{n}\"")).unwrap_or_default();
                    return Err(EventError::Environment(format!("the host{of} is missing")));
                }
                let port = self.port.as_ref().map(|p| match p {
                    serde_json::Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
                let pairs = [
                    ("host", self.host.clone()),
                    ("port", port),
                    ("user", self.user.clone()),
                    ("dbname", self.dbname.clone()),
                    ("sslmode", self.sslmode.clone()),
                ];
                let words: Vec<String> = pairs
                    .iter()
                    .filter_map(|(key, value)| value.as_ref().map(|value| pair(key, value)))
                    .collect();
                // Words alone would be taken for a configured name.
                let words = if words.is_empty() { "postgres://".to_owned() } else { words.join(" ") };
                Ask::backup(&words, name.map_or("database", String::as_str), store)
            }
        };
        if let Some(password) = &self.password {
            ask.environment = vec![("PGPASSWORD".into(), password.clone())];
        }
        if let Some(secret) = &self.secret {
            ask.words.extend(["--password-secret".into(), secret.clone()]);
        }
        if self.iam_auth {
            ask.words.push("--iam-auth".into());
        }
        Ok(ask)
    }
}

impl Ask {
    /// The backup of a database named by a URL, an `rds:` name, `key=value` pairs or a configured name. A URL's password
    /// moves into the environment, since the words of a process can be read by others and are logged.
    pub(crate) fn of_words(words: &str, store: Option<&str>) -> Result<Ask, EventError> {
        let Some((scheme, rest)) = words.split_once("://").filter(|(s, _)| s.starts_with("postgres")) else {
            if words.contains("password=") || words.contains("password =") {
                return Err(EventError::Environment(
                    "a password among key=value pairs\n  hint: write the database as a JSON object or a URL"
                        .into(),
                ));
            }
            if words.starts_with("rds:") || words.contains('=') {
                let name = words.trim_start_matches("rds:").split(['?', '/']).next().unwrap_or(words);
                return Ok(Ask::backup(words, name, store));
            }
            // A configured name: its entry says the store, too.
            let mut ask = Ask::backup(words, words, store);
            ask.words = vec!["backup".into(), words.into()];
            return Ok(ask);
        };
        let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
        if query.is_some_and(|q| q.split('&').any(|p| p.starts_with("password="))) {
            return Err(EventError::Environment(
                "a password among the parameters of a URL\n  hint: write it before the host: //user:password@host".into(),
            ));
        }
        // The last '@' ends the user part, as libpq reads it.
        let (user, host) = place.rsplit_once('@').map_or((None, place), |(user, host)| (Some(user), host));
        let (user, password) = match user.map(|u| u.split_once(':').unwrap_or((u, ""))) {
            Some((user, password)) => (Some(user), Some(password).filter(|p| !p.is_empty())),
            None => (None, None),
        };
        let mut url = format!("{scheme}://");
        if let Some(user) = user {
            url += user;
            url += "@";
        }
        url += host;
        if let Some(query) = query {
            url += "?";
            url += query;
        }
        let database = host.split_once('/').map_or("", |(_, d)| d);
        let name = if database.is_empty() { "postgres" } else { database };
        let mut ask = Ask::backup(&url, &percent_decode(name), store);
        ask.environment.extend(password.map(|p| ("PGPASSWORD".to_owned(), percent_decode(p))));
        Ok(ask)
    }

    pub(crate) fn backup(words: &str, name: &str, store: Option<&str>) -> Ask {
        let mut all = vec!["backup".to_owned(), words.to_owned(), "--name".to_owned(), name.to_owned()];
        if let Some(store) = store {
            all.extend(["--to".to_owned(), store.to_owned()]);
        }
        Ask { name: name.to_owned(), words: all, environment: Vec::new(), secret_in_event: false }
    }

    /// Adds an option.
    pub(crate) fn with(mut self, option: &str, value: &str) -> Ask {
        self.words.extend([option.to_owned(), value.to_owned()]);
        self
    }
}

/// libpq's `key='value'`.
pub(crate) fn pair(key: &str, value: &str) -> String {
    format!("{key}='{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn percent_decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}
