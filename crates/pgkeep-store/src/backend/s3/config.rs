//! Where the bucket is: what the URL leaves open is taken from where AWS's own tools look.

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, SdkConfig};
use object_store::aws::resolve_bucket_region;

use crate::backend::object::error::meaning;
use crate::error::{Result, StoreError};
use crate::open::OpenOptions;
use crate::url::{S3Options, check_endpoint};

/// A bucket's whereabouts.
pub(crate) struct Place {
    /// The region requests are signed for.
    pub(crate) region: String,
    /// The server, if it is not AWS's own for the region.
    pub(crate) endpoint: Option<String>,
    /// The endpoint is somebody's own choice, not derived from the region.
    pub(crate) custom: bool,
    /// What a copy within the server can go between: its endpoint, or AWS as a whole.
    pub(crate) server: String,
    /// The bucket stands in the path.
    pub(crate) path_style: bool,
    /// The rest of the configuration, credentials among it.
    pub(crate) sdk: SdkConfig,
}

/// Finds out where `bucket` is.
///
/// The region's order is that of AWS's tools, without the instance's metadata: the URL, the environment,
/// the profile. A server of one's own rarely cares and gets `us-east-1`; AWS is asked where the bucket is.
pub(crate) async fn place(url: &str, bucket: &str, options: &S3Options, open: &OpenOptions) -> Result<Place> {
    let mut profile_region = ProfileFileRegionProvider::builder();
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(profile) = &options.profile {
        profile_region = profile_region.profile_name(profile);
        loader = loader.profile_name(profile);
    }
    let region = RegionProviderChain::first_try(options.region.clone().map(aws_config::Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(profile_region.build());
    if open.credentials.is_some() {
        loader = loader.no_credentials();
    }
    let sdk = loader.region(region).load().await;
    let from_env = std::env::var("AWS_ENDPOINT_URL_S3").ok().filter(|e| !e.is_empty());
    let endpoint = options.endpoint.clone().or(from_env).or_else(|| sdk.endpoint_url().map(str::to_owned));
    if let Some(endpoint) = &endpoint {
        check_endpoint(url, endpoint)?;
    }
    let custom = endpoint.is_some();
    let region = match (sdk.region(), custom) {
        (Some(region), _) => region.to_string(),
        (None, true) => "us-east-1".to_owned(),
        (None, false) => ask_for_region(url, bucket, open).await?,
    };
    // Names with dots do not match the certificate *.s3.<region>.amazonaws.com.
    let path_style = options.path_style.unwrap_or(custom || bucket.contains('.'));
    let endpoint = match endpoint {
        None if region.starts_with("cn-") => Some(format!("https://s3.{region}.amazonaws.com.cn")),
        endpoint => endpoint,
    };
    let server = endpoint.as_deref().map_or("AWS", |e| e.trim_end_matches('/')).to_owned();
    let endpoint = match endpoint {
        Some(endpoint) if !path_style => Some(with_bucket(url, &endpoint, bucket)?),
        endpoint => endpoint.map(|e| e.trim_end_matches('/').to_owned()),
    };
    Ok(Place { region, endpoint, custom, server, path_style, sdk })
}

/// The endpoint with the bucket in its host name.
fn with_bucket(shown: &str, endpoint: &str, bucket: &str) -> Result<String> {
    let refuse = |cause: String| {
        StoreError::new(StoreError::InvalidUrl, shown, cause, "add path-style=true to the URL")
    };
    let mut endpoint = url::Url::parse(endpoint).map_err(|e| refuse(format!("the endpoint: {e}")))?;
    let host = format!("{bucket}.{}", endpoint.host_str().unwrap_or_default());
    endpoint
        .set_host(Some(&host))
        .map_err(|e| refuse(format!("the endpoint with the bucket's name: {e}")))?;
    Ok(endpoint.as_str().trim_end_matches('/').to_owned())
}

async fn ask_for_region(url: &str, bucket: &str, open: &OpenOptions) -> Result<String> {
    let asked = resolve_bucket_region(bucket, &open.client(open.control_timeout())).await;
    asked.map_err(|e| match e.to_string().contains("not found") {
        true => StoreError::new(
            StoreError::BucketMissing,
            url,
            "AWS has no bucket of this name",
            "create it, or check its name; for another server put endpoint=… into the URL",
        ),
        false => {
            let e = meaning(url, &e);
            StoreError::new(
                StoreError::Unreachable,
                url,
                format_args!("no region is configured, and AWS could not be asked for it: {}", e.cause()),
                "put region=… into the URL, and endpoint=… if the bucket is not at AWS; or check the network",
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_goes_before_the_endpoints_host() {
        assert_eq!(with_bucket("", "https://s3.example:9000/", "b").unwrap(), "https://b.s3.example:9000");
        assert!(with_bucket("", "http://127.0.0.1:9000", "b c").is_err());
    }
}
