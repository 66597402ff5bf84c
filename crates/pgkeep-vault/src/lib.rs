//! AWS Backup as the configuration wants it: vault, plan, selection and role, AWS's own rules about them, what differs from
//! what stands there, what it costs, and how its jobs and recovery points are doing.
//!
//! All but `run` asks AWS nothing: what stands there comes in, what is to be done goes out.

mod changes;
mod cost;
mod desired;
mod health;
mod restore;
mod rules;
mod run;
mod settings;

pub use changes::{Changes, Observed, Step};
pub use cost::{Cost, Prices, RuleCost};
pub use desired::{Desired, DesiredRole, ROLE_POLICIES, ROLE_TRUST};
pub use health::{Finding, PointState, Standing, State, findings, state_of_job, state_of_point};
pub use restore::{RestoreError, RestoreTarget, When, metadata};
pub use rules::Checked;
pub use run::{apply, wait};
pub use settings::{ConditionSettings, CopyTo, LockMode, Preset, RuleSettings, Settings, VaultLock};
