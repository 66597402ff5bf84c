//! Passwords for RDS that IAM gives.

use aws_sdk_rds::auth_token::{AuthTokenGenerator, Config};

use crate::account::Account;
use crate::error::{CloudError, CloudErrorKind, Result, no_credentials};
use crate::runtime;

impl Account {
    /// A token that serves as the password of `user` for 15 minutes (`rds-db:connect`; RDS User Guide, "IAM database
    /// authentication"). Signed here, without a request to RDS; RDS wants TLS with it.
    ///
    /// # Errors
    /// `Unfit` for a host that is no name; `Credentials`.
    pub fn iam_token(&self, host: &str, port: u16, user: &str) -> Result<String> {
        let what = format!("an IAM token for {user}@{host}:{port}");
        let other = |e: &dyn std::fmt::Display| CloudError::new(CloudErrorKind::Other, &what, e.to_string());
        // The generator trusts that the host makes a URL.
        if host.is_empty() || !host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)) {
            return Err(CloudError::new(CloudErrorKind::Unfit, &what, "the host is not a DNS name")
                .hint("name the endpoint that RDS shows, or the instance as rds:<name>"));
        }
        let generator = Config::builder().hostname(host).port(port.into()).username(encode(user)).build();
        let generator = AuthTokenGenerator::new(generator.map_err(|e| other(&e))?);
        let sdk = self.sdk.clone();
        let asked = what.clone();
        runtime::run(async move {
            use aws_credential_types::provider::ProvideCredentials;
            // Asked first: what the generator says of missing credentials does not tell them from other failures.
            if let Some(provider) = sdk.credentials_provider() {
                provider.provide_credentials().await.map_err(|e| no_credentials(&asked, &e))?;
            }
            let token = generator.auth_token(&sdk).await;
            token
                .map(|t| t.to_string())
                .map_err(|e| CloudError::new(CloudErrorKind::Credentials, asked, e.to_string()))
        })
    }
}

/// As a value in a URL's query (RFC 3986, section 2.3).
fn encode(text: &str) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~".contains(b);
    text.bytes().map(|b| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
