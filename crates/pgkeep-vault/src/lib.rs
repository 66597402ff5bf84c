//! AWS Backup as the configuration wants it: vault, plan, selection and role, AWS's own rules about them, what differs from
//! what stands there, what it costs, and how its jobs and recovery points are doing.
//!
//! Nothing here asks AWS: what stands there comes in, what is to be done goes out. Requests are `pgkeep_cloud::backup`.

mod changes;
mod cost;
mod desired;
mod health;
mod restore;
mod run;
mod rules;
mod settings;

pub use changes::{Changes, Observed, Step};
pub use cost::{Cost, Prices, RuleCost};
pub use desired::{Desired, DesiredRole, ROLE_POLICIES, ROLE_TRUST};
pub use health::{Finding, PointState, Standing, State, findings, state_of_job, state_of_point};
pub use restore::{RestoreError, RestoreTarget, When, metadata};
pub use run::{apply, wait};
pub use rules::Checked;
pub use settings::{ConditionSettings, CopyTo, LockMode, Preset, RuleSettings, Settings, VaultLock};
