//! Azure Blob Storage.
//!
//! Passed the conformance suite on the Azurite emulator by hand; it is not part of the tests that always run.

use object_store::azure::MicrosoftAzureBuilder;
use std::sync::Arc;

use super::error::meaning;
use super::promises::Promises;
use super::store::{Objects, Remote};
use crate::error::Result;
use crate::open::OpenOptions;
use crate::types::Capabilities;
use crate::url::{AzureOptions, StoreUrl};

/// Opens `container`.
///
/// A block blob has at most 50,000 blocks of 4,000 MiB each; uncommitted blocks are removed by Azure
/// after a week (<https://learn.microsoft.com/rest/api/storageservices/put-block>).
pub(crate) fn open(
    url: StoreUrl,
    container: &str,
    prefix: &str,
    options: &AzureOptions,
    open: &OpenOptions,
) -> Result<Objects> {
    let open = &open.with_retry_for(options.retry_for);
    let build = |timeout, retry_budget| {
        let client = open.client(timeout).with_allow_http(true);
        let mut builder = MicrosoftAzureBuilder::from_env()
            .with_container_name(container)
            .with_client_options(client)
            .with_retry(open.retry(retry_budget));
        if let Some(account) = &options.account {
            builder = builder.with_account(account);
        }
        if let Some(endpoint) = &options.endpoint {
            builder = builder.with_endpoint(endpoint.clone());
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
            part_limit: 50_000,
            min_part_size: 1,
            max_part_size: 4_000 << 20,
            lists_pending: false,
            pending_are_dead: false,
            max_object_size: 50_000 * (4_000 << 20),
            versions: false,
            locks: false,
        },
        url,
    }))
}
