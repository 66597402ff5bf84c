//! `require_auth`: which ways to log in are acceptable to the client.

use super::bad;
use crate::error::Result;

const METHODS: [&str; 7] = ["none", "password", "md5", "scram-sha-256", "gss", "sspi", "oauth"];

/// Accepted ways to log in; everything is accepted by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequireAuth {
    text: String,
}

impl RequireAuth {
    /// A list such as `scram-sha-256,md5`, or `!password,!none`.
    pub(super) fn parse(text: &str) -> Result<RequireAuth> {
        if text.is_empty() {
            return Ok(RequireAuth::default());
        }
        let methods: Vec<&str> = text.split(',').map(str::trim).collect();
        if let Some(unknown) = methods.iter().find(|m| !METHODS.contains(&m.trim_start_matches('!'))) {
            return Err(bad(format!("require_auth names an unknown method \"{unknown}\""))
                .hint(format!("use {}", METHODS.join(", "))));
        }
        let negated = methods.iter().filter(|m| m.starts_with('!')).count();
        if negated != 0 && negated != methods.len() {
            return Err(bad("require_auth mixes wanted and unwanted methods")
                .hint("put \"!\" before all of them or before none"));
        }
        Ok(RequireAuth { text: methods.join(",") })
    }

    /// Whether this way is acceptable.
    pub(in crate::conn) fn accepts(&self, method: &str) -> bool {
        match self.text.strip_prefix('!') {
            _ if self.text.is_empty() => true,
            Some(_) => !self.text.split(',').any(|m| m.trim_start_matches('!') == method),
            None => self.text.split(',').any(|m| m == method),
        }
    }

    /// As libpq takes it; empty where everything is accepted.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_say_what_is_wanted_or_what_is_not() {
        let only = RequireAuth::parse("scram-sha-256, md5").unwrap();
        assert!(only.accepts("md5") && !only.accepts("password") && !only.accepts("none"));
        let but = RequireAuth::parse("!password,!none").unwrap();
        assert!(but.accepts("md5") && !but.accepts("password") && !but.accepts("none"));
        assert!(RequireAuth::default().accepts("none"));
    }

    #[test]
    fn mixed_and_unknown_methods_are_refused() {
        assert!(RequireAuth::parse("md5,!none").unwrap_err().to_string().contains("mixes"));
        assert!(RequireAuth::parse("md6").unwrap_err().to_string().contains("scram-sha-256"));
    }
}
