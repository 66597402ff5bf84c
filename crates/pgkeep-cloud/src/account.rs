//! The account and region that requests go to.

use aws_config::meta::region::RegionProviderChain;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use std::fmt;
use std::time::Duration;

use crate::error::{CloudError, CloudErrorKind, Result};
use crate::runtime;

/// Longest wait for a connection, and for one attempt; the SDK tries three times.
const CONNECT: Duration = Duration::from_secs(5);
const ATTEMPT: Duration = Duration::from_secs(20);

/// Credentials and region.
#[derive(Clone)]
pub struct Account {
    pub(crate) sdk: SdkConfig,
    pub(crate) region: String,
}

impl Account {
    /// The region is the given one, else that of AWS's own chain: `AWS_REGION`, the profile, the instance's metadata.
    /// Credentials are looked up with the first request.
    ///
    /// # Errors
    /// `Unfit` when no region is configured.
    pub fn open(region: Option<&str>) -> Result<Account> {
        let given = region.map(|r| Region::new(r.to_owned()));
        let sdk = runtime::run(async move {
            let timeouts =
                TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT);
            let region = RegionProviderChain::first_try(given).or_default_provider();
            let loader = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts.build());
            Ok(loader.region(region).load().await)
        })?;
        Account::from_sdk(sdk)
    }

    /// The account of a resource: an ARN names its region, which counts where none is given.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn of(name_or_arn: &str, region: Option<&str>) -> Result<Account> {
        // arn:partition:service:region:account:resource (IAM User Guide, "Amazon Resource Names").
        let named =
            name_or_arn.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2)).filter(|r| !r.is_empty());
        Account::open(region.or(named))
    }

    /// An account whose configuration is made already.
    ///
    /// # Errors
    /// `Unfit` when it has no region.
    pub fn from_sdk(sdk: SdkConfig) -> Result<Account> {
        match sdk.region().map(ToString::to_string) {
            Some(region) => Ok(Account { sdk, region }),
            None => Err(CloudError::new(CloudErrorKind::Unfit, "AWS", "no region is configured")
                .hint("name one: region=… in the name, --region, or AWS_REGION")),
        }
    }

    /// The region that requests go to.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({})", self.region)
    }
}
