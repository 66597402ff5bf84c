//! Reading and showing a store's URL.

use bytesize::ByteSize;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::options::{AzureOptions, Checksum, GoogleOptions, Query, Rates, S3Options, Sse};
use crate::error::{Result, StoreError};
use crate::key;
use crate::lock::{LockMode, LockPolicy};

/// Where a store is.
///
/// | URL | store |
/// |---|---|
/// | `./backups`, `/var/backups`, `file:///var/backups` | a folder |
/// | `s3://bucket/prefix?…` | S3 and what speaks like it, see [`S3Options`] |
/// | `az://container/prefix?…` | Azure Blob Storage, see [`AzureOptions`] |
/// | `gs://bucket/prefix?…` | Google Cloud Storage, see [`GoogleOptions`] |
/// | `memory://name` | the process's memory, for tests |
///
/// Shown, it can be read again. It holds no secrets, and a URL with a user or password is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// A folder, by its absolute path.
    Folder(PathBuf),
    /// A bucket of S3, a prefix without slashes around it, and options.
    S3 {
        /// The bucket.
        bucket: String,
        /// What all keys begin with; may be empty.
        prefix: String,
        /// The rest.
        options: S3Options,
    },
    /// A container of Azure Blob Storage.
    Azure {
        /// The container.
        container: String,
        /// What all keys begin with; may be empty.
        prefix: String,
        /// The rest.
        options: AzureOptions,
    },
    /// A bucket of Google Cloud Storage.
    Google {
        /// The bucket.
        bucket: String,
        /// What all keys begin with; may be empty.
        prefix: String,
        /// The rest.
        options: GoogleOptions,
    },
    /// Memory shared by all stores of this name in the process.
    Memory(String),
}

/// What must be encoded in a path for the URL to be read back as it was.
const PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#').add(b'"').add(b'<').add(b'>').add(b'`').add(b'\\');

impl StoreUrl {
    /// How fast bytes may go and come.
    pub(crate) fn rates(&self) -> Rates {
        match self {
            StoreUrl::S3 { options, .. } => options.rates,
            StoreUrl::Azure { options, .. } => options.rates,
            StoreUrl::Google { options, .. } => options.rates,
            StoreUrl::Folder(_) | StoreUrl::Memory(_) => Rates::default(),
        }
    }
}

impl FromStr for StoreUrl {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<StoreUrl> {
        let Some((scheme, rest)) = text.split_once("://") else { return folder(text) };
        let shown = redacted(text);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if path.contains('#') || query.contains('#') {
            return Err(invalid(&shown, "a # in a URL must be written %23", ""));
        }
        let (host, prefix) = path.split_once('/').unwrap_or((path, ""));
        if host.contains('@') {
            let hint = "leave it out; credentials come from the environment or a profile";
            return Err(invalid(&shown, "a store's URL has no user or password", hint));
        }
        let prefix = decode(&shown, prefix)?;
        let options = Pairs::read(&shown, query)?;
        match scheme {
            "file" if host.is_empty() || host == "localhost" => {
                options.none_but(&[])?;
                folder(&format!("/{prefix}"))
            }
            "file" => {
                Err(invalid(&shown, format!("file://{host}/… names another machine"), "use file:///path"))
            }
            "memory" => {
                options.none_but(&[])?;
                Ok(StoreUrl::Memory(decode(&shown, path)?))
            }
            "s3" | "az" | "gs" if host.is_empty() => Err(invalid(
                &shown,
                "the bucket's name is missing",
                format!("write {scheme}://bucket/prefix"),
            )),
            "s3" => Ok(StoreUrl::S3 {
                bucket: host.to_owned(),
                prefix: checked_prefix(&shown, &prefix)?,
                options: s3_options(&options)?,
            }),
            "az" => {
                options.none_but(&names(&AzureOptions::default().pairs()))?;
                let (account, endpoint) = (options.get("account"), options.endpoint()?);
                let options = AzureOptions {
                    account,
                    endpoint,
                    retry_for: options.retry_for()?,
                    rates: options.rates()?,
                };
                let prefix = checked_prefix(&shown, &prefix)?;
                Ok(StoreUrl::Azure { container: host.to_owned(), prefix, options })
            }
            "gs" => {
                options.none_but(&names(&GoogleOptions::default().pairs()))?;
                let (endpoint, retry_for) = (options.endpoint()?, options.retry_for()?);
                let options = GoogleOptions { endpoint, retry_for, rates: options.rates()? };
                Ok(StoreUrl::Google {
                    bucket: host.to_owned(),
                    prefix: checked_prefix(&shown, &prefix)?,
                    options,
                })
            }
            _ => Err(invalid(
                &shown,
                format!("stores of the kind {scheme}:// are not known"),
                "use file:///path, a path, s3://bucket/prefix, az://container/prefix or gs://bucket/prefix",
            )),
        }
    }
}

fn folder(path: &str) -> Result<StoreUrl> {
    if path.is_empty() || path.contains('\0') {
        return Err(invalid(path, "a path is missing", "write ./backups or s3://bucket/prefix"));
    }
    match std::path::absolute(path) {
        Ok(path) => Ok(StoreUrl::Folder(path)),
        Err(e) => Err(invalid(path, e, "name the folder by its absolute path")),
    }
}

fn s3_options(pairs: &Pairs<'_>) -> Result<S3Options> {
    pairs.none_but(&names(&S3Options::default().pairs()))?;
    let sse = pairs.choice("sse", &[("AES256", Sse::S3), ("aws:kms", Sse::Kms)])?;
    let kms_key = pairs.get("kms-key");
    if kms_key.is_some() && sse != Some(Sse::Kms) {
        return Err(invalid(pairs.url, "kms-key works only with KMS", "add sse=aws:kms"));
    }
    let yes_no = &[("true", true), ("false", false)];
    let bucket_key = pairs.choice("bucket-key", yes_no)?;
    if bucket_key.is_some() && sse != Some(Sse::Kms) {
        return Err(invalid(pairs.url, "bucket-key works only with KMS", "add sse=aws:kms"));
    }
    Ok(S3Options {
        region: pairs.get("region"),
        endpoint: pairs.endpoint()?,
        path_style: pairs.choice("path-style", yes_no)?,
        profile: pairs.get("profile"),
        sse,
        kms_key,
        bucket_key,
        lock: lock(pairs)?,
        storage_class: pairs.get("storage-class"),
        unsigned_payload: pairs.choice("unsigned-payload", yes_no)?,
        checksum: pairs.choice("checksum", &CHECKSUMS)?,
        part_limit: pairs.number("part-limit")?,
        retry_for: pairs.retry_for()?,
        rates: pairs.rates()?,
    })
}

const CHECKSUMS: [(&str, Checksum); 3] =
    [("sha256", Checksum::Sha256), ("crc64nvme", Checksum::Crc64Nvme), ("none", Checksum::None)];

fn lock(pairs: &Pairs<'_>) -> Result<LockPolicy> {
    let modes = [("governance", LockMode::Governance), ("compliance", LockMode::Compliance)];
    let retention = match (pairs.choice("lock", &modes)?, pairs.number("lock-days")?) {
        (Some(mode), Some(days)) => Some((mode, days)),
        (None, None) => None,
        (Some(_), None) => return Err(invalid(pairs.url, "lock has no end", "add lock-days=30 or so")),
        (None, Some(_)) => {
            return Err(invalid(
                pairs.url,
                "lock-days goes with lock",
                "add lock=governance or lock=compliance",
            ));
        }
    };
    let legal_hold = pairs.choice("legal-hold", &[("true", true), ("false", false)])?.unwrap_or(false);
    Ok(LockPolicy { retention, legal_hold })
}

fn names(pairs: &[(&'static str, Option<String>)]) -> Vec<&'static str> {
    pairs.iter().map(|(name, _)| *name).collect()
}

/// The pairs of a query, each key at most once.
struct Pairs<'a> {
    url: &'a str,
    pairs: Vec<(String, String)>,
}

impl<'a> Pairs<'a> {
    fn read(url: &'a str, query: &str) -> Result<Pairs<'a>> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if value.is_empty() {
                return Err(invalid(url, format!("{key} has no value"), format!("write {key}=<value>")));
            }
            if pairs.iter().any(|(k, _)| *k == key) {
                return Err(invalid(url, format!("{key} is given twice"), ""));
            }
            pairs.push((key.into_owned(), value.into_owned()));
        }
        Ok(Pairs { url, pairs })
    }

    fn none_but(&self, known: &[&str]) -> Result<()> {
        let Some((key, _)) = self.pairs.iter().find(|(k, _)| !known.contains(&k.as_str())) else {
            return Ok(());
        };
        let allowed = match known {
            [] => "this kind of store takes no options".to_owned(),
            known => format!("known are {}", known.join(", ")),
        };
        Err(invalid(self.url, format!("the option {key} is not known"), allowed))
    }

    fn get(&self, key: &str) -> Option<String> {
        self.pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone())
    }

    fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Result<Option<T>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match choices.iter().find(|(name, _)| *name == value) {
            Some((_, choice)) => Ok(Some(*choice)),
            None => {
                let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
                Err(invalid(
                    self.url,
                    format!("{key}={value} is not known"),
                    format!("use {}", names.join(" or ")),
                ))
            }
        }
    }

    /// A whole number of at least 1.
    fn number(&self, key: &str) -> Result<Option<u32>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.parse() {
            Ok(number) if number > 0 => Ok(Some(number)),
            _ => Err(invalid(self.url, format!("{key}={value} is no number from 1 on"), "")),
        }
    }

    fn rates(&self) -> Result<Rates> {
        Ok(Rates { upload: self.rate("upload-rate")?, download: self.rate("download-rate")? })
    }

    fn rate(&self, key: &str) -> Result<Option<u64>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.parse::<ByteSize>() {
            Ok(rate) if rate.as_u64() > 0 => Ok(Some(rate.as_u64())),
            _ => {
                let cause = format!("{key}={value} is no number of bytes a second");
                Err(invalid(self.url, cause, "write it like 500kB, 10MB or 1GiB"))
            }
        }
    }

    fn retry_for(&self) -> Result<Option<Duration>> {
        let Some(value) = self.get("retry-for") else { return Ok(None) };
        let time = value.parse::<jiff::SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok());
        match time {
            Some(time) => Ok(Some(time)),
            None => {
                let cause = format!("retry-for={value} is no length of time");
                Err(invalid(self.url, cause, "write it like 30s, 5m or 1h"))
            }
        }
    }

    fn endpoint(&self) -> Result<Option<String>> {
        let Some(endpoint) = self.get("endpoint") else { return Ok(None) };
        check_endpoint(self.url, &endpoint)?;
        Ok(Some(endpoint))
    }
}

/// Refuses an endpoint that is no plain `http` or `https` URL, wherever it came from.
pub(crate) fn check_endpoint(shown: &str, endpoint: &str) -> Result<()> {
    match url::Url::parse(endpoint) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() => {
            Err(invalid(shown, "the endpoint must begin with http:// or https://", ""))
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Err(invalid(shown, "the endpoint must not hold a user or password", "leave it out"))
        }
        Ok(_) => Ok(()),
        Err(e) => Err(invalid(
            shown,
            format!("the endpoint cannot be read: {e}"),
            "write endpoint=https://host:port",
        )),
    }
}

fn invalid(url: &str, cause: impl fmt::Display, hint: impl Into<String>) -> StoreError {
    StoreError::new(StoreError::InvalidUrl, url, cause, hint)
}

fn decode(shown: &str, path: &str) -> Result<String> {
    match percent_decode_str(path).decode_utf8() {
        Ok(path) if !path.contains('\0') => Ok(path.into_owned()),
        _ => Err(invalid(shown, "the path is not UTF-8 text once decoded", "")),
    }
}

fn checked_prefix(shown: &str, prefix: &str) -> Result<String> {
    let prefix = prefix.trim_matches('/');
    key::check_prefix(shown, prefix)?;
    Ok(prefix.to_owned())
}

/// The URL without what stands before an `@`, or behind the `?`, either of which may be a secret put in
/// the wrong place.
pub(crate) fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (path, query) = rest.split_once('?').map_or((rest, ""), |(path, _)| (path, "?…"));
    match path.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://…@{host}{query}"),
        None => format!("{scheme}://{path}{query}"),
    }
}

impl StoreUrl {
    /// The URL without its options, and without a slash at its end.
    pub(crate) fn base(&self) -> String {
        let path = |p: &str| utf8_percent_encode(p, PATH).to_string();
        let bucket = |scheme: &str, bucket: &str, prefix: &str| match prefix {
            "" => format!("{scheme}://{bucket}"),
            prefix => format!("{scheme}://{bucket}/{}", path(prefix)),
        };
        match self {
            StoreUrl::Folder(root) => folder_url(root),
            StoreUrl::S3 { bucket: b, prefix, .. } => bucket("s3", b, prefix),
            StoreUrl::Azure { container, prefix, .. } => bucket("az", container, prefix),
            StoreUrl::Google { bucket: b, prefix, .. } => bucket("gs", b, prefix),
            StoreUrl::Memory(name) => format!("memory://{}", path(name)),
        }
    }

    /// The URL of the object under `key`, without options.
    pub(crate) fn of(&self, key: &str) -> String {
        format!("{}/{}", self.base().trim_end_matches('/'), utf8_percent_encode(key, PATH))
    }
}

fn folder_url(root: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let path = percent_encoding::percent_encode(root.as_os_str().as_bytes(), PATH).to_string();
    match path.trim_end_matches('/') {
        "" => "file:///".to_owned(),
        path => format!("file://{path}"),
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = match self {
            StoreUrl::S3 { options, .. } => options.pairs(),
            StoreUrl::Azure { options, .. } => options.pairs(),
            StoreUrl::Google { options, .. } => options.pairs(),
            StoreUrl::Folder(_) | StoreUrl::Memory(_) => Vec::new(),
        };
        write!(f, "{}{}", self.base(), Query(&pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> StoreUrl {
        url.parse().unwrap_or_else(|e| panic!("{e}"))
    }

    fn refusal(url: &str) -> String {
        let e = url.parse::<StoreUrl>().unwrap_err();
        assert!(matches!(e, StoreError::InvalidUrl(_)), "{e:?}");
        e.to_string()
    }

    #[test]
    fn rates_are_read_and_shown_again_and_a_wrong_one_is_told() {
        for url in ["s3://b/p", "gs://b/p", "az://b/p"] {
            let url: StoreUrl = format!("{url}?upload-rate=10MB&download-rate=512KiB").parse().unwrap();
            assert_eq!(url.rates(), Rates { upload: Some(10_000_000), download: Some(524_288) });
            assert_eq!(url.to_string().parse::<StoreUrl>().unwrap(), url);
        }
        let e = "s3://b/p?upload-rate=fast".parse::<StoreUrl>().unwrap_err().to_string();
        assert!(e.contains("upload-rate=fast") && e.contains("10MB"), "{e}");
    }

    #[test]
    fn a_url_shown_can_be_read_again() {
        for url in [
            "file:///var/backups",
            "file:///",
            "file:///a%20b/%C3%BC",
            "s3://bucket",
            "s3://bucket/some/prefix",
            "s3://b/p?region=eu-central-1&endpoint=http://127.0.0.1:9000&path-style=true&profile=backup\
             &sse=aws:kms&kms-key=arn:aws:kms:eu-central-1:1:key/x&storage-class=STANDARD_IA\
             &unsigned-payload=true&checksum=none",
            "az://container/p?account=me",
            "gs://bucket/p",
            "memory://test",
        ] {
            assert_eq!(parse(url).to_string(), url);
        }
    }

    #[test]
    fn a_bare_path_is_a_folder_seen_from_here() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(parse("./backups"), StoreUrl::Folder(here.join("backups")));
        assert_eq!(parse("/x/y"), StoreUrl::Folder("/x/y".into()));
        assert_eq!(parse("backups"), StoreUrl::Folder(here.join("backups")));
    }

    #[test]
    fn an_unknown_option_is_refused_with_the_known_ones() {
        let e = refusal("s3://b/p?regoin=eu");
        assert!(e.contains("regoin") && e.contains("region, endpoint, path-style, profile, sse"), "{e}");
        assert!(refusal("file:///x?region=eu").contains("takes no options"));
        assert!(refusal("az://c?region=eu").contains("account, endpoint"));
    }

    #[test]
    fn values_that_mean_nothing_are_refused() {
        for url in [
            "s3://",
            "s3:///p",
            "s3://b?path-style=yes",
            "s3://b?sse=rot13",
            "s3://b?kms-key=k",
            "s3://b?region=",
            "s3://b?region=a&region=b",
            "s3://b?endpoint=ftp://x",
            "s3://b/../c",
            "s3://b/a//c",
            "ftp://x",
            "file://host/x",
            "",
        ] {
            refusal(url);
        }
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_refused_and_not_repeated() {
        for url in
            ["s3://AKIA:hunter2@bucket/p", "s3://b?secret=hunter2", "s3://b?endpoint=http://u:hunter2@host/"]
        {
            let e = refusal(url);
            assert!(!e.contains("hunter2"), "{e}");
        }
    }
}
