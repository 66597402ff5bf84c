//! What a store was asked to do with everything that is written, and whether it did.
//!
//! A server that does not know a header ignores it: Ceph's gateway takes a lock with a put and not with a multipart
//! upload, others take `x-amz-server-side-encryption` and do nothing. So what was asked for is looked for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use sha2::{Digest, Sha256};

use super::beyond::{Beyond, Kept};
use super::store::Remote;
use crate::error::{Result, StoreError};
use crate::lock::Lock;
use crate::types::PartHash;

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Promises {
    /// `AES256` or `aws:kms`.
    pub(crate) sse: Option<String>,
    pub(crate) kms_key: Option<String>,
    pub(crate) bucket_key: Option<bool>,
    /// The store gets a SHA-256 with each part, and may tell the one that it keeps.
    pub(crate) sha256: bool,
    pub(crate) lock: Lock,
}

impl Promises {
    /// Whether an object of which the store says nothing will not do.
    fn bind(&self) -> bool {
        self.sse.is_some() || self.lock != Lock::default()
    }

    /// What is missing in how the object is encrypted.
    fn unencrypted(&self, kept: &Kept) -> Option<String> {
        let asked = self.sse.as_deref()?;
        if kept.sse.as_deref() != Some(asked) {
            let says = kept.sse.as_deref().unwrap_or("nothing");
            return Some(format!("sse={asked} was asked for, and the store says it used {says}"));
        }
        // An alias stands for a key that only KMS can name.
        let key = self.kms_key.as_deref().filter(|key| !key.contains("alias/"));
        if let Some(key) = key {
            let used = kept.kms_key.as_deref().unwrap_or("no key");
            if used != key && !used.ends_with(&format!("/{key}")) {
                return Some(format!("the key {key} was asked for, and the store says it used {used}"));
            }
        }
        (self.bucket_key == Some(true) && !kept.bucket_key)
            .then(|| "a bucket key was asked for, and the store says it used none".to_owned())
    }
}

/// The SHA-256 that S3 keeps of an object made of these parts: over their digests, and how many there are.
fn composite(parts: &[PartHash]) -> String {
    let mut all = Sha256::new();
    parts.iter().for_each(|part| all.update(part.sha256));
    format!("{}-{}", BASE64.encode(all.finalize()), parts.len())
}

/// Looks whether the object under `key` is kept as was asked. `parts` are those of a multipart upload, else empty.
///
/// An object that is not is removed, as far as the store lets it be.
pub(super) async fn check(remote: &Remote, key: &str, parts: &[PartHash]) -> Result<()> {
    let promises = &remote.promises;
    let compare = promises.sha256 && !parts.is_empty();
    let Some(beyond) = remote.beyond.as_deref().filter(|_| promises.bind() || compare) else { return Ok(()) };
    let full = remote.path(key)?;
    let kept = match beyond.look(full.as_ref(), None).await {
        Ok(kept) => kept,
        Err(e) if promises.bind() => return Err(remote.fail(key, &e)),
        // Who may write and not read has the part's own checksums, which the store compared.
        Err(_) => return Ok(()),
    };
    let wrong = match promises.unencrypted(&kept) {
        Some(wrong) => Some((wrong, "set the encryption up at the server, or take sse out of the URL")),
        None => wrong_bytes(compare, parts, &kept),
    };
    let Some((wrong, hint)) = wrong else { return lock(remote, beyond, key, &kept).await };
    remove(remote, beyond, &full, &kept).await;
    Err(StoreError::new(StoreError::Unkept, remote.url.of(key), wrong, hint))
}

fn wrong_bytes(compare: bool, parts: &[PartHash], kept: &Kept) -> Option<(String, &'static str)> {
    // One without a number is of the whole object, and not what we know.
    let theirs = kept.sha256.as_deref().filter(|sum| compare && sum.contains('-'))?;
    let ours = composite(parts);
    (theirs != ours).then(|| {
        let wrong = format!("parts with the SHA-256 {ours} were sent, and the store keeps {theirs}");
        (wrong, "the bytes changed on their way or the store is at fault: try again")
    })
}

/// Locks what the store left unlocked.
async fn lock(remote: &Remote, beyond: &dyn Beyond, key: &str, kept: &Kept) -> Result<()> {
    let asked = remote.promises.lock;
    if kept.lock.covers(&asked) {
        return Ok(());
    }
    let full = remote.path(key)?;
    let locked = async {
        beyond.lock(full.as_ref(), &asked).await?;
        beyond.look(full.as_ref(), None).await
    };
    let now = locked.await.map_err(|e| remote.fail(key, &e));
    let wrong = match now {
        Ok(now) if now.lock.covers(&asked) => return Ok(()),
        Ok(now) => StoreError::new(
            StoreError::Unkept,
            remote.url.of(key),
            format_args!("it was to be {asked}, and the store says: {}", now.lock),
            "one may need s3:GetObjectRetention and s3:GetObjectLegalHold to see a lock",
        ),
        Err(e) => e,
    };
    remove(remote, beyond, &full, kept).await;
    Err(wrong)
}

/// As well as can be: a version that is locked after all stays.
async fn remove(remote: &Remote, beyond: &dyn Beyond, path: &Path, kept: &Kept) {
    let _ = match &kept.version {
        Some(version) => beyond.delete_version(path.as_ref(), version).await,
        None => remote.control.delete(path).await,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kms() -> Promises {
        Promises {
            sse: Some("aws:kms".into()),
            kms_key: Some("1234-ab".into()),
            bucket_key: Some(true),
            ..Promises::default()
        }
    }

    fn kept(sse: &str, key: &str) -> Kept {
        Kept { sse: Some(sse.into()), kms_key: Some(key.into()), bucket_key: true, ..Kept::default() }
    }

    #[test]
    fn encryption_is_what_was_asked_for_or_it_is_said_what_is_not() {
        let arn = "arn:aws:kms:eu-central-1:1:key/1234-ab";
        assert_eq!(kms().unencrypted(&kept("aws:kms", arn)), None);
        assert_eq!(kms().unencrypted(&kept("aws:kms", "1234-ab")), None);
        let alias = Promises { kms_key: Some("alias/backups".into()), ..kms() };
        assert_eq!(alias.unencrypted(&kept("aws:kms", arn)), None);
        assert_eq!(Promises::default().unencrypted(&Kept::default()), None);
        for (kept, says) in [
            (Kept::default(), "says it used nothing"),
            (kept("AES256", arn), "says it used AES256"),
            (kept("aws:kms", "arn:aws:kms:eu-central-1:1:key/ffff-1234-ab"), "the key 1234-ab was asked for"),
            (Kept { bucket_key: false, ..kept("aws:kms", arn) }, "a bucket key was asked for"),
        ] {
            let wrong = kms().unencrypted(&kept).unwrap();
            assert!(wrong.contains(says), "{wrong}");
        }
    }

    #[test]
    fn a_checksum_of_parts_is_compared_and_one_of_the_whole_is_not() {
        let part = |bytes: &[u8]| PartHash { size: bytes.len() as u64, sha256: Sha256::digest(bytes).into() };
        let parts = [part(b"a"), part(b"b")];
        let with = |sha256: &str| Kept { sha256: Some(sha256.into()), ..Kept::default() };
        // openssl: printf a | openssl dgst -sha256 -binary, the same of b, both again through it, then base64.
        assert_eq!(wrong_bytes(true, &parts, &with(&composite(&parts))), None);
        assert_eq!(wrong_bytes(true, &parts, &with("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")), None);
        assert!(wrong_bytes(true, &parts, &with("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=-2")).is_some());
        assert_eq!(wrong_bytes(true, &parts, &Kept::default()), None);
    }
}
