//! Options about signing in at an identity provider.

use std::path::PathBuf;

use clap::Args;
use pgkeep_serve::web::OidcOptions;

use crate::config::Config;
use crate::config::keys::DAEMON;
use crate::connect::{self, PasswordSource};
use crate::failure::{Failure, Result};

/// What is read, as errors name it.
const WHAT: &str = "the client secret of OpenID Connect";

/// The identity provider, and who of its people gets in.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = DAEMON)]
pub(super) struct OidcFlags {
    /// Let people sign in at this OpenID Connect provider
    #[arg(long, value_name = "URL", requires = "oidc_client_id")]
    oidc_issuer: Option<String>,
    /// The name that pgkeep has there
    #[arg(long, value_name = "ID", requires = "oidc_issuer")]
    oidc_client_id: Option<String>,
    /// A file whose first line is its secret there [in the configuration also: oidc_client_secret = { … }]
    #[arg(long, value_name = "FILE", requires = "oidc_issuer")]
    oidc_client_secret_file: Option<PathBuf>,
    /// A scope to ask for beside openid, profile and email, such as groups
    #[arg(long, value_name = "SCOPE")]
    oidc_scope: Vec<String>,
    /// The claim of the ID token by which roles are given; a.b leads into an object
    #[arg(long, value_name = "CLAIM", default_value = "groups")]
    oidc_role_claim: String,
    /// A value of that claim that makes an operator
    #[arg(long, value_name = "VALUE")]
    oidc_operators: Vec<String>,
    /// A value of that claim that makes a viewer
    #[arg(long, value_name = "VALUE")]
    oidc_viewers: Vec<String>,
}

impl OidcFlags {
    /// What is asked for, its secret read; nothing where no provider is named.
    pub(super) fn options(&self, config: &Config) -> Result<Option<OidcOptions>> {
        // What comes from the configuration is not looked at by clap's `requires`.
        let (issuer, client_id) = match (self.oidc_issuer.clone(), self.oidc_client_id.clone()) {
            (Some(issuer), Some(client_id)) => (issuer, client_id),
            (None, None) if self.is_silent(config) => return Ok(None),
            _ => {
                return Err(Failure::usage(
                    "signing in by OpenID Connect needs both --oidc-issuer and --oidc-client-id",
                ));
            }
        };
        let file = self.oidc_client_secret_file.clone().map(|file| PasswordSource::File { file });
        let source = match (&file, &config.oidc_client_secret) {
            (Some(_), Some(_)) => {
                return Err(Failure::usage(
                    "the client secret of OpenID Connect is named twice\n  hint: leave out oidc_client_secret or \
                     --oidc-client-secret-file",
                ));
            }
            (file, configured) => file.as_ref().or(configured.as_ref()),
        };
        let secret = source.map(|source| {
            connect::secret(source, WHAT)
                .map_err(|e| Failure { message: format!("{WHAT}: {}", e.message), ..e })
        });
        Ok(Some(OidcOptions {
            issuer,
            client_id,
            client_secret: secret.transpose()?,
            scopes: self.oidc_scope.clone(),
            role_claim: self.oidc_role_claim.clone(),
            operators: self.oidc_operators.clone(),
            viewers: self.oidc_viewers.clone(),
        }))
    }

    /// Whether nothing else is said of a provider.
    fn is_silent(&self, config: &Config) -> bool {
        self.oidc_client_secret_file.is_none()
            && config.oidc_client_secret.is_none()
            && [&self.oidc_scope, &self.oidc_operators, &self.oidc_viewers].iter().all(|list| list.is_empty())
    }
}
