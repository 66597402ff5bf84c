//! What can stand behind the `?` of a store's URL. Never a secret: those come from the environment.

use std::fmt;
use std::time::Duration;

use crate::lock::LockPolicy;

/// How many bytes a second go to a store and come from it at most, over all connections of the process; `None` for no
/// limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// `upload-rate=10MB`.
    pub upload: Option<u64>,
    /// `download-rate=10MB`.
    pub download: Option<u64>,
}

impl Rates {
    fn pairs(self) -> [(&'static str, Option<String>); 2] {
        [
            ("upload-rate", self.upload.map(|n| n.to_string())),
            ("download-rate", self.download.map(|n| n.to_string())),
        ]
    }
}

/// How S3 encrypts at rest; see
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sse {
    /// `sse=AES256`: with keys S3 manages.
    S3,
    /// `sse=aws:kms`: with a key in KMS.
    Kms,
}

impl fmt::Display for Sse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sse::S3 => "AES256",
            Sse::Kms => "aws:kms",
        })
    }
}

/// The options of an `s3://` URL; all may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Options {
    /// `region=eu-central-1`. Otherwise from the environment or the profile, else asked for at the bucket.
    pub region: Option<String>,
    /// `endpoint=https://minio.example:9000`. Otherwise `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, the
    /// profile, else AWS.
    pub endpoint: Option<String>,
    /// `path-style=true`: the bucket in the path instead of the host name. The default is `true` with
    /// an endpoint, where a host name per bucket is the exception, and `false` without.
    pub path_style: Option<bool>,
    /// `profile=backup`: a profile of `~/.aws/config` and `~/.aws/credentials`.
    pub profile: Option<String>,
    /// `sse=AES256` or `sse=aws:kms`. Otherwise as the bucket is set up.
    pub sse: Option<Sse>,
    /// `kms-key=<arn or id>`, with `sse=aws:kms`. Otherwise the account's default key.
    pub kms_key: Option<String>,
    /// `bucket-key=true` or `false`, with `sse=aws:kms`: whether S3 derives the objects' keys from one key of the
    /// bucket, which spares requests to KMS. Otherwise as the bucket is set up.
    pub bucket_key: Option<bool>,
    /// `lock=governance` or `compliance` with `lock-days=30`, `legal-hold=true`: what
    /// [`Store::locking`](crate::Store::locking) puts on objects.
    pub lock: LockPolicy,
    /// `storage-class=STANDARD_IA`, for objects and multipart uploads alike.
    pub storage_class: Option<String>,
    /// `unsigned-payload=true`: leave bodies out of the signature, which saves a hash of everything
    /// sent. The default is `false`: the signature is what makes the server check what it received.
    pub unsigned_payload: Option<bool>,
    /// `checksum=sha256`, `crc64nvme` or `none`: send and store a checksum with each object and part. The
    /// default is `sha256` at AWS, where buckets with a default object lock insist on one
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html>), and `none`
    /// with an endpoint, since not every server knows these headers.
    pub checksum: Option<Checksum>,
    /// `part-limit=1000`: how many parts an object may have at this server. Otherwise 10,000.
    pub part_limit: Option<u32>,
    /// `retry-for=5m`: how long a request that fails is tried again. Otherwise as the store is opened.
    pub retry_for: Option<Duration>,
    /// `upload-rate=10MB` and `download-rate=10MB`.
    pub rates: Rates,
}

/// What S3 checks and keeps the bytes of objects and parts by; see
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// `checksum=sha256`: cryptographic, and comparable with the hashes of a finished upload.
    Sha256,
    /// `checksum=crc64nvme`: of the whole object, and cheaper.
    Crc64Nvme,
    /// `checksum=none`: only the signature's hash guards the bytes on their way.
    None,
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Checksum::Sha256 => "sha256",
            Checksum::Crc64Nvme => "crc64nvme",
            Checksum::None => "none",
        })
    }
}

/// The options of an `az://` URL. Keys and tokens come from the environment (`AZURE_STORAGE_ACCOUNT_KEY`,
/// `AZURE_CLIENT_ID` and the like) or the machine's identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AzureOptions {
    /// `account=<storage account>`. Otherwise `AZURE_STORAGE_ACCOUNT_NAME`.
    pub account: Option<String>,
    /// `endpoint=<URL>`, for other clouds and the emulator.
    pub endpoint: Option<String>,
    /// `retry-for=5m`: how long a request that fails is tried again. Otherwise as the store is opened.
    pub retry_for: Option<Duration>,
    /// `upload-rate=10MB` and `download-rate=10MB`.
    pub rates: Rates,
}

/// The options of a `gs://` URL. Credentials come from `GOOGLE_APPLICATION_CREDENTIALS`, gcloud's own
/// or the machine's identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoogleOptions {
    /// `endpoint=<URL>`, for the emulator and private endpoints.
    pub endpoint: Option<String>,
    /// `retry-for=5m`: how long a request that fails is tried again. Otherwise as the store is opened.
    pub retry_for: Option<Duration>,
    /// `upload-rate=10MB` and `download-rate=10MB`.
    pub rates: Rates,
}

/// Shows the options that are set as the query of a URL.
pub(crate) struct Query<'a>(pub(crate) &'a [(&'static str, Option<String>)]);

impl fmt::Display for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sep = '?';
        for (key, value) in self.0.iter().filter_map(|(k, v)| Some((k, v.as_ref()?))) {
            let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            write!(f, "{sep}{key}={}", value.replace("%3A", ":").replace("%2F", "/"))?;
            sep = '&';
        }
        Ok(())
    }
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs())
}

impl S3Options {
    pub(crate) fn pairs(&self) -> Vec<(&'static str, Option<String>)> {
        let lock = self.lock.retention;
        let mut pairs = vec![
            ("region", self.region.clone()),
            ("endpoint", self.endpoint.clone()),
            ("path-style", self.path_style.map(|b| b.to_string())),
            ("profile", self.profile.clone()),
            ("sse", self.sse.map(|s| s.to_string())),
            ("kms-key", self.kms_key.clone()),
            ("bucket-key", self.bucket_key.map(|b| b.to_string())),
            ("lock", lock.map(|(mode, _)| mode.to_string())),
            ("lock-days", lock.map(|(_, days)| days.to_string())),
            ("legal-hold", self.lock.legal_hold.then(|| true.to_string())),
            ("storage-class", self.storage_class.clone()),
            ("unsigned-payload", self.unsigned_payload.map(|b| b.to_string())),
            ("checksum", self.checksum.map(|c| c.to_string())),
            ("part-limit", self.part_limit.map(|n| n.to_string())),
            ("retry-for", self.retry_for.map(seconds)),
        ];
        pairs.extend(self.rates.pairs());
        pairs
    }
}

impl AzureOptions {
    pub(crate) fn pairs(&self) -> Vec<(&'static str, Option<String>)> {
        let mut pairs = vec![
            ("account", self.account.clone()),
            ("endpoint", self.endpoint.clone()),
            ("retry-for", self.retry_for.map(seconds)),
        ];
        pairs.extend(self.rates.pairs());
        pairs
    }
}

impl GoogleOptions {
    pub(crate) fn pairs(&self) -> Vec<(&'static str, Option<String>)> {
        let mut pairs = vec![("endpoint", self.endpoint.clone()), ("retry-for", self.retry_for.map(seconds))];
        pairs.extend(self.rates.pairs());
        pairs
    }
}
