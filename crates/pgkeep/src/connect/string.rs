//! A connection string to which parameters are added. What it means is the engine's business; here only which parameters
//! it names.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A URL or `key=value` pairs.
pub(super) struct ConnString {
    text: String,
    url: bool,
}

impl ConnString {
    pub(super) fn of(text: &str) -> ConnString {
        let url = text.starts_with("postgres://") || text.starts_with("postgresql://");
        ConnString { text: text.to_owned(), url }
    }

    /// Pairs, none yet.
    pub(super) fn new() -> ConnString {
        ConnString { text: String::new(), url: false }
    }

    /// Adds a parameter unless the string names it.
    pub(super) fn fill(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value.filter(|_| !self.has(key)) {
            self.set(key, value);
        }
    }

    /// Adds a parameter.
    pub(super) fn set(&mut self, key: &str, value: &str) {
        if self.url {
            self.text.push(if self.text.contains('?') { '&' } else { '?' });
            self.text.push_str(&format!("{key}={}", utf8_percent_encode(value, RESERVED)));
        } else {
            let quoted = value.replace('\\', "\\\\").replace('\'', "\\'");
            self.text.push_str(&format!(" {key}='{quoted}'"));
        }
    }

    /// Whether the string names it.
    pub(super) fn has(&self, key: &str) -> bool {
        if !self.url {
            let mut pieces = self.text.split(key);
            let mut before = pieces.next().unwrap_or_default();
            return pieces.any(|after| {
                let starts = before.is_empty() || before.ends_with(char::is_whitespace);
                before = after;
                starts && after.trim_start().starts_with('=')
            });
        }
        let rest = self.text.split_once("://").map_or("", |(_, r)| r);
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        // The last '@' ends the user part, as the engine reads it.
        let (user, place) = place.rsplit_once('@').unwrap_or(("", place));
        let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
        let in_place = match key {
            "user" => !user.split(':').next().unwrap_or_default().is_empty(),
            "host" => !hosts.is_empty() && !hosts.starts_with(':'),
            "port" => hosts.rsplit(']').next().unwrap_or(hosts).contains(':'),
            "dbname" => !database.is_empty(),
            _ => false,
        };
        let is = |pair: &str, key: &str| pair.split('=').next() == Some(key);
        in_place || query.split('&').any(|pair| is(pair, key) || (key == "host" && is(pair, "hostaddr")))
    }

    pub(super) fn text(&self) -> String {
        self.text.clone()
    }
}

/// RFC 3986, section 2.3: what is not unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_string_names_is_known() {
        let named = |text: &str| {
            let s = ConnString::of(text);
            ["user", "host", "port", "dbname", "sslmode"]
                .into_iter()
                .filter(|k| s.has(k))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(named("postgres://"), "");
        assert_eq!(named("postgres://u:p@h:1/d?sslmode=x"), "user host port dbname sslmode");
        assert_eq!(named("postgres://u@[::1]/"), "user host");
        assert_eq!(named("postgres:///d?user=u&hostaddr=1.2.3.4"), "user host dbname");
        assert_eq!(named("host = h user='a port=b'"), "user host port");
        assert_eq!(named("superuser=x"), "");
    }

    #[test]
    fn what_is_filled_in_arrives_at_the_engine() {
        for text in ["postgres://:5433", "port=5433"] {
            let mut s = ConnString::of(text);
            s.fill("port", Some("1"));
            s.fill("user", Some("o'n\\ &eil"));
            s.fill("host", Some("h"));
            let info = pgkeep_engine::ConnInfo::parse(&s.text()).unwrap();
            assert_eq!((info.user.as_str(), info.host.as_str(), info.port), ("o'n\\ &eil", "h", 5433));
        }
    }
}
