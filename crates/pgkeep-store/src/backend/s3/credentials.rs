//! AWS's whole chain of credentials, handed to `object_store`.
//!
//! Environment, profiles (with SSO, assumed roles and credential processes), web identity, container and
//! instance roles all come from `aws-config`. Temporary ones are fetched anew before they expire, so
//! that an upload of many hours goes through.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use object_store::aws::{AwsCredential, AwsCredentialProvider};
use object_store::{CredentialProvider, StaticCredentialProvider};
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

use crate::open::OpenOptions;

/// Temporary credentials are replaced this long before they expire: longer than a request may take.
const AHEAD: Duration = Duration::from_secs(10 * 60);
/// Those without an expiry are looked up again after this, since keys in files get rotated.
const KEPT: Duration = Duration::from_secs(15 * 60);

/// The provider for an opened store.
pub(crate) fn provider(sdk: &SdkConfig, open: &OpenOptions) -> AwsCredentialProvider {
    if let Some(c) = &open.credentials {
        return Arc::new(StaticCredentialProvider::new(AwsCredential {
            key_id: c.access_key.clone(),
            secret_key: c.secret_key.clone(),
            token: c.session_token.clone(),
        }));
    }
    Arc::new(Chain { provider: sdk.credentials_provider(), kept: Mutex::new(None) })
}

struct Kept {
    credential: Arc<AwsCredential>,
    until: SystemTime,
    expires: Option<SystemTime>,
}

/// The chain, with what it last gave.
struct Chain {
    provider: Option<SharedCredentialsProvider>,
    kept: Mutex<Option<Kept>>,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chain(…)")
    }
}

#[async_trait]
impl CredentialProvider for Chain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        // Held while fetching, so that many threads make one request of it.
        let mut kept = self.kept.lock().await;
        let now = SystemTime::now();
        if let Some(kept) = kept.as_ref().filter(|k| now < k.until) {
            return Ok(kept.credential.clone());
        }
        let Some(provider) = &self.provider else {
            return Err(none("the chain of credentials is empty".into()));
        };
        let fresh = match provider.provide_credentials().await {
            Ok(fresh) => fresh,
            Err(e) => {
                // What we have may serve a little longer than we meant to use it.
                if let Some(kept) = kept.as_ref().filter(|k| k.expires.is_none_or(|e| now < e)) {
                    return Ok(kept.credential.clone());
                }
                return Err(none(chain(&e)));
            }
        };
        let credential = Arc::new(AwsCredential {
            key_id: fresh.access_key_id().to_owned(),
            secret_key: fresh.secret_access_key().to_owned(),
            token: fresh.session_token().map(str::to_owned),
        });
        let expires = fresh.expiry();
        let until = match expires {
            Some(expires) => expires.checked_sub(AHEAD).unwrap_or(now),
            None => now + KEPT,
        };
        *kept = Some(Kept { credential: credential.clone(), until, expires });
        Ok(credential)
    }
}

fn none(cause: String) -> object_store::Error {
    object_store::Error::Unauthenticated {
        path: "credentials".into(),
        source: format!("no usable AWS credentials: {cause}").into(),
    }
}

/// An error and its causes in one line.
fn chain(e: &dyn StdError) -> String {
    let mut text = e.to_string();
    let mut source = e.source();
    while let Some(e) = source {
        text.push_str(": ");
        text.push_str(&e.to_string());
        source = e.source();
    }
    text
}
