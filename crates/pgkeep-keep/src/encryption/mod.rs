//! Encryption of everything that holds rows or hashes of passwords, in the age format, so that `age -d` alone opens it.
//!
//! The format is <https://age-encryption.org/v1>, written down in <https://github.com/C2SP/C2SP/blob/main/age.md>: a
//! text header that wraps a file key for each recipient, then the payload in chunks of 64 KiB, each sealed on its own.
//! Chunk `i` stands at a known place and its nonce is its number, so that an archive is written from the middle (its head
//! comes last) and read from anywhere (one table of many). Existing crates do neither; the cipher, the key agreement and
//! the hashes are the library's that TLS uses already. C2SP's test vectors and stock `age` are the judges.

mod file_key;
mod header;
mod identities;
mod open;
mod payload;
mod recipients;
mod seal;
mod stanza;
mod x25519;

use serde::{Deserialize, Serialize};

use crate::error::KeepError;
use crate::manifest::Manifest;

pub use identities::{Identities, new_identity};
pub use open::{OpenError, Opened, open_bytes};
pub use recipients::Recipients;
pub use seal::{HeadLastSealer, SealWriter, seal_bytes};

/// What an encrypted object's name ends with.
pub const EXTENSION: &str = ".age";
/// The first line of an age file without its line end, and the name of the scheme in a manifest.
pub const SCHEME: &str = "age-encryption.org/v1";

/// How a backup's objects are encrypted, as its manifest says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncryptionRecord {
    /// The format: [`SCHEME`].
    pub scheme: String,
    /// The public keys whose owners can read the backup.
    pub recipients: Vec<String>,
}

impl EncryptionRecord {
    /// What is encrypted to these.
    pub fn new(recipients: &Recipients) -> EncryptionRecord {
        EncryptionRecord { scheme: SCHEME.into(), recipients: recipients.names() }
    }

    /// How many bytes of an encrypted object hold its first `plain` bytes.
    pub(crate) fn sealed_end(&self, plain: u64) -> u64 {
        seal::header_len(self.recipients.len())
            + plain
            + plain.div_ceil(payload::CHUNK as u64) * payload::TAG as u64
    }
}

/// Whether these objects' names say that they are encrypted, and so are not read without a key.
pub fn is_sealed(key: &str) -> bool {
    plain_name(key).is_some()
}

/// What was not opened, with the name of the object.
pub(crate) fn locked(e: OpenError, object: &str, identities: &Identities) -> KeepError {
    let object = object.to_owned();
    match e {
        OpenError::NoKey => {
            let why = match identities.is_empty() {
                true => "no secret key is given".into(),
                false => format!("it does not open with {}", identities.public().join(" or ")),
            };
            KeepError::Locked { object, why, recipients: Vec::new() }
        }
        OpenError::Damaged(why) => KeepError::Damaged { object, why },
        OpenError::Io(e) => match e.downcast::<pgkeep_store::StoreError>() {
            Ok(e) => e.into(),
            Err(e) => match e.downcast::<KeepError>() {
                Ok(e) => e,
                Err(e) => KeepError::Damaged { object, why: e.to_string() },
            },
        },
    }
}

/// Adds to `Locked` whose keys open it, as the manifest says.
pub fn name_recipients(e: KeepError, manifest: &Manifest) -> KeepError {
    match (e, &manifest.encryption) {
        (KeepError::Locked { object, why, .. }, Some(encryption)) => {
            KeepError::Locked { object, why, recipients: encryption.recipients.clone() }
        }
        (e, _) => e,
    }
}

/// A key without the ending that says that its object is encrypted; `None` for one that has none.
pub fn plain_name(key: &str) -> Option<&str> {
    key.strip_suffix(EXTENSION)
}
