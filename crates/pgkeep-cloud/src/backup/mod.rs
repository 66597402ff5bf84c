//! AWS Backup: vaults ([`Backup`]), plans, selections, the role behind them, jobs, recovery points.

mod job;
mod model;
mod plan;
mod point;
mod role;
mod vault;

use aws_sdk_backup::Client;
use aws_smithy_types::DateTime;

use crate::account::Account;
use crate::error::Asked;
pub use model::{
    Conditions, CopyAction, Job, Lifecycle, Lock, Plan, RecoveryPoint, Role, Rule, Selection, StandingPlan,
    Tag, Vault,
};

/// AWS Backup, and as far as roles go IAM, of one account and region.
#[derive(Clone, Debug)]
pub struct Backup {
    client: Client,
    iam: aws_sdk_iam::Client,
    region: String,
}

impl Account {
    /// AWS Backup of this account and region.
    #[must_use]
    pub fn backup(&self) -> Backup {
        Backup {
            client: Client::new(&self.sdk),
            iam: aws_sdk_iam::Client::new(&self.sdk),
            region: self.region.clone(),
        }
    }
}

impl Backup {
    /// The region that requests go to.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    fn asked(&self, what: &str, action: &'static str) -> Asked<'static> {
        Asked { what: format!("{what} in {}", self.region), action }
    }
}

impl Lifecycle {
    fn to_aws(self) -> Option<aws_sdk_backup::types::Lifecycle> {
        let builder = aws_sdk_backup::types::Lifecycle::builder()
            .set_move_to_cold_storage_after_days(self.cold_after)
            .set_delete_after_days(self.delete_after);
        (self != Lifecycle::default()).then(|| builder.build())
    }

    fn of_aws(lifecycle: Option<&aws_sdk_backup::types::Lifecycle>) -> Lifecycle {
        Lifecycle {
            cold_after: lifecycle.and_then(|l| l.move_to_cold_storage_after_days()),
            delete_after: lifecycle.and_then(|l| l.delete_after_days()),
        }
    }
}

fn seconds(time: Option<&DateTime>) -> Option<i64> {
    time.map(DateTime::secs)
}
