//! The key of `\\restrict`.

use crate::error::{EngineError, ErrorKind, Result};

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Letters and digits that nobody can guess (`generate_restrict_key`, src/bin/pg_dump/dumputils.c): who could might
/// name an object so that `psql` leaves restricted mode and runs what comes then.
pub(crate) fn restrict_key() -> Result<String> {
    let mut random = [0u8; 63];
    rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut random).map_err(|_| {
        EngineError::new(ErrorKind::Other, "making a random key", "the system gives no random numbers")
    })?;
    Ok(random.iter().map(|b| char::from(LETTERS[usize::from(*b) % LETTERS.len()])).collect())
}
