//! `pgkeep.toml`: databases by name, and settings that have the names of options.

pub(crate) mod expand;
pub(crate) mod keys;
mod parse;
pub(crate) mod schema;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pgkeep_keep::safe_name;
use pgkeep_store::Store;

use crate::connect::PasswordSource;
use crate::failure::{Failure, Result};
use crate::rules::TABLES;
pub(crate) use parse::parse;

/// The store where none is named.
pub(crate) const DEFAULT_STORE: &str = "./backups";

/// Values by the option's name with underscores; a list for an option that may be given several times. `${…}` in them is
/// not replaced yet: what is not used need not be set.
pub(crate) type Settings = BTreeMap<String, Vec<String>>;

/// The whole file.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// For every database; the file's `store` is among them.
    pub(crate) defaults: Settings,
    /// Databases by the name that the command line uses.
    pub(crate) databases: BTreeMap<String, Database>,
    /// Stores by the name that stands for their URL.
    pub(crate) stores: BTreeMap<String, StoreEntry>,
    /// Channels by the name that `--notify` uses.
    pub(crate) notify: BTreeMap<String, ChannelEntry>,
    /// Where the secret comes from that the dashboard shows to the identity provider.
    pub(crate) oidc_client_secret: Option<PasswordSource>,
    /// What is to stand at AWS Backup.
    pub(crate) aws_backup: Option<pgkeep_vault::Settings>,
}

/// One channel: who is told of what.
#[derive(Debug, Default)]
pub(crate) struct ChannelEntry {
    /// Such as `slack`.
    pub(crate) kind: String,
    /// What its kind needs to know, and its rules; several values for a list.
    pub(crate) values: BTreeMap<String, Vec<Value>>,
}

/// A value that may be a secret.
#[derive(Debug)]
pub(crate) enum Value {
    /// `${…}` not replaced yet.
    Text(String),
    /// By reference.
    Source(PasswordSource),
}

/// One store.
#[derive(Debug, Default)]
pub(crate) struct StoreEntry {
    /// URL or folder, `${…}` not replaced yet.
    pub(crate) url: String,
    /// What options say about this store: those under the headings [`keys::OF_STORES`].
    pub(crate) settings: Settings,
}

/// One database.
#[derive(Debug, Default)]
pub(crate) struct Database {
    /// Connection string or `rds:` name.
    pub(crate) url: Option<String>,
    /// Whether no masked or cut backup may be restored into it.
    pub(crate) production: bool,
    /// Where its password comes from.
    pub(crate) password: Option<PasswordSource>,
    /// What options say where the command line and the environment do not.
    pub(crate) settings: Settings,
}

impl Config {
    /// Reads the file named by `--config` or `PGKEEP_CONFIG`, else the first of `./pgkeep.toml`,
    /// `~/.config/pgkeep/pgkeep.toml` and `/etc/pgkeep/pgkeep.toml` that exists, else nothing.
    pub(crate) fn load(named: Option<&Path>) -> Result<Config> {
        let Some(path) = place(named) else { return Ok(Config::default()) };
        let text = read(&path)?;
        parse(&text).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(|p| p.told(&path)).collect();
            Failure::usage(lines.join("\n  "))
        })
    }

    /// What says something for this database: its own entry first.
    pub(crate) fn settings_of(&self, database: Option<&str>) -> Settings {
        let mut all = self.defaults.clone();
        if let Some(entry) = database.and_then(|name| self.databases.get(name)) {
            overlay(&mut all, &entry.settings);
        }
        all
    }

    /// The database's entry whose backups are kept under this name: its own, or one below a server's.
    pub(crate) fn kept_as(&self, kept: &str) -> Option<&str> {
        let is_its = |name: &str| {
            let set = self.settings_of(Some(name)).remove("name");
            let own = safe_name(set.as_ref().and_then(|v| v.first()).map_or(name, String::as_str));
            kept.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.databases.keys().map(String::as_str).find(|name| is_its(name))
    }

    /// What says something for this database's backups in this store: the store's entry first, then the database's.
    pub(crate) fn settings_in(&self, database: Option<&str>, store: &str) -> Settings {
        let mut all = self.settings_of(database);
        if let Some(entry) = self.stores.get(store) {
            all.extend(entry.settings.clone());
        }
        all
    }

    /// Words that are no database, with those that would be.
    pub(crate) fn unknown_database(&self, words: &str) -> Failure {
        let known: Vec<&str> = self.databases.keys().map(String::as_str).collect();
        let nearest = keys::nearest(words, &known).map(|n| format!("did you mean {n}? ")).unwrap_or_default();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Failure::usage(format!(
            "\"{words}\" is neither a postgres:// URL nor a configured database (configured: {known})\n  \
             hint: {nearest}pgkeep backup postgres://user@host/database --to /folder"
        ))
    }
}

/// Puts the settings of a narrower place over those of a wider one. A value takes the place of another; rules come to
/// the others, since a mask for one database must not take away those for all.
fn overlay(wider: &mut Settings, narrower: &Settings) {
    for (key, values) in narrower {
        match TABLES.contains(&key.as_str()) {
            true => wider.entry(key.clone()).or_default().extend(values.iter().cloned()),
            false => {
                wider.insert(key.clone(), values.clone());
            }
        }
    }
}

/// The file to read.
pub(crate) fn place(named: Option<&Path>) -> Option<PathBuf> {
    let mut usual = vec![PathBuf::from("pgkeep.toml")];
    if let Some(home) = std::env::home_dir() {
        usual.push(home.join(".config/pgkeep/pgkeep.toml"));
    }
    usual.push("/etc/pgkeep/pgkeep.toml".into());
    named.map(Path::to_owned).or_else(|| usual.into_iter().find(|p| p.is_file()))
}

/// The file's text; a path with `://` in it is an object in a store, as a function without files needs it.
pub(crate) fn read(path: &Path) -> Result<String> {
    let failed = |why: String| Failure::usage(format!("reading configuration {}: {why}", path.display()));
    let url = path.to_str().filter(|p| p.contains("://"));
    let Some(url) = url else { return std::fs::read_to_string(path).map_err(|e| failed(e.to_string())) };
    let (place, query) = url.split_once('?').map_or((url, String::new()), |(p, q)| (p, format!("?{q}")));
    let (folder, name) =
        place.rsplit_once('/').filter(|(f, n)| !f.ends_with('/') && !n.is_empty()).ok_or_else(|| {
            failed("no object is named\n  hint: write it like s3://bucket/folder/pgkeep.toml".into())
        })?;
    let bytes = Store::open(&format!("{folder}{query}"))
        .and_then(|store| store.get(name))
        .map_err(|e| failed(e.to_string()))?;
    String::from_utf8(bytes.to_vec()).map_err(|_| failed("it is not UTF-8".into()))
}
