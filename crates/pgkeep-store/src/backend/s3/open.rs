//! Opening a bucket.

use http::HeaderMap;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider};
use object_store::client::{HttpConnector, ReqwestConnector};
use object_store::{Attribute, Attributes};
use std::sync::Arc;
use std::time::Duration;

use super::bucket::Bucket;
use super::config::{Place, place};
use super::credentials;
use super::requests::Requests;
use crate::backend::object::error::meaning;
use crate::backend::object::{Objects, Promises, Remote, Server};
use crate::error::Result;
use crate::lock::Lock;
use crate::open::OpenOptions;
use crate::runtime::run;
use crate::types::Capabilities;
use crate::upload::plan::{MAX_OBJECT, MAX_PART, MAX_PARTS, MIN_PART};
use crate::url::{Checksum, S3Options, StoreUrl};

/// The largest object at AWS itself: 50 TB since December 2025
/// (<https://aws.amazon.com/about-aws/whats-new/2025/12/amazon-s3-maximum-object-size-50-tb/>).
const MAX_OBJECT_AT_AWS: u64 = 50_000_000_000_000;

/// All that is needed to open the bucket again.
pub(super) struct Opener {
    shown: String,
    bucket: String,
    pub(super) options: S3Options,
    place: Place,
    credentials: AwsCredentialProvider,
    open: OpenOptions,
}

/// Opens `bucket`.
pub(crate) fn open(
    url: StoreUrl,
    bucket: &str,
    prefix: &str,
    options: &S3Options,
    open: &OpenOptions,
) -> Result<Objects> {
    let (shown, bucket, prefix) = (url.base(), bucket.to_owned(), prefix.to_owned());
    let (options, open) = (options.clone(), open.with_retry_for(options.retry_for));
    run(async move {
        let place = place(&shown, &bucket, &options, &open).await?;
        let credentials = credentials::provider(&place.sdk, &open);
        let opener = Arc::new(Opener { shown, bucket, options, place, credentials, open });
        Ok(Objects::new(opener.remote(url, prefix)?))
    })
}

impl Opener {
    fn remote(self: &Arc<Self>, url: StoreUrl, prefix: String) -> Result<Remote> {
        let (options, open) = (&self.options, &self.open);
        let data = self.data(HeaderMap::new())?;
        let requests = self.requests()?;
        let mut attributes = Attributes::new();
        if let Some(class) = &options.storage_class {
            attributes.insert(Attribute::StorageClass, class.clone().into());
        }
        Ok(Remote {
            url,
            prefix,
            control: self.client(open.control_timeout(), open.retry_budget, HeaderMap::new())?,
            data: data.clone(),
            parts: data.clone(),
            puts: data.clone(),
            begins: data,
            server: Some(Server { name: self.place.server.clone(), bucket: self.bucket.clone() }),
            attributes,
            conditional: Some(requests.bucket_url.clone()),
            promises: Promises {
                sse: options.sse.map(|s| s.to_string()),
                kms_key: options.kms_key.clone(),
                bucket_key: options.bucket_key,
                sha256: self.checksum() == Some(Checksum::Sha256),
                lock: Lock::default(),
            },
            beyond: Some(Arc::new(Bucket { requests, opener: self.clone(), lock: Lock::default() })),
            capabilities: Capabilities {
                conditional_put: true,
                multipart: true,
                part_limit: options.part_limit.unwrap_or(MAX_PARTS),
                min_part_size: MIN_PART,
                max_part_size: MAX_PART,
                max_object_size: if self.place.custom { MAX_OBJECT } else { MAX_OBJECT_AT_AWS },
                lists_pending: true,
                pending_are_dead: false,
                versions: true,
                locks: true,
            },
        })
    }

    fn requests(&self) -> Result<Requests> {
        let open = &self.open;
        let client = |timeout| {
            let client = open.client(timeout).with_allow_http(true);
            ReqwestConnector::default().connect(&client).map_err(|e| meaning(&self.shown, &e))
        };
        Ok(Requests {
            shown: self.shown.clone(),
            bucket_url: bucket_url(&self.bucket, &self.place),
            region: self.place.region.clone(),
            credentials: self.credentials.clone(),
            client: client(open.control_timeout())?,
            slow: client(open.request_timeout)?,
            patience: open.connect_timeout * 2 + Duration::from_secs(1),
            retry_budget: open.retry_budget,
            max_retries: open.max_retries,
        })
    }

    /// A client for requests that carry an object's bytes, each with these headers.
    pub(super) fn data(&self, headers: HeaderMap) -> Result<Arc<AmazonS3>> {
        self.client(self.open.request_timeout, self.open.data_budget(), headers)
    }

    fn client(&self, timeout: Duration, budget: Duration, headers: HeaderMap) -> Result<Arc<AmazonS3>> {
        let client = self.open.client(timeout).with_default_headers(headers);
        let builder = self.builder(budget).with_client_options(client).with_allow_http(true);
        builder.build().map(Arc::new).map_err(|e| meaning(&self.shown, &e))
    }

    fn builder(&self, retry_budget: Duration) -> AmazonS3Builder {
        let (options, place) = (&self.options, &self.place);
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_region(&place.region)
            .with_virtual_hosted_style_request(!place.path_style)
            .with_credentials(self.credentials.clone())
            .with_retry(self.open.retry(retry_budget))
            .with_unsigned_payload(options.unsigned_payload.unwrap_or(false))
            // Deleting many at once needs headers that not every server knows; we delete one by one.
            .with_disable_bulk_delete(true);
        if let Some(endpoint) = &place.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        builder = match self.checksum() {
            Some(Checksum::Sha256) => builder.with_checksum_algorithm(object_store::aws::Checksum::SHA256),
            Some(Checksum::Crc64Nvme) => {
                builder.with_checksum_algorithm(object_store::aws::Checksum::CRC64NVME)
            }
            Some(Checksum::None) | None => builder,
        };
        // These keys have names but no public type.
        let encryption = [
            ("aws_server_side_encryption", options.sse.map(|s| s.to_string())),
            ("aws_sse_kms_key_id", options.kms_key.clone()),
            ("aws_sse_bucket_key_enabled", options.bucket_key.map(|b| b.to_string())),
        ];
        for (name, value) in encryption {
            if let (Ok(key), Some(value)) = (name.parse::<AmazonS3ConfigKey>(), value) {
                builder = builder.with_config(key, value);
            }
        }
        builder
    }

    /// The checksum that is sent; see [`S3Options::checksum`].
    pub(super) fn checksum(&self) -> Option<Checksum> {
        match self.options.checksum {
            Some(Checksum::None) => None,
            None => (!self.place.custom).then_some(Checksum::Sha256),
            chosen => chosen,
        }
    }
}

/// The bucket's own URL, as `object_store` makes it.
fn bucket_url(bucket: &str, place: &Place) -> String {
    match (&place.endpoint, place.path_style) {
        (Some(endpoint), false) => endpoint.clone(),
        (Some(endpoint), true) => format!("{endpoint}/{bucket}"),
        (None, false) => format!("https://{bucket}.s3.{}.amazonaws.com", place.region),
        (None, true) => format!("https://s3.{}.amazonaws.com/{bucket}", place.region),
    }
}
