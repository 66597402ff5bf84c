//! What a program under test must never print.

/// The passwords and keys that tests use, in the forms in which they could come out: the servers', the bucket's, that of
/// the AWS emulator, and every word that a test plants.
const SECRETS: [&str; 6] = [":secret@", "=secret", "'secret'", "/secret+key", "wJalrXUtnFEMI", "planted"];

/// The first secret that stands in a text.
#[must_use]
pub fn secret_in(text: &[u8]) -> Option<&'static str> {
    SECRETS.into_iter().find(|secret| text.windows(secret.len()).any(|part| part == secret.as_bytes()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_secret_is_found_in_the_midst_of_other_bytes() {
        assert_eq!(super::secret_in(b"\xff to postgres://u:secret@h/d \0"), Some(":secret@"));
        assert_eq!(super::secret_in(b"to postgres://u@h/secret"), None);
    }
}
