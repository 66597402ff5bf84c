//! `[aws_backup]` in the configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The rules of a plan that need no words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Daily at 3, kept for 7 days.
    Dev,
    /// Daily at 3, continuous, kept for 35 days; weekly on Sundays at 4, kept for 90 days.
    Prod,
}

/// Who can remove a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LockMode {
    /// Those who have the right.
    Governance,
    /// Nobody, after `changeable_for_days`.
    Compliance,
}

/// `[aws_backup.vault_lock]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultLock {
    /// Who can remove it.
    pub mode: LockMode,
    /// The least days that a recovery point has to stay.
    pub min_days: Option<i64>,
    /// The most days that a recovery point may stay.
    pub max_days: Option<i64>,
    /// In compliance mode: days, 3 or more, in which the lock can still be changed.
    pub changeable_for_days: Option<i64>,
}

/// A copy elsewhere: `copy = [{ vault = "arn:…", delete_after = 90 }]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyTo {
    /// ARN of the vault.
    pub vault: String,
    /// Days until it is deleted.
    pub delete_after: Option<i64>,
    /// Days until it moves to cold storage.
    pub cold_after: Option<i64>,
}

/// `[aws_backup.rules.<name>]`. What is left out is as the preset's rule of this name has it, else AWS's own default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSettings {
    /// `cron(…)`.
    pub schedule: Option<String>,
    /// Minutes.
    pub start_window: Option<i64>,
    /// Minutes.
    pub completion_window: Option<i64>,
    /// Days.
    pub delete_after: Option<i64>,
    /// Days.
    pub cold_after: Option<i64>,
    /// Whether any moment can be restored.
    pub continuous: Option<bool>,
    /// Copies elsewhere.
    #[serde(default)]
    pub copy: Vec<CopyTo>,
    /// Tags of the recovery points.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// `false` leaves out a rule of the preset.
    pub enabled: Option<bool>,
}

/// Conditions on tags that all have to hold: `[aws_backup.conditions]`, each a table of tags.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConditionSettings {
    /// `string_equals = { env = "prod" }`
    pub string_equals: BTreeMap<String, String>,
    /// Other values.
    pub string_not_equals: BTreeMap<String, String>,
    /// With `*`.
    pub string_like: BTreeMap<String, String>,
    /// With `*`.
    pub string_not_like: BTreeMap<String, String>,
}

/// `[aws_backup]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What names begin with: `<name>-backup-vault`, `<name>-backup-plan`, `<name>-backup-selection`, `<name>-backup-role`.
    pub name: String,
    /// The region; else that of the environment.
    pub region: Option<String>,
    /// The rules to begin with.
    pub preset: Option<Preset>,
    /// ARN of a customer's key for the vault; else AWS's own.
    pub kms_key: Option<String>,
    /// ARN of a role that is there already; else one is made.
    pub role: Option<String>,
    /// The time zone of schedules.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// ARNs.
    #[serde(default)]
    pub resources: Vec<String>,
    /// ARNs of what is left out.
    #[serde(default)]
    pub not_resources: Vec<String>,
    /// Tags of which one is enough.
    #[serde(default)]
    pub selection_tags: BTreeMap<String, String>,
    /// Conditions that all have to hold.
    #[serde(default)]
    pub conditions: ConditionSettings,
    /// The lock of the vault.
    pub vault_lock: Option<VaultLock>,
    /// The vault's access policy, JSON.
    pub access_policy: Option<String>,
    /// Rules by name.
    #[serde(default)]
    pub rules: BTreeMap<String, RuleSettings>,
    /// Tags of vault, plan and role.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

fn utc() -> String {
    "UTC".into()
}
