//! What a browser carries to the provider and back, in a cookie of its own: only the browser that has left may come back,
//! and nothing need be kept here for those who never do.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::web::sessions::random;

/// Seconds that signing in may take.
pub(super) const LIFETIME: i64 = 600;
/// Where to go afterwards is cut away if it is longer: browsers keep no cookie of more than 4 KiB.
const LONGEST_NEXT: usize = 1_000;

/// One way to the provider and back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trip {
    /// Comes back with the browser.
    pub(super) state: String,
    /// Comes back in the token.
    pub(super) nonce: String,
    /// What only this browser and we know (RFC 7636).
    pub(super) verifier: String,
    /// The page that was wanted.
    pub(super) next: String,
}

impl Trip {
    /// A new one.
    pub(super) fn new(next: &str) -> Result<Trip, String> {
        let next = if next.len() > LONGEST_NEXT { "/" } else { next };
        Ok(Trip { state: random()?, nonce: random()?, verifier: random()?, next: next.into() })
    }

    /// As the cookie has it.
    pub(super) fn packed(&self) -> String {
        let next = BASE64_URL_SAFE_NO_PAD.encode(&self.next);
        format!("{}.{}.{}.{next}", self.state, self.nonce, self.verifier)
    }

    /// What the cookie has.
    pub(super) fn unpacked(text: &str) -> Option<Trip> {
        let fields: Vec<&str> = text.split('.').collect();
        let [state, nonce, verifier, next] = fields.as_slice() else { return None };
        let next = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(next).ok()?).ok()?;
        let is_whole = [state, nonce, verifier].iter().all(|secret| secret.len() == 43);
        is_whole.then(|| Trip {
            state: (*state).into(),
            nonce: (*nonce).into(),
            verifier: (*verifier).into(),
            next,
        })
    }

    /// What the provider is told of the verifier.
    pub(super) fn challenge(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&self.verifier))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_and_nothing_else() {
        let trip = Trip::new("/runs?kind=drill").unwrap();
        assert_eq!(Trip::unpacked(&trip.packed()), Some(trip));
        for text in ["", "...", "a.b.c.", &"x".repeat(200)] {
            assert_eq!(Trip::unpacked(text), None, "{text}");
        }
    }

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let trip = Trip { verifier, ..Trip::new("/").unwrap() };
        assert_eq!(trip.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
