//! Who can read what is encrypted: public keys.

use super::file_key::FileKey;
use super::stanza::Stanza;
use super::x25519::PublicKey;
use crate::error::{KeepError, Result};

/// Public keys; a machine that has these alone encrypts and cannot read what it encrypted.
#[derive(Debug, Clone, Default)]
pub struct Recipients(Vec<PublicKey>);

impl Recipients {
    /// None yet.
    pub fn new() -> Recipients {
        Recipients::default()
    }

    /// Adds a public key, `age1…`. One that is there already is not taken twice.
    ///
    /// # Errors
    /// `Key` for anything else.
    pub fn add(&mut self, word: &str) -> Result<()> {
        let bad = |why: String| KeepError::Key {
            what: format!("the recipient {}", shown(word)),
            why,
            hint: "`pgkeep key new` makes a key and prints its public half, which begins with age1".into(),
        };
        if is_secret(word) {
            return Err(bad("that is the secret half of a key, which belongs to whoever restores".into()));
        }
        let key = PublicKey::parse(word).map_err(|e| bad(format!("no public key of age: {e}")))?;
        if !self.0.contains(&key) {
            self.0.push(key);
        }
        Ok(())
    }

    /// Adds the public keys of a file as `age -R` takes it: one a line, empty lines and those with `#` passed over.
    ///
    /// # Errors
    /// `Key` with the line, or where the file cannot be read.
    pub fn add_file(&mut self, path: &std::path::Path) -> Result<()> {
        let what = format!("the recipients file {}", path.display());
        let hint = "a file with a public key, age1…, on each line".to_owned();
        let text = std::fs::read_to_string(path).map_err(|e| KeepError::Key {
            what: what.clone(),
            why: e.to_string(),
            hint: hint.clone(),
        })?;
        let lines = text.lines().enumerate().map(|(i, line)| (i + 1, line.trim()));
        let mut any = false;
        for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            any = true;
            self.add(line).map_err(|e| match e {
                KeepError::Key { why, hint, .. } => {
                    KeepError::Key { what: format!("{what}, line {number}"), why, hint }
                }
                other => other,
            })?;
        }
        match any {
            true => Ok(()),
            false => Err(KeepError::Key { what, why: "there is no public key in it".into(), hint }),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none: then nothing is encrypted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The public keys as text.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// A fresh file key, and the stanzas that wrap it for each recipient.
    pub(super) fn wrap(&self) -> Result<(FileKey, Vec<Stanza>)> {
        let file_key = FileKey::new()?;
        let stanzas = self.0.iter().map(|key| key.wrap(&file_key)).collect::<Result<_, _>>()?;
        Ok((file_key, stanzas))
    }
}

/// Whoever mistakes one half of a key for the other must not find it in a log.
fn is_secret(word: &str) -> bool {
    word.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-")
}

fn shown(word: &str) -> String {
    if is_secret(word) { "AGE-SECRET-KEY-…".into() } else { format!("\"{word}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_key_in_the_place_of_a_public_one_is_not_repeated() {
        let (secret, public) = super::super::new_identity().unwrap();
        for word in [secret.to_string(), secret.to_lowercase()] {
            let e = Recipients::new().add(&word).unwrap_err().to_string();
            assert!(!e.to_uppercase().contains(secret.as_str()) && e.contains("age1"), "{e}");
        }
        let mut two = Recipients::new();
        two.add(&public).unwrap();
        two.add(&public).unwrap();
        assert_eq!(two.names(), [public]);
    }
}
