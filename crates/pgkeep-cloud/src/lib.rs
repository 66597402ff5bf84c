//! What AWS knows about databases (secrets, parameters, IAM tokens, RDS instances and Aurora clusters with their snapshots,
//! AWS Backup), and where it is told about them: SNS, SES, CloudWatch.
//!
//! Blocking calls over the AWS SDK. Credentials come from its whole chain (environment, profiles, SSO, web identity,
//! container and instance roles), the region from the caller or that chain, and `AWS_ENDPOINT_URL` or
//! `AWS_ENDPOINT_URL_<SERVICE>` leads to another endpoint.

mod account;
pub mod backup;
mod call;
mod error;
mod function;
mod message;
mod metrics;
mod parameter;
mod rds;
mod request;
mod runtime;
mod secret;
mod task;
mod token;

pub use account::Account;
pub use error::{CloudError, CloudErrorKind, Result};
pub use function::Invoked;
pub use metrics::{Metric, NAMESPACE, Unit, backup_metrics, dimensions, embedded, snapshot_age};
pub use rds::{
    Export, ExportOrder, Rds, RdsDatabase, RdsKind, RdsPlace, RdsSnapshot, RestoreFrom, RestoreInto, Role,
    Tags,
};
pub use secret::Secret;
pub use task::Task;
