//! Who has signed in. Sessions are kept in memory: an end of the daemon signs everybody out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::users::Role;

/// How long a session lasts: a working day.
pub(super) const LIFETIME: SignedDuration = SignedDuration::from_hours(12);
/// More are not kept; the oldest goes.
const MOST: usize = 10_000;

/// What a session's rights come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    /// The file of users, as it is when somebody asks for something.
    File,
    /// What the identity provider said when they signed in.
    Oidc(Role),
}

/// One session.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// The user's name.
    pub(super) user: String,
    pub(super) account: Account,
    /// What every form of this session carries.
    pub(super) csrf: String,
    expires: Timestamp,
}

/// All sessions, by the hash of their secret.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

impl Sessions {
    /// Begins one; gives its secret for the cookie.
    pub(super) fn begin(&self, user: &str, account: Account, now: Timestamp) -> Result<String, String> {
        let secret = random()?;
        let session = Session { user: user.into(), account, csrf: random()?, expires: now + LIFETIME };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, s| s.expires > now);
        if all.len() >= MOST {
            let oldest = all.iter().min_by_key(|(_, s)| s.expires).map(|(key, _)| *key);
            oldest.map(|key| all.remove(&key));
        }
        all.insert(key(&secret), session);
        Ok(secret)
    }

    /// The session of this secret.
    pub(super) fn find(&self, secret: &str, now: Timestamp) -> Option<Session> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&key(secret)).filter(|s| s.expires > now).cloned()
    }

    /// Ends it; gives what it was.
    pub(super) fn end(&self, secret: &str) -> Option<Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(secret))
    }
}

fn key(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// 256 random bits.
pub(super) fn random() -> Result<String, String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| "the system has no random numbers".to_owned())?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether two secrets are equal, in a time that does not tell how far they are.
pub(super) fn same(a: &str, b: &str) -> bool {
    verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lasts_its_time_and_ends_when_told() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let sessions = Sessions::default();
        let ann = sessions.begin("ann", Account::File, now).unwrap();
        let bob = sessions.begin("bob", Account::File, now).unwrap();
        assert_eq!(sessions.find(&ann, now).unwrap().user, "ann");
        assert!(sessions.find(&ann, now + LIFETIME).is_none());
        assert!(sessions.find("", now).is_none());
        sessions.end(&bob);
        assert!(sessions.find(&bob, now).is_none() && sessions.find(&ann, now).is_some());
        sessions.begin("eve", Account::File, now + LIFETIME).unwrap();
        assert_eq!(sessions.0.lock().unwrap().len(), 1);
    }
}
