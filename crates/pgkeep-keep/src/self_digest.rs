//! A manifest's own digest, which tells that the file was changed by accident or in passing.
//!
//! It is the SHA-256 of the file as it is, with zeros in the place of the digest itself, so that stock tools can
//! compute it. It is no signature: who changes the file on purpose can compute it, too.

use sha2::{Digest, Sha256};

use crate::manifest::hex;

const FIELD: &str = "\"digest\": \"";
/// Hexadecimal digits of a SHA-256.
const LEN: usize = 64;

/// The pretty JSON text of an object with the digest as its last field.
pub(crate) fn seal(json: &str) -> String {
    let fields = json.trim_end().trim_end_matches('}').trim_end();
    let text = |digest: &str| format!("{fields},\n  {FIELD}{digest}\"\n}}\n");
    text(&hex(&Sha256::digest(text(&"0".repeat(LEN)))))
}

/// Whether the text fits the digest that it names as its own.
pub(crate) fn holds(text: &[u8], digest: &str) -> bool {
    let field = format!("{FIELD}{digest}\"");
    let Some(at) = text.windows(field.len()).rposition(|w| w == field.as_bytes()) else { return false };
    let (before, rest) = text.split_at(at + FIELD.len());
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update("0".repeat(digest.len()));
    hash.update(rest.get(digest.len()..).unwrap_or_default());
    hex(&hash.finalize()) == digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_of_the_text_is_noticed() {
        let sealed = seal("{\n  \"a\": 1\n}");
        let digest = sealed.split('"').rev().nth(1).unwrap();
        assert!(sealed.ends_with("\"\n}\n") && holds(sealed.as_bytes(), digest), "{sealed}");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] ^= 1;
            assert!(!holds(&changed, digest), "byte {at}");
        }
        assert!(!holds(&sealed.as_bytes()[..sealed.len() - 1], digest));
        assert!(!holds(sealed.replace(": ", ":").as_bytes(), digest), "written anew");
        assert!(!holds(sealed.as_bytes(), ""));
    }
}
