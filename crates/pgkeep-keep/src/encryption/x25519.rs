//! Keys of type X25519, and how they wrap a file key
//! (<https://github.com/C2SP/C2SP/blob/main/age.md#the-x25519-recipient-type>).

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::error::Unspecified;
use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use zeroize::Zeroizing;

use super::file_key::{FILE_KEY, FileKey, hkdf};
use super::stanza::{Stanza, base64, unbase64};

const PUBLIC: Hrp = Hrp::parse_unchecked("age");
const SECRET: Hrp = Hrp::parse_unchecked("age-secret-key-");
const KIND: &str = "X25519";
const PURPOSE: &[u8] = b"age-encryption.org/v1/X25519";
/// Bytes of a public key, of a secret one, and of a wrapped file key.
const LEN: usize = 32;

/// The public half of a key: `age1…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PublicKey([u8; LEN]);

impl PublicKey {
    pub(super) fn parse(text: &str) -> Result<PublicKey, &'static str> {
        Ok(PublicKey(*decode(text, PUBLIC)?))
    }

    /// Wraps a file key so that the secret half alone unwraps it.
    pub(super) fn wrap(&self, file_key: &FileKey) -> Result<Stanza, Unspecified> {
        let ephemeral = SecretKey::new()?;
        let share = ephemeral.public()?;
        let key = ephemeral.shared_key(&self.0, &share, self)?;
        let mut body = file_key.0.to_vec();
        key.seal_in_place_append_tag(zero(), Aad::empty(), &mut body)?;
        Ok(Stanza { words: vec![KIND.into(), base64(&share.0)], body })
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        bech32::encode_to_fmt::<Bech32, _>(f, PUBLIC, &self.0).map_err(|_| std::fmt::Error)
    }
}

/// The secret half of a key: `AGE-SECRET-KEY-1…`.
#[derive(Clone)]
pub(super) struct SecretKey(Zeroizing<[u8; LEN]>);

impl SecretKey {
    /// A fresh one.
    pub(super) fn new() -> Result<SecretKey, Unspecified> {
        let mut bytes = Zeroizing::new([0; LEN]);
        aws_lc_rs::rand::fill(bytes.as_mut_slice())?;
        Ok(SecretKey(bytes))
    }

    pub(super) fn parse(text: &str) -> Result<SecretKey, &'static str> {
        Ok(SecretKey(decode(text, SECRET)?))
    }

    /// Its text, which is a secret.
    pub(super) fn text(&self) -> Result<Zeroizing<String>, Unspecified> {
        bech32::encode_upper::<Bech32>(SECRET, self.0.as_slice()).map(Zeroizing::new).map_err(|_| Unspecified)
    }

    pub(super) fn public(&self) -> Result<PublicKey, Unspecified> {
        let public = self.private_key()?.compute_public_key()?;
        Ok(PublicKey(public.as_ref().try_into().map_err(|_| Unspecified)?))
    }

    /// The file key, where this stanza wraps it for this key; `None` where it does not.
    ///
    /// # Errors
    /// For a stanza of this kind that no honest writer makes.
    pub(super) fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>, &'static str> {
        let [kind, arguments @ ..] = stanza.words.as_slice() else { return Ok(None) };
        if kind != KIND {
            return Ok(None);
        }
        let share = match arguments {
            [share] => unbase64(share).and_then(|share| <[u8; LEN]>::try_from(share).ok()),
            _ => None,
        };
        let share = PublicKey(share.ok_or("an X25519 stanza has no share of 32 bytes")?);
        let wrapped = <[u8; LEN]>::try_from(stanza.body.as_slice());
        let mut wrapped = Zeroizing::new(wrapped.map_err(|_| "an X25519 stanza wraps no key of 16 bytes")?);
        let public = self.public().map_err(|_| "the secret key is none")?;
        // A share of low order would give every key the same secret.
        let key = self
            .shared_key(&share.0, &share, &public)
            .map_err(|_| "an X25519 stanza's share is of low order")?;
        let Ok(opened) = key.open_in_place(zero(), Aad::empty(), wrapped.as_mut_slice()) else {
            return Ok(None);
        };
        let mut file_key = Zeroizing::new([0; FILE_KEY]);
        file_key.copy_from_slice(opened);
        Ok(Some(FileKey(file_key)))
    }

    /// The key that wraps, of the secret that this and the other side's `public` share.
    fn shared_key(
        &self,
        other: &[u8; LEN],
        share: &PublicKey,
        recipient: &PublicKey,
    ) -> Result<LessSafeKey, Unspecified> {
        let salt = [share.0, recipient.0].concat();
        let other = UnparsedPublicKey::new(&X25519, other);
        agree(&self.private_key()?, other, Unspecified, |secret| {
            let key = hkdf(secret, &salt, PURPOSE)?;
            Ok(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key.as_slice())?))
        })
    }

    fn private_key(&self) -> Result<PrivateKey, Unspecified> {
        PrivateKey::from_private_key(&X25519, self.0.as_slice()).map_err(|_| Unspecified)
    }
}

/// Each wrapping key is used once.
fn zero() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn decode(text: &str, prefix: Hrp) -> Result<Zeroizing<[u8; LEN]>, &'static str> {
    let parsed = CheckedHrpstring::new::<Bech32>(text).map_err(|_| "a letter is wrong or missing")?;
    if parsed.hrp() != prefix {
        return Err("it begins like something else");
    }
    let bytes = Zeroizing::new(parsed.byte_iter().collect::<Vec<u8>>());
    let mut key = Zeroizing::new([0; LEN]);
    if bytes.len() != LEN {
        return Err("it is too short or too long");
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}
