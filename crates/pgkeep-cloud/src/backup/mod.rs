//! AWS Backup: vaults, plans, selections, the role behind them, jobs, recovery points.

mod model;

pub use model::{
    Conditions, CopyAction, Job, Lifecycle, Lock, Plan, RecoveryPoint, Role, Rule, Selection, StandingPlan,
    Tag, Vault,
};
