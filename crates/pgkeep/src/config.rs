//! `pgkeep.toml`: databases and stores by name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::{Failure, Result};
use crate::filters::Filters;

/// The store where none is named.
const DEFAULT_STORE: &str = "./backups";

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Store for every database that names none.
    store: Option<String>,
    /// As `--key`, for every database that names none.
    key: Option<String>,
    /// Databases by the name that the command line uses.
    #[serde(default)]
    databases: BTreeMap<String, Database>,
}

/// One database.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    /// Connection URL; `${NAME}` is replaced from the environment.
    url: String,
    /// Its own store.
    store: Option<String>,
    /// As `--jobs`.
    pub(crate) jobs: Option<usize>,
    /// As `--compress`.
    pub(crate) compress: Option<String>,
    /// As `--key`.
    pub(crate) key: Option<String>,
    /// As `--lock-timeout`.
    pub(crate) lock_timeout: Option<String>,
    /// What of it to back up.
    #[serde(flatten)]
    pub(crate) filters: Filters,
}

/// A database as named on the command line.
pub(crate) struct Named<'c> {
    /// The configured name; `None` for a bare URL.
    pub(crate) name: Option<&'c str>,
    pub(crate) url: String,
    pub(crate) store: Option<String>,
    pub(crate) settings: Option<&'c Database>,
}

impl Config {
    /// Reads the file named by `--config` or `PGKEEP_CONFIG`, else the first of `./pgkeep.toml`,
    /// `~/.config/pgkeep/pgkeep.toml` and `/etc/pgkeep/pgkeep.toml` that exists, else nothing.
    pub(crate) fn load(named: Option<&Path>) -> Result<Config> {
        let path = match named {
            Some(path) => path.to_owned(),
            None => match usual_places().into_iter().find(|p| p.is_file()) {
                Some(path) => path,
                None => return Ok(Config::default()),
            },
        };
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Failure::usage(format!("reading configuration {}: {e}", path.display())))?;
        toml::from_str(&text).map_err(|e| {
            // Only the place and the complaint: the line itself can hold a password.
            let line = e.span().map_or(0, |s| text[..s.start.min(text.len())].lines().count().max(1));
            Failure::usage(format!("configuration {}, line {line}: {}", path.display(), e.message()))
        })
    }

    /// The database meant by a URL or a configured name.
    pub(crate) fn database<'c>(&'c self, words: &'c str) -> Result<Named<'c>> {
        if let Some((name, d)) = self.databases.get_key_value(words) {
            let url = expand(&d.url, name)?;
            return Ok(Named { name: Some(name), url, store: d.store.clone(), settings: Some(d) });
        }
        if pgkeep_engine::ConnInfo::looks_like(words) {
            return Ok(Named { name: None, url: words.to_owned(), store: None, settings: None });
        }
        let known: Vec<&str> = self.databases.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(Failure::usage(format!(
            "\"{words}\" is neither a postgres:// URL nor a configured database (configured: {known})\n  \
             hint: pgkeep backup postgres://user@host/database --to /folder"
        )))
    }

    /// The file's `key`.
    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The store to use: what the command line says, what the database's entry says, what the file says, or
    /// `./backups`.
    pub(crate) fn store(&self, flag: Option<&str>, database: Option<&str>) -> String {
        flag.or(database).or(self.store.as_deref()).unwrap_or(DEFAULT_STORE).to_owned()
    }
}

fn usual_places() -> Vec<PathBuf> {
    let mut places = vec![PathBuf::from("pgkeep.toml")];
    if let Some(home) = std::env::home_dir() {
        places.push(home.join(".config/pgkeep/pgkeep.toml"));
    }
    places.push("/etc/pgkeep/pgkeep.toml".into());
    places
}

/// Replaces `${NAME}` by the environment's value.
fn expand(text: &str, database: &str) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once("${") {
        let Some((name, after)) = tail.split_once('}') else { break };
        let value = std::env::var(name).map_err(|_| {
            Failure::usage(format!("the URL of database \"{database}\" names ${{{name}}}, which is not set"))
        })?;
        out.push_str(before);
        out.push_str(&value);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_name_finds_its_url_and_store() {
        let c = config(
            "store = '/all'\n[databases.shop]\nurl = 'postgres://u@h/shop'\nstore = '/own'\n[databases.b]\nurl = 'postgres://h/b'",
        );
        let d = c.database("shop").unwrap();
        assert_eq!((d.name, d.url.as_str()), (Some("shop"), "postgres://u@h/shop"));
        assert_eq!(c.store(None, d.store.as_deref()), "/own");
        assert_eq!(c.store(None, None), "/all");
        assert_eq!(c.store(Some("/flag"), d.store.as_deref()), "/flag");
        assert_eq!(Config::default().store(None, None), "./backups");
    }

    #[test]
    fn an_unknown_name_is_told_what_is_known() {
        let c = config("[databases.shop]\nurl = 'x'");
        let e = c.database("shpo").err().unwrap();
        assert!(e.message.contains("shop"), "{}", e.message);
    }

    #[test]
    fn an_unset_variable_is_named() {
        let e = expand("postgres://u:${PGKEEP_NO_SUCH}@h", "shop").unwrap_err();
        assert!(e.message.contains("PGKEEP_NO_SUCH"));
        assert_eq!(expand("a$b${", "x").unwrap(), "a$b${");
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(toml::from_str::<Config>("stroe = 'x'").is_err());
    }
}
