//! The secret that masked values are made with: who does not have it cannot try out which value gave which.

use std::fmt;

use crate::error::{EngineError, ErrorKind, Result};
use crate::restrict_key::restrict_key;

/// The setting of the session in which the server finds it: other than in the statement itself it is not seen by who
/// looks at what runs.
pub(super) const SETTING: &str = "pgkeep.mask_salt";

/// Shorter ones can be guessed.
const SHORTEST: usize = 16;

/// A secret salt. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt(String);

impl Salt {
    /// This text.
    ///
    /// # Errors
    /// `Config` for one that could be guessed or not be sent.
    pub fn new(text: &str) -> Result<Salt> {
        let bad = |why: &str| {
            Err(EngineError::new(ErrorKind::Config, "the salt of the masks", why)
                .hint("`openssl rand -base64 32` makes one"))
        };
        match text.trim() {
            short if short.chars().count() < SHORTEST => bad("it has less than 16 characters"),
            zero if zero.contains('\0') => bad("it has a zero byte"),
            salt => Ok(Salt(salt.to_owned())),
        }
    }

    /// One that nobody knows.
    pub(crate) fn random() -> Result<Salt> {
        restrict_key().map(Salt)
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_salt_is_long_and_not_shown() {
        assert!(Salt::new("  short          ").is_err());
        let salt = Salt::new("0123456789abcdef\n").unwrap();
        assert_eq!(salt.text(), "0123456789abcdef");
        assert!(!format!("{salt:?}").contains("0123"));
        assert_ne!(Salt::random().unwrap(), Salt::random().unwrap());
    }
}
