//! Opening a bucket.

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::client::{HttpConnector, ReqwestConnector};
use object_store::{Attribute, Attributes};
use std::sync::Arc;
use std::time::Duration;

use super::config::{Place, place};
use super::credentials;
use super::requests::Requests;
use crate::backend::object::error::meaning;
use crate::backend::object::{Objects, Remote};
use crate::error::Result;
use crate::open::OpenOptions;
use crate::runtime::run;
use crate::types::Capabilities;
use crate::upload::plan::{MAX_PART, MAX_PARTS, MIN_PART};
use crate::url::{S3Options, Sse, StoreUrl};

/// Opens `bucket`.
pub(crate) fn open(
    url: StoreUrl,
    bucket: &str,
    prefix: &str,
    options: &S3Options,
    open: &OpenOptions,
) -> Result<Objects> {
    let (shown, bucket, prefix) = (url.base(), bucket.to_owned(), prefix.to_owned());
    let (options, open) = (options.clone(), open.clone());
    run(async move {
        let place = place(&shown, &bucket, &options, &open).await?;
        let credentials = credentials::provider(&place.sdk, &open);
        let build = |timeout, retry_budget| {
            builder(&bucket, &options, &place, &open, timeout, retry_budget)
                .with_credentials(credentials.clone())
                .build()
                .map(Arc::new)
                .map_err(|e| meaning(&shown, &e))
        };
        let control: Arc<AmazonS3> = build(open.control_timeout(), open.retry_budget)?;
        let data = build(open.request_timeout, open.data_budget())?;
        let client = open.client(open.control_timeout()).with_allow_http(true);
        let client = ReqwestConnector::default().connect(&client).map_err(|e| meaning(&shown, &e))?;
        let bucket_url = bucket_url(&bucket, &place);
        let requests = Requests {
            shown: shown.clone(),
            bucket_url: bucket_url.clone(),
            region: place.region.clone(),
            credentials,
            client,
            patience: open.connect_timeout * 2 + Duration::from_secs(1),
        };
        let mut attributes = Attributes::new();
        if let Some(class) = &options.storage_class {
            attributes.insert(Attribute::StorageClass, class.clone().into());
        }
        Ok(Objects::new(Remote {
            url,
            prefix,
            control,
            data: data.clone(),
            parts: data,
            pending: Some(Arc::new(requests)),
            attributes,
            conditional: Some(bucket_url),
            capabilities: Capabilities {
                conditional_put: true,
                multipart: true,
                part_limit: MAX_PARTS,
                min_part_size: MIN_PART,
                max_part_size: MAX_PART,
                lists_pending: true,
                pending_are_dead: false,
            },
        }))
    })
}

fn builder(
    bucket: &str,
    options: &S3Options,
    place: &Place,
    open: &OpenOptions,
    timeout: Duration,
    retry_budget: Duration,
) -> AmazonS3Builder {
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&place.region)
        .with_virtual_hosted_style_request(!place.path_style)
        .with_client_options(open.client(timeout))
        .with_allow_http(true)
        .with_retry(open.retry(retry_budget))
        .with_unsigned_payload(options.unsigned_payload.unwrap_or(false))
        // Deleting many at once needs headers that not every server knows; we delete one by one.
        .with_disable_bulk_delete(true);
    if let Some(endpoint) = &place.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if options.checksum.unwrap_or(!place.custom) {
        builder = builder.with_checksum_algorithm(Checksum::SHA256);
    }
    // These keys have names but no public type.
    let sse = options.sse.map(|sse| match sse {
        Sse::S3 => "AES256",
        Sse::Kms => "aws:kms",
    });
    let encryption =
        [("aws_server_side_encryption", sse), ("aws_sse_kms_key_id", options.kms_key.as_deref())];
    for (name, value) in encryption {
        if let (Ok(key), Some(value)) = (name.parse::<AmazonS3ConfigKey>(), value) {
            builder = builder.with_config(key, value);
        }
    }
    builder
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
