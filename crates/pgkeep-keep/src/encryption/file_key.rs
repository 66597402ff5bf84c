//! The key of one file, from which the others of the file are derived.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

/// Bytes of a file key.
pub(super) const FILE_KEY: usize = 16;

/// 16 random bytes, which the header wraps for each recipient.
pub(super) struct FileKey(pub(super) Zeroizing<[u8; FILE_KEY]>);

impl FileKey {
    /// A fresh one.
    pub(super) fn new() -> Result<FileKey, Unspecified> {
        let mut key = Zeroizing::new([0; FILE_KEY]);
        aws_lc_rs::rand::fill(key.as_mut_slice())?;
        Ok(FileKey(key))
    }

    /// The key for a purpose.
    pub(super) fn derive(&self, salt: &[u8], purpose: &[u8]) -> Result<Zeroizing<[u8; 32]>, Unspecified> {
        hkdf(self.0.as_slice(), salt, purpose)
    }
}

/// HKDF-SHA-256 (RFC 5869), 32 bytes.
pub(super) fn hkdf(secret: &[u8], salt: &[u8], purpose: &[u8]) -> Result<Zeroizing<[u8; 32]>, Unspecified> {
    let mut key = Zeroizing::new([0; 32]);
    let extracted = Salt::new(HKDF_SHA256, salt).extract(secret);
    extracted.expand(&[purpose], HKDF_SHA256)?.fill(key.as_mut_slice())?;
    Ok(key)
}
