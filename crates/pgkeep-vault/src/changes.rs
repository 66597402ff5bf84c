//! From what stands at AWS Backup to what is to stand there.

use pgkeep_cloud::backup::{Lock, Role, Rule, Selection, StandingPlan, Vault};
use serde::Serialize;
use serde_json::Value;

use crate::desired::{Desired, DesiredRole, ROLE_POLICIES, ROLE_TRUST};

/// What stands there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Observed {
    /// The vault of this name.
    pub vault: Option<Vault>,
    /// The role of this name, where one is to be made.
    pub role: Option<Role>,
    /// The plan of this name.
    pub plan: Option<StandingPlan>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// A role of this name.
    CreateRole {
        /// Its name.
        name: String,
    },
    /// A managed policy for the role.
    AttachPolicy {
        /// Name of the role.
        role: String,
        /// ARN of the policy.
        policy: String,
    },
    /// The vault.
    CreateVault {
        /// Its name.
        name: String,
    },
    /// The vault's access policy; `None` removes it.
    SetPolicy {
        /// JSON.
        policy: Option<String>,
    },
    /// The plan.
    CreatePlan {
        /// Its name.
        name: String,
    },
    /// The plan anew.
    UpdatePlan {
        /// AWS's id.
        id: String,
        /// What differs, in words.
        differences: Vec<String>,
    },
    /// The selection.
    CreateSelection {
        /// Its name.
        name: String,
    },
    /// The selection anew: AWS cannot change one.
    ReplaceSelection {
        /// AWS's id of the one that goes.
        id: String,
        /// What differs, in words.
        differences: Vec<String>,
    },
    /// The lock.
    SetLock {
        /// As it is to be.
        lock: Lock,
    },
    /// No lock any more.
    RemoveLock,
}

/// What is to be done, in this order, and what cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Changes {
    /// The steps.
    pub steps: Vec<Step>,
    /// What differs and stays so, with the reason.
    pub cannot: Vec<String>,
}

impl Changes {
    /// What leads from `observed` to `desired`. Other selections of the plan, and other policies of the role, are
    /// somebody else's and stay.
    #[must_use]
    pub fn between(observed: &Observed, desired: &Desired) -> Changes {
        let mut changes = Changes::default();
        changes.role(observed.role.as_ref(), desired);
        changes.vault(observed.vault.as_ref(), desired);
        changes.plan(observed.plan.as_ref(), desired, observed.role.as_ref());
        changes.lock(observed.vault.as_ref(), desired.lock);
        changes
    }

    /// Whether a step cannot be taken back once its time is over.
    #[must_use]
    pub fn is_for_good(&self) -> bool {
        self.steps.iter().any(|s| matches!(s, Step::SetLock { lock } if lock.changeable_for_days.is_some()))
    }

    fn role(&mut self, standing: Option<&Role>, desired: &Desired) {
        let DesiredRole::Made(name) = &desired.role else { return };
        if standing.is_none() {
            self.steps.push(Step::CreateRole { name: name.clone() });
        }
        if let Some(role) = standing.filter(|role| !same_json(&role.trust, ROLE_TRUST)) {
            self.cannot.push(format!(
                "role {}: its trust policy is another than the one that pgkeep makes; see to it that backup.amazonaws.com may take it",
                role.name
            ));
        }
        for policy in ROLE_POLICIES {
            let attached = standing.is_some_and(|role| role.policies.iter().any(|p| is_policy(p, policy)));
            if !attached {
                self.steps.push(Step::AttachPolicy { role: name.clone(), policy: policy.to_owned() });
            }
        }
    }

    fn vault(&mut self, standing: Option<&Vault>, desired: &Desired) {
        let Some(vault) = standing else {
            self.steps.push(Step::CreateVault { name: desired.vault.clone() });
            if desired.policy.is_some() {
                self.steps.push(Step::SetPolicy { policy: desired.policy.clone() });
            }
            return;
        };
        if let Some(key) = desired.key.as_ref().filter(|key| vault.key.as_ref() != Some(key)) {
            self.cannot.push(format!(
                "vault {}: its key is {}, and a vault's key cannot be changed: a vault of another name can have {key}",
                vault.name,
                vault.key.as_deref().unwrap_or("AWS's own")
            ));
        }
        let same = match (&vault.policy, &desired.policy) {
            (None, None) => true,
            (Some(a), Some(b)) => same_json(a, b),
            _ => false,
        };
        if !same {
            self.steps.push(Step::SetPolicy { policy: desired.policy.clone() });
        }
    }

    fn plan(&mut self, standing: Option<&StandingPlan>, desired: &Desired, role: Option<&Role>) {
        let Some(plan) = standing else {
            self.steps.push(Step::CreatePlan { name: desired.plan.name.clone() });
            self.steps.push(Step::CreateSelection { name: desired.selection.name.clone() });
            return;
        };
        let differences = rule_differences(&plan.plan.rules, &desired.plan.rules);
        if !differences.is_empty() {
            self.steps.push(Step::UpdatePlan { id: plan.id.clone(), differences });
        }
        let mut wanted = desired.selection.clone();
        if let (DesiredRole::Made(_), Some(role)) = (&desired.role, role) {
            wanted.role.clone_from(&role.arn);
        }
        match plan.selections.iter().find(|(_, s)| s.name == wanted.name) {
            None => self.steps.push(Step::CreateSelection { name: wanted.name }),
            Some((id, selection)) => {
                let differences = selection_differences(selection, &wanted);
                if !differences.is_empty() {
                    self.steps.push(Step::ReplaceSelection { id: id.clone(), differences });
                }
            }
        }
    }

    fn lock(&mut self, vault: Option<&Vault>, desired: Option<Lock>) {
        let standing = vault.and_then(|v| v.lock);
        let for_good = vault.is_some_and(|v| v.locked_for_good_at.is_some());
        let days = |lock: Option<Lock>| lock.map(|l| (l.min_days, l.max_days));
        // AWS does not tell again for how many days a lock can be changed: a date there means compliance mode.
        let same_mode = desired.is_some_and(|l| l.changeable_for_days.is_some()) == for_good;
        match (standing, desired) {
            (None, None) => {}
            (Some(_), Some(_)) if days(standing) == days(desired) && same_mode => {}
            (Some(_), _) if for_good => self.cannot.push(
                "the vault's lock is in compliance mode and differs from the configuration; while its days of grace last it can \
                 be changed in the console or by `aws backup put-backup-vault-lock-configuration`, afterwards by nobody"
                    .into(),
            ),
            (_, Some(lock)) => self.steps.push(Step::SetLock { lock }),
            (Some(_), None) => self.steps.push(Step::RemoveLock),
        }
    }
}

fn same_json(a: &str, b: &str) -> bool {
    match (serde_json::from_str::<Value>(a), serde_json::from_str::<Value>(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

/// The same managed policy, whatever the partition (`aws`, `aws-cn`, `aws-us-gov`).
fn is_policy(attached: &str, wanted: &str) -> bool {
    let path = |arn: &str| arn.splitn(6, ':').nth(5).map(str::to_owned);
    path(attached) == path(wanted)
}

fn rule_differences(standing: &[Rule], desired: &[Rule]) -> Vec<String> {
    let of = |rules: &[Rule], name: &str| rules.iter().find(|r| r.name == name).cloned();
    let mut differences = Vec::new();
    for rule in desired {
        match of(standing, &rule.name) {
            None => differences.push(format!("rule {} is new", rule.name)),
            Some(there) => differences
                .extend(fields(&there, rule).into_iter().map(|words| format!("rule {}: {words}", rule.name))),
        }
    }
    let gone = standing.iter().filter(|rule| of(desired, &rule.name).is_none());
    differences.extend(gone.map(|rule| format!("rule {} goes", rule.name)));
    differences
}

fn selection_differences(standing: &Selection, desired: &Selection) -> Vec<String> {
    let sorted = |s: &Selection| {
        let mut s = s.clone();
        for list in [&mut s.resources, &mut s.not_resources] {
            list.sort();
        }
        let conditions = &mut s.conditions;
        for list in [
            &mut s.tags,
            &mut conditions.equals,
            &mut conditions.not_equals,
            &mut conditions.like,
            &mut conditions.not_like,
        ] {
            list.sort();
        }
        s
    };
    fields(&sorted(standing), &sorted(desired))
}

/// The fields in which two things differ: `delete_after: 7 → 35`.
fn fields<T: Serialize>(standing: &T, desired: &T) -> Vec<String> {
    let mut words = Vec::new();
    let value = |of: &T| serde_json::to_value(of).unwrap_or(Value::Null);
    compare("", &value(standing), &value(desired), &mut words);
    words
}

fn compare(name: &str, standing: &Value, desired: &Value, words: &mut Vec<String>) {
    match (standing, desired) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let (a, b) = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                compare(&if name.is_empty() { key.clone() } else { format!("{name}.{key}") }, a, b, words);
            }
        }
        _ if standing == desired => {}
        _ => words.push(format!("{name}: {standing} → {desired}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::Settings;

    fn desired(more: &str) -> Desired {
        let text = format!(
            "name = 'chat'\npreset = 'prod'\nresources = ['arn:aws:rds:eu-west-1:1:db:chat']\n{more}"
        );
        toml::from_str::<Settings>(&text).unwrap().desired()
    }

    /// What stands there after everything was done.
    fn standing(desired: &Desired) -> Observed {
        let role = Role {
            name: "chat-backup-role".into(),
            arn: "arn:aws:iam::1:role/chat-backup-role".into(),
            trust: ROLE_TRUST.replace(',', ", "),
            policies: ROLE_POLICIES.map(str::to_owned).into(),
        };
        let mut selection = desired.selection.clone();
        selection.role.clone_from(&role.arn);
        Observed {
            vault: Some(Vault {
                name: desired.vault.clone(),
                arn: "arn:aws:backup:eu-west-1:1:backup-vault:chat-backup-vault".into(),
                key: Some("arn:aws:kms:eu-west-1:1:key/own".into()),
                lock: desired.lock,
                locked_for_good_at: desired.lock.and_then(|l| l.changeable_for_days).map(|_| 1_800_000_000),
                policy: desired.policy.clone(),
                recovery_points: 3,
            }),
            role: Some(role),
            plan: Some(StandingPlan {
                id: "p1".into(),
                arn: "arn:aws:backup:eu-west-1:1:backup-plan:p1".into(),
                created: 0,
                plan: desired.plan.clone(),
                selections: vec![("s1".into(), selection)],
            }),
        }
    }

    #[test]
    fn from_nothing_everything_is_made_in_an_order_that_works() {
        let names = |changes: Changes| -> Vec<String> {
            let step = |s: &Step| serde_json::to_value(s).unwrap()["step"].as_str().unwrap().to_owned();
            changes.steps.iter().map(step).collect()
        };
        let wanted = desired("access_policy = '{}'\nvault_lock = { mode = 'governance', min_days = 7 }");
        assert_eq!(
            names(Changes::between(&Observed::default(), &wanted)),
            [
                "create_role",
                "attach_policy",
                "attach_policy",
                "create_vault",
                "set_policy",
                "create_plan",
                "create_selection",
                "set_lock"
            ]
        );
    }

    #[test]
    fn what_stands_as_it_should_needs_nothing() {
        for more in ["", "vault_lock = { mode = 'compliance', changeable_for_days = 3, max_days = 90 }"] {
            let wanted = desired(more);
            assert_eq!(Changes::between(&standing(&wanted), &wanted), Changes::default());
        }
    }

    #[test]
    fn a_change_by_hand_is_found_and_told_in_words() {
        let wanted = desired("");
        let mut there = standing(&wanted);
        let plan = there.plan.as_mut().unwrap();
        plan.plan.rules[0].lifecycle.delete_after = Some(7);
        plan.plan.rules[1].name = "by-hand".into();
        plan.selections[0].1.resources.clear();
        plan.selections
            .push(("s2".into(), Selection { name: "somebody-elses".into(), ..plan.selections[0].1.clone() }));
        there.role.as_mut().unwrap().policies.pop();
        let changes = Changes::between(&there, &wanted);
        let [
            Step::AttachPolicy { policy, .. },
            Step::UpdatePlan { id, differences },
            Step::ReplaceSelection { id: selection, .. },
        ] = &changes.steps[..]
        else {
            panic!("{changes:?}")
        };
        assert!(policy.ends_with("ForRestores") && id == "p1" && selection == "s1");
        assert_eq!(
            differences[..],
            [
                "rule daily-backup: lifecycle.delete_after: 7 → 35",
                "rule weekly-backup is new",
                "rule by-hand goes"
            ]
        );
    }

    #[test]
    fn what_cannot_be_changed_is_told_and_not_tried() {
        let wanted = desired("kms_key = 'arn:aws:kms:eu-west-1:1:key/other'");
        let mut there = standing(&wanted);
        there.vault.as_mut().unwrap().lock =
            Some(Lock { min_days: Some(9), max_days: None, changeable_for_days: None });
        let changes = Changes::between(&there, &wanted);
        assert_eq!(changes.steps, [Step::RemoveLock]);
        assert!(changes.cannot[0].contains("cannot be changed"), "{changes:?}");
        there.vault.as_mut().unwrap().locked_for_good_at = Some(1);
        let changes = Changes::between(&there, &wanted);
        assert!(changes.steps.is_empty() && changes.cannot[1].contains("compliance"), "{changes:?}");
        assert!(!changes.is_for_good());
        let compliance = desired("vault_lock = { mode = 'compliance', changeable_for_days = 3 }");
        assert!(Changes::between(&Observed::default(), &compliance).is_for_good());
    }
}
