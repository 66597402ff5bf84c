//! Signing records with Ed25519 (RFC 8032). Keys are PEM files as OpenSSL writes them, and signatures are bare, so that
//! `openssl pkeyutl -verify` can judge a record without pgkeep.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

use crate::error::{KeepError, Result};

/// What stands before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410, section 4).
const SPKI_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A private key that records are signed with.
pub struct DrillKey(Ed25519KeyPair);

impl DrillKey {
    /// Reads a PEM file, as `openssl genpkey -algorithm ed25519` writes it; `place` is named in the error.
    ///
    /// # Errors
    /// `DrillKey` where it holds no such key.
    pub fn from_pem(pem: &[u8], place: &str) -> Result<DrillKey> {
        let bad = |why: String| KeepError::DrillKey {
            place: place.to_owned(),
            why,
            hint: format!("openssl genpkey -algorithm ed25519 -out {place}"),
        };
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|e| bad(format!("no private key: {e}")))?;
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der());
        key.map(DrillKey).map_err(|e| bad(format!("no Ed25519 key: {e}")))
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        let bytes = self.0.public_key().as_ref();
        let mut key = [0; 32];
        key.copy_from_slice(&bytes[..32]);
        PublicKey(key)
    }

    /// The signature over these bytes.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).as_ref().to_vec()
    }
}

/// A public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads a PEM file with the public key, as `openssl pkey -pubout` writes it, or with the private one.
    ///
    /// # Errors
    /// `DrillKey` where it holds neither.
    pub fn from_pem(pem: &[u8], place: &str) -> Result<PublicKey> {
        let Ok(spki) = SubjectPublicKeyInfoDer::from_pem_slice(pem) else {
            return DrillKey::from_pem(pem, place).map(|key| key.public());
        };
        let key = spki.strip_prefix(&SPKI_HEAD).and_then(|key| key.try_into().ok());
        key.map(PublicKey).ok_or_else(|| KeepError::DrillKey {
            place: place.to_owned(),
            why: "no Ed25519 key".into(),
            hint: "openssl pkey -in KEY -pubout -out PUBLIC".into(),
        })
    }

    /// As a SubjectPublicKeyInfo in base64: the line between begin and end of its PEM file.
    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode([SPKI_HEAD.as_slice(), &self.0].concat())
    }

    /// Whether this key made the signature over these bytes.
    pub fn has_signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(bytes, signature).is_ok()
    }
}
