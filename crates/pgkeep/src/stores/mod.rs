//! From the words for a store (a configured name, a URL, a folder) to the store.

mod holdings;

use clap::Args;
use pgkeep_store::Store;

use crate::config::expand::expand;
use crate::config::{Config, DEFAULT_STORE, keys};
use crate::failure::{Failure, Result};
pub(crate) use holdings::{Holding, Holdings};

/// Where backups are looked for: the options of every command that reads them.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct StoreFlags {
    /// The store: a URL, a folder, or a configured name; several are looked through in this order [default: the
    /// configured ones, those of all databases together, else ./backups]
    #[arg(long, visible_alias = "from", value_name = "STORE")]
    pub(crate) store: Vec<String>,
}

impl StoreFlags {
    /// The stores that are meant, in their order; none is opened yet.
    pub(crate) fn named(&self, config: &Config) -> Result<Vec<StoreName>> {
        if !self.store.is_empty() || config.databases.is_empty() {
            return named(&self.store, config);
        }
        let mut all: Vec<StoreName> = Vec::new();
        for database in config.databases.keys() {
            for store in of_database(database, config)? {
                if all.iter().all(|s| s.url != store.url) {
                    all.push(store);
                }
            }
        }
        Ok(all)
    }
}

/// A store that was named and not opened yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreName {
    /// The configured name, or the URL where it has none.
    pub(crate) name: String,
    /// The URL or folder.
    pub(crate) url: String,
}

impl StoreName {
    /// Opens it.
    pub(crate) fn open(&self) -> Result<Store> {
        Ok(Store::open(&self.url)?)
    }
}

/// What these words name; the default where there are none. One that is named twice counts once.
pub(crate) fn named(words: &[String], config: &Config) -> Result<Vec<StoreName>> {
    let default = [DEFAULT_STORE.to_owned()];
    let mut all: Vec<StoreName> = Vec::new();
    for word in if words.is_empty() { &default } else { words } {
        let store = one(word, config)?;
        if all.iter().all(|s| s.url != store.url) {
            all.push(store);
        }
    }
    Ok(all)
}

/// The stores that a configured database goes to.
pub(crate) fn of_database(database: &str, config: &Config) -> Result<Vec<StoreName>> {
    let settings = config.settings_of(Some(database));
    let words = ["to", "store"].iter().find_map(|key| settings.get(*key)).cloned().unwrap_or_default();
    let words: Vec<String> = words.iter().map(|word| expand(word, "store")).collect::<Result<_>>()?;
    named(&words, config)
}

fn one(word: &str, config: &Config) -> Result<StoreName> {
    if let Some(entry) = config.stores.get(word) {
        let url = expand(&entry.url, &format!("the url of store \"{word}\""))?;
        return Ok(StoreName { name: word.to_owned(), url });
    }
    // With configured stores a bare word is taken for a mistyped name rather than for a folder to be made.
    if !config.stores.is_empty() && !word.contains(['/', ':', '.']) && !std::path::Path::new(word).is_dir() {
        let known: Vec<&str> = config.stores.keys().map(String::as_str).collect();
        let meant = keys::nearest(word, &known).map(|n| format!("did you mean {n}? ")).unwrap_or_default();
        return Err(Failure::usage(format!(
            "\"{word}\" is no configured store (configured: {})\n  hint: {meant}a folder of this name is ./{word}",
            known.join(", ")
        )));
    }
    Ok(StoreName { name: word.to_owned(), url: word.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_the_stores_of_all_databases_are_looked_through() {
        let urls = |text: &str| -> Vec<String> {
            let config = crate::config::parse(text).unwrap();
            StoreFlags::default().named(&config).unwrap().into_iter().map(|s| s.url).collect()
        };
        let own = "[stores.far]\nurl = 's3://b/p'\n[databases.a]\nurl = 'x'\nstore = ['/near', 'far']\n\
                   [databases.b]\nurl = 'x'\nstore = 'far'";
        assert_eq!(urls(own), ["/near", "s3://b/p"]);
        assert_eq!(urls("[databases.a]\nurl = 'x'"), ["./backups"]);
        assert_eq!(urls(""), ["./backups"]);
    }

    #[test]
    fn a_configured_name_leads_to_its_url_and_a_mistyped_one_is_told() {
        let config = crate::config::parse("[stores.offsite]\nurl = 's3://b/p'").unwrap();
        let urls = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
            named(&words, &config).map(|all| all.into_iter().map(|s| s.url).collect::<Vec<_>>())
        };
        assert_eq!(urls(&[]).unwrap(), ["./backups"]);
        assert_eq!(urls(&["offsite", "/x", "./y", "s3://b/p"]).unwrap(), ["s3://b/p", "/x", "./y"]);
        let told = urls(&["ofsite"]).unwrap_err().message;
        assert!(told.contains("did you mean offsite?") && told.contains("./ofsite"), "{told}");
    }
}
