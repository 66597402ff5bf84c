//! Secret keys, as files that `age-keygen` or `pgkeep key new` made.

use std::path::Path;

use zeroize::Zeroizing;

use super::file_key::FileKey;
use super::header::Header;
use super::x25519::{PublicKey, SecretKey};
use crate::error::{KeepError, Result};

/// Secret keys; they stay in memory, and no message shows them.
#[derive(Clone, Default)]
pub struct Identities(Vec<(SecretKey, PublicKey)>);

impl Identities {
    /// None: what is encrypted cannot be read.
    pub fn none() -> Identities {
        Identities::default()
    }

    /// The keys of these files as `age -i` takes them: one `AGE-SECRET-KEY-1…` a line, empty lines and those with `#`
    /// passed over.
    ///
    /// # Errors
    /// `Key` naming the file and the line, never what stands in it.
    pub fn read<P: AsRef<Path>>(files: &[P]) -> Result<Identities> {
        let mut keys = Vec::new();
        for file in files {
            let file = file.as_ref();
            let bad = |why: String| KeepError::Key {
                what: format!("the identity file {}", file.display()),
                why,
                hint: "a file that `pgkeep key new` or `age-keygen` made".into(),
            };
            let text = Zeroizing::new(std::fs::read_to_string(file).map_err(|e| bad(e.to_string()))?);
            if text.starts_with(super::SCHEME) {
                return Err(bad("it is encrypted itself: open it first, with `age -d`".into()));
            }
            let before = keys.len();
            for (i, line) in text.lines().map(str::trim).enumerate() {
                if !line.is_empty() && !line.starts_with('#') {
                    let key = SecretKey::parse(line)
                        .map_err(|e| bad(format!("line {}: no secret key of age: {e}", i + 1)))?;
                    let public = key.public()?;
                    keys.push((key, public));
                }
            }
            if keys.len() == before {
                return Err(bad("there is no secret key in it".into()));
            }
        }
        Ok(Identities(keys))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The public halves.
    pub fn public(&self) -> Vec<String> {
        self.0.iter().map(|(_, public)| public.to_string()).collect()
    }

    /// Each key alone.
    pub fn each(&self) -> impl Iterator<Item = Identities> {
        self.0.iter().map(|key| Identities(vec![key.clone()]))
    }

    /// The file key that one of the header's stanzas wraps for one of these, `None` where none does; why for
    /// a stanza that no honest writer makes.
    pub(super) fn unwrap(&self, header: &Header) -> Result<Option<FileKey>, &'static str> {
        for stanza in &header.stanzas {
            for (key, _) in &self.0 {
                if let Some(file_key) = key.unwrap(stanza)? {
                    return Ok(Some(file_key));
                }
            }
        }
        Ok(None)
    }
}

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Identities").field(&self.public()).finish()
    }
}

/// A new key: its secret half, `AGE-SECRET-KEY-1…`, and its public half, `age1…`.
///
/// # Errors
/// Where the machine has no randomness.
pub fn new_identity() -> Result<(Zeroizing<String>, String)> {
    let key = SecretKey::new()?;
    Ok((key.text()?, key.public()?.to_string()))
}
