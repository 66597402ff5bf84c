//! What is to stand at AWS Backup, from what the configuration says.

use std::collections::BTreeMap;

use pgkeep_cloud::backup::{Conditions, CopyAction, Lifecycle, Lock, Plan, Rule, Selection, Tag};
use serde::Serialize;

use crate::settings::{ConditionSettings, CopyTo, LockMode, Preset, RuleSettings, Settings};

/// The policies that let AWS Backup back up and restore
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/iam-service-roles.html>).
pub const ROLE_POLICIES: [&str; 2] = [
    "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup",
    "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForRestores",
];

/// Lets the service AWS Backup take the role.
pub const ROLE_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"backup.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// AWS's own defaults, in minutes: eight hours and seven days.
const START_WINDOW: i64 = 480;
const COMPLETION_WINDOW: i64 = 10_080;
/// AWS's own default.
const SCHEDULE: &str = "cron(0 5 ? * * *)";

/// The role by which AWS Backup works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum DesiredRole {
    /// One that is there already, by ARN; nothing about it is changed.
    Given(String),
    /// One of this name, with [`ROLE_TRUST`] and [`ROLE_POLICIES`].
    Made(String),
}

/// Everything that is to stand there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Desired {
    /// Name of the vault.
    pub vault: String,
    /// ARN of its key; `None`: AWS's own.
    pub key: Option<String>,
    /// Its lock.
    pub lock: Option<Lock>,
    /// Its access policy, JSON.
    pub policy: Option<String>,
    /// The role.
    pub role: DesiredRole,
    /// The plan.
    pub plan: Plan,
    /// What the plan is for. `role` is empty where the role has still to be made.
    pub selection: Selection,
    /// Tags of vault, plan and role.
    pub tags: BTreeMap<String, String>,
}

impl Settings {
    /// What is to stand there.
    #[must_use]
    pub fn desired(&self) -> Desired {
        let named = |what: &str| format!("{}-backup-{what}", self.name);
        let vault = named("vault");
        let role = match &self.role {
            Some(arn) => DesiredRole::Given(arn.clone()),
            None => DesiredRole::Made(named("role")),
        };
        let lock = self.vault_lock.as_ref().map(|lock| Lock {
            min_days: lock.min_days,
            max_days: lock.max_days,
            changeable_for_days: lock.changeable_for_days.filter(|_| lock.mode == LockMode::Compliance),
        });
        let rules = self.all_rules().into_iter().filter(|(_, rule)| rule.enabled != Some(false));
        let rules = rules.map(|(name, rule)| self.rule(name, rule, &vault)).collect();
        let selection = Selection {
            name: named("selection"),
            role: self.role.clone().unwrap_or_default(),
            resources: self.resources.clone(),
            not_resources: self.not_resources.clone(),
            tags: tags(&self.selection_tags),
            conditions: conditions(&self.conditions),
        };
        Desired {
            key: self.kms_key.clone(),
            policy: self.access_policy.clone(),
            plan: Plan { name: named("plan"), rules },
            tags: self.tags.clone(),
            vault,
            lock,
            role,
            selection,
        }
    }

    /// The preset's rules under those of the configuration.
    fn all_rules(&self) -> BTreeMap<String, RuleSettings> {
        let mut rules = self.preset.map(Preset::rules).unwrap_or_default();
        for (name, own) in &self.rules {
            let base = rules.remove(name).unwrap_or_default();
            rules.insert(name.clone(), own.over(base));
        }
        rules
    }

    fn rule(&self, name: String, rule: RuleSettings, vault: &str) -> Rule {
        let copy = |to: CopyTo| CopyAction {
            vault: to.vault,
            lifecycle: Lifecycle { cold_after: to.cold_after, delete_after: to.delete_after },
        };
        Rule {
            name,
            vault: vault.to_owned(),
            schedule: rule.schedule.unwrap_or_else(|| SCHEDULE.into()),
            time_zone: self.time_zone.clone(),
            start_window: rule.start_window.unwrap_or(START_WINDOW),
            completion_window: rule.completion_window.unwrap_or(COMPLETION_WINDOW),
            lifecycle: Lifecycle { cold_after: rule.cold_after, delete_after: rule.delete_after },
            continuous: rule.continuous.unwrap_or(false),
            copies: rule.copy.into_iter().map(copy).collect(),
            tags: rule.tags,
        }
    }
}

impl Preset {
    /// The rules of the preset, by name.
    #[must_use]
    pub fn rules(self) -> BTreeMap<String, RuleSettings> {
        let prod = self == Preset::Prod;
        let daily = RuleSettings {
            schedule: Some("cron(0 3 * * ? *)".into()),
            start_window: Some(60),
            completion_window: Some(180),
            delete_after: Some(if prod { 35 } else { 7 }),
            continuous: Some(prod),
            ..RuleSettings::default()
        };
        let weekly = RuleSettings {
            schedule: Some("cron(0 4 ? * SUN *)".into()),
            delete_after: Some(90),
            ..RuleSettings::default()
        };
        let mut rules = BTreeMap::from([("daily-backup".to_owned(), daily)]);
        if prod {
            rules.insert("weekly-backup".to_owned(), weekly);
        }
        rules
    }
}

impl RuleSettings {
    /// What this one says, and for the rest what `base` says.
    fn over(&self, base: RuleSettings) -> RuleSettings {
        let own = self.clone();
        RuleSettings {
            schedule: own.schedule.or(base.schedule),
            start_window: own.start_window.or(base.start_window),
            completion_window: own.completion_window.or(base.completion_window),
            delete_after: own.delete_after.or(base.delete_after),
            cold_after: own.cold_after.or(base.cold_after),
            continuous: own.continuous.or(base.continuous),
            copy: if own.copy.is_empty() { base.copy } else { own.copy },
            tags: if own.tags.is_empty() { base.tags } else { own.tags },
            enabled: own.enabled.or(base.enabled),
        }
    }
}

fn tags(table: &BTreeMap<String, String>) -> Vec<Tag> {
    table.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect()
}

fn conditions(settings: &ConditionSettings) -> Conditions {
    // AWS wants the name of a tag with this before it here, and without it among the selection's tags.
    let tags = |table: &BTreeMap<String, String>| {
        let named = |key: &String| match key.contains(':') {
            true => key.clone(),
            false => format!("aws:ResourceTag/{key}"),
        };
        table.iter().map(|(key, value)| Tag { key: named(key), value: value.clone() }).collect()
    };
    Conditions {
        equals: tags(&settings.string_equals),
        not_equals: tags(&settings.string_not_equals),
        like: tags(&settings.string_like),
        not_like: tags(&settings.string_not_like),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn settings(text: &str) -> Settings {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_presets_are_the_documents_table() {
        let plan = |preset: &str| settings(&format!("name = 'chat'\npreset = '{preset}'")).desired().plan;
        let (dev, prod) = (plan("dev"), plan("prod"));
        let [daily] = &dev.rules[..] else { panic!("{dev:?}") };
        let told = |r: &Rule| {
            (r.schedule.clone(), r.start_window, r.completion_window, r.lifecycle.delete_after, r.continuous)
        };
        assert_eq!(told(daily), ("cron(0 3 * * ? *)".into(), 60, 180, Some(7), false));
        let [daily, weekly] = &prod.rules[..] else { panic!("{prod:?}") };
        assert_eq!(told(daily), ("cron(0 3 * * ? *)".into(), 60, 180, Some(35), true));
        assert_eq!(
            (weekly.schedule.as_str(), weekly.lifecycle.delete_after),
            ("cron(0 4 ? * SUN *)", Some(90))
        );
        assert_eq!((daily.name.as_str(), weekly.name.as_str()), ("daily-backup", "weekly-backup"));
        assert_eq!((daily.vault.as_str(), prod.name.as_str()), ("chat-backup-vault", "chat-backup-plan"));
    }

    #[test]
    fn a_rule_of_ones_own_changes_the_presets_and_can_leave_it_out() {
        let desired = settings(
            "name = 'chat'\npreset = 'prod'\n[rules.daily-backup]\ndelete_after = 14\n[rules.weekly-backup]\n\
             enabled = false\n[rules.yearly]\nschedule = 'cron(0 4 1 1 ? *)'\ndelete_after = 3650",
        )
        .desired();
        let rules: Vec<_> = desired.plan.rules.iter().map(|r| (r.name.as_str(), r.start_window)).collect();
        assert_eq!(rules, [("daily-backup", 60), ("yearly", 480)]);
        assert_eq!(desired.plan.rules[0].lifecycle.delete_after, Some(14));
    }

    #[test]
    fn tags_of_conditions_get_the_name_that_aws_wants() {
        let desired = settings(
            "name = 'c'\nselection_tags = { backup = 'on' }\n[conditions]\nstring_like = { env = 'prod*' }",
        )
        .desired();
        assert_eq!(desired.selection.tags[0].key, "backup");
        assert_eq!(desired.selection.conditions.like[0].key, "aws:ResourceTag/env");
    }
}
