//! What AWS Backup is made of, as far as pgkeep uses it
//! (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_Reference.html>).

use std::collections::BTreeMap;

use serde::Serialize;

/// When recovery points move to cold storage and when they are deleted, in days after they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Lifecycle {
    /// To cold storage; `None`: never.
    pub cold_after: Option<i64>,
    /// Deleted; `None`: never.
    pub delete_after: Option<i64>,
}

/// A copy of every recovery point of a rule in another vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CopyAction {
    /// ARN of that vault, which names its region and account.
    pub vault: String,
    /// How long the copy stays there.
    pub lifecycle: Lifecycle,
}

/// One rule of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Name of the vault.
    pub vault: String,
    /// `cron(…)`.
    pub schedule: String,
    /// The time zone of the schedule.
    pub time_zone: String,
    /// Minutes after the scheduled time within which a job has to start.
    pub start_window: i64,
    /// Minutes after its start within which a job has to complete.
    pub completion_window: i64,
    /// How long recovery points stay.
    pub lifecycle: Lifecycle,
    /// Whether any moment can be restored, not only those of snapshots.
    pub continuous: bool,
    /// Copies elsewhere.
    pub copies: Vec<CopyAction>,
    /// Tags of the recovery points.
    pub tags: BTreeMap<String, String>,
}

/// A backup plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// A tag condition: key and value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Tag {
    /// The key.
    pub key: String,
    /// The value, in which `*` stands for anything where the condition is one of likeness.
    pub value: String,
}

/// Conditions that all have to hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Conditions {
    /// Tags with these values.
    pub equals: Vec<Tag>,
    /// Tags with other values than these.
    pub not_equals: Vec<Tag>,
    /// Tags with values like these.
    pub like: Vec<Tag>,
    /// Tags with values unlike these.
    pub not_like: Vec<Tag>,
}

/// Which resources a plan is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Selection {
    /// Its name.
    pub name: String,
    /// The role by which AWS Backup works.
    pub role: String,
    /// ARNs, also with `*` at their end or for region, account and name.
    pub resources: Vec<String>,
    /// ARNs of what is left out.
    pub not_resources: Vec<String>,
    /// Tags of which one is enough.
    pub tags: Vec<Tag>,
    /// Conditions that all have to hold.
    pub conditions: Conditions,
}

/// A lock against deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// No recovery point may stay for less, in days.
    pub min_days: Option<i64>,
    /// No recovery point may stay for longer, in days.
    pub max_days: Option<i64>,
    /// `Some`: compliance mode, in which nobody can change or remove the lock after so many days. `None`: governance mode.
    pub changeable_for_days: Option<i64>,
}

/// A vault as it stands there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vault {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// ARN of the key that encrypts recovery points.
    pub key: Option<String>,
    /// Its lock. Of a lock in compliance mode AWS tells the date, not the days.
    pub lock: Option<Lock>,
    /// From when on, in seconds since 1970, nobody can change the lock; `None` in governance mode.
    pub locked_for_good_at: Option<i64>,
    /// Its access policy, JSON.
    pub policy: Option<String>,
    /// How many recovery points it has, about.
    pub recovery_points: i64,
}

/// A plan as it stands there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StandingPlan {
    /// AWS's id.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// What it says.
    pub plan: Plan,
    /// Ids and contents of its selections.
    pub selections: Vec<(String, Selection)>,
}

/// A role as it stands there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Who may take it, JSON.
    pub trust: String,
    /// ARNs of the managed policies attached to it.
    pub policies: Vec<String>,
}

/// A recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecoveryPoint {
    /// Its ARN.
    pub arn: String,
    /// What was backed up.
    pub resource: String,
    /// Such as `RDS` or `Aurora`.
    pub resource_type: String,
    /// AWS's word, such as `COMPLETED`.
    pub status: String,
    /// AWS's reason for it.
    pub message: Option<String>,
    /// Seconds since 1970.
    pub created: i64,
    /// Size in bytes; AWS does not tell it for Aurora.
    pub size: Option<i64>,
    /// When it will be deleted, in seconds since 1970.
    pub delete_at: Option<i64>,
    /// Whether it is a continuous one.
    pub continuous: bool,
    /// Id of the plan that it comes from.
    pub plan: Option<String>,
}

/// A backup, copy or restore job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Job {
    /// AWS's id.
    pub id: String,
    /// What is backed up, copied, or made by a restore.
    pub resource: Option<String>,
    /// AWS's word, such as `RUNNING`.
    pub state: String,
    /// AWS's reason for it.
    pub message: Option<String>,
    /// Percent that are done, AWS's word.
    pub percent: Option<String>,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970.
    pub completed: Option<i64>,
    /// Until when it has to have begun, in seconds since 1970.
    pub start_by: Option<i64>,
    /// The recovery point that it makes or comes from.
    pub recovery_point: Option<String>,
    /// Id of the plan that it comes from, and the name of its rule (empty where AWS does not tell).
    pub plan: Option<(String, String)>,
}
