//! Parameters of the Systems Manager.

use crate::account::Account;
use crate::error::{Asked, CloudError, CloudErrorKind, Result};
use crate::runtime;

impl Account {
    /// A parameter's value, decrypted (`ssm:GetParameter`). The name may be an ARN or end in `:version`.
    ///
    /// # Errors
    /// Not found, not allowed, not reached, or empty.
    pub fn parameter(&self, name: &str) -> Result<String> {
        let asked =
            Asked { what: format!("parameter {name} in {}", self.region), action: "ssm:GetParameter" };
        let client = aws_sdk_ssm::Client::new(&self.sdk);
        let request = client.get_parameter().name(name).with_decryption(true);
        runtime::run(async move {
            let got = request.send().await.map_err(|e| asked.failed(&e))?;
            let value = got.parameter().and_then(|p| p.value()).filter(|v| !v.is_empty());
            value
                .map(str::to_owned)
                .ok_or_else(|| CloudError::new(CloudErrorKind::Unfit, asked.what, "it is empty"))
        })
    }
}
