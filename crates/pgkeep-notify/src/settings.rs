//! What the configuration says of a channel.

use std::collections::BTreeMap;

use url::Url;

/// Values by key; several for a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(pub BTreeMap<String, Vec<String>>);

impl Settings {
    /// The values of a list.
    pub(crate) fn list(&self, key: &str) -> &[String] {
        self.0.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// A value, if there is one.
    pub(crate) fn word(&self, key: &str) -> Option<&str> {
        self.list(key).first().map(String::as_str).filter(|v| !v.is_empty())
    }

    /// A value that must be there.
    pub(crate) fn needed(&self, key: &str) -> Result<&str, String> {
        self.word(key).ok_or_else(|| format!("\"{key}\" is missing"))
    }

    /// A URL that must be there. The reason never holds it: the URLs of hooks are secrets.
    pub(crate) fn url(&self, key: &str) -> Result<Url, String> {
        url(key, self.needed(key)?)
    }
}

/// An http or https URL.
pub(crate) fn url(key: &str, text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("\"{key}\" is no URL: {e}"))?;
    match url.scheme() {
        "https" | "http" if url.host_str().is_some() => Ok(url),
        _ => Err(format!("\"{key}\" is no https:// URL")),
    }
}
