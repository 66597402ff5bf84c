//! Google Cloud Storage.
//!
//! Not yet run against a server: there is none to be had for the tests.

use object_store::gcp::GoogleCloudStorageBuilder;
use std::sync::Arc;

use super::error::meaning;
use super::promises::Promises;
use super::store::{Objects, Remote};
use crate::error::Result;
use crate::open::OpenOptions;
use crate::types::Capabilities;
use crate::upload::plan::{MAX_OBJECT, MAX_PART, MAX_PARTS, MIN_PART};
use crate::url::{GoogleOptions, StoreUrl};

/// Opens `bucket`.
///
/// Its multipart uploads have S3's limits (<https://cloud.google.com/storage/quotas#requests>) and stay
/// until a lifecycle rule (`AbortIncompleteMultipartUpload`) removes them.
pub(crate) fn open(
    url: StoreUrl,
    bucket: &str,
    prefix: &str,
    options: &GoogleOptions,
    open: &OpenOptions,
) -> Result<Objects> {
    let open = &open.with_retry_for(options.retry_for);
    let build = |timeout, retry_budget| {
        let client = open.client(timeout).with_allow_http(true);
        let mut builder = GoogleCloudStorageBuilder::from_env()
            .with_bucket_name(bucket)
            .with_client_options(client)
            .with_retry(open.retry(retry_budget));
        if let Some(endpoint) = &options.endpoint {
            builder = builder.with_base_url(endpoint);
        }
        builder.build().map(Arc::new).map_err(|e| meaning(&url.base(), &e))
    };
    let control = build(open.control_timeout(), open.retry_budget)?;
    let data = build(open.request_timeout, open.data_budget())?;
    Ok(Objects::new(Remote {
        prefix: prefix.to_owned(),
        control,
        data: data.clone(),
        parts: data.clone(),
        puts: data.clone(),
        begins: data,
        server: None,
        promises: Promises::default(),
        beyond: None,
        attributes: Default::default(),
        conditional: None,
        capabilities: Capabilities {
            conditional_put: true,
            multipart: true,
            part_limit: MAX_PARTS,
            min_part_size: MIN_PART,
            max_part_size: MAX_PART,
            lists_pending: false,
            pending_are_dead: false,
            max_object_size: MAX_OBJECT,
            versions: false,
            locks: false,
        },
        url,
    }))
}
