//! Plans and selections.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_backup::error::BuildError;
use aws_sdk_backup::types::{
    BackupPlan, BackupPlanInput, BackupRule, BackupRuleInput, BackupSelection, Condition, ConditionParameter,
    ConditionType,
};

use super::{Backup, Conditions, CopyAction, Lifecycle, Plan, Rule, Selection, StandingPlan, Tag};
use crate::error::{Asked, CloudError, CloudErrorKind, Result};
use crate::request::{answer, empty, text};

impl Backup {
    /// The plan of this name with its selections; `None` where there is none.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn plan(&self, name: &str) -> Result<Option<StandingPlan>> {
        let asked = self.asked("backup plans", "backup:ListBackupPlans");
        let pages = self.client.list_backup_plans().into_paginator().items().send();
        let plans = answer(asked, pages.collect::<std::result::Result<Vec<_>, _>>())?;
        let named = plans.into_iter().find(|plan| plan.backup_plan_name() == Some(name));
        let Some(id) = named.and_then(|plan| plan.backup_plan_id().map(str::to_owned)) else {
            return Ok(None);
        };
        let asked = self.asked(&format!("backup plan {name}"), "backup:GetBackupPlan");
        let got = answer(asked, self.client.get_backup_plan().backup_plan_id(&id).send())?;
        Ok(Some(StandingPlan {
            arn: text(got.backup_plan_arn()),
            created: got.creation_date().map_or(0, aws_smithy_types::DateTime::secs),
            plan: got.backup_plan().map_or(Plan { name: name.to_owned(), rules: vec![] }, plan_of),
            selections: self.selections(&id)?,
            id,
        }))
    }

    /// Makes a plan; its id.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn create_plan(&self, plan: &Plan, tags: &BTreeMap<String, String>) -> Result<String> {
        let asked = || self.asked(&format!("backup plan {}", plan.name), "backup:CreateBackupPlan");
        let input = plan_input(plan).map_err(|e| unfit(&asked(), &e))?;
        let request = self.client.create_backup_plan().backup_plan(input).set_backup_plan_tags(map(tags));
        let made = answer(asked(), request.send())?;
        made.backup_plan_id().map(str::to_owned).ok_or_else(|| empty(&asked()))
    }

    /// Gives a plan other rules.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn update_plan(&self, id: &str, plan: &Plan) -> Result<()> {
        let asked = || self.asked(&format!("backup plan {}", plan.name), "backup:UpdateBackupPlan");
        let input = plan_input(plan).map_err(|e| unfit(&asked(), &e))?;
        answer(asked(), self.client.update_backup_plan().backup_plan_id(id).backup_plan(input).send())
            .map(drop)
    }

    /// Makes a selection of a plan.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn create_selection(&self, plan: &str, selection: &Selection) -> Result<()> {
        let asked = || self.asked(&format!("selection {}", selection.name), "backup:CreateBackupSelection");
        let input = selection_input(selection).map_err(|e| unfit(&asked(), &e))?;
        let request = self.client.create_backup_selection().backup_plan_id(plan).backup_selection(input);
        answer(asked(), request.send()).map(drop)
    }

    /// Takes a selection away.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn delete_selection(&self, plan: &str, selection: &str) -> Result<()> {
        let asked = self.asked(&format!("selection {selection}"), "backup:DeleteBackupSelection");
        let request = self.client.delete_backup_selection().backup_plan_id(plan).selection_id(selection);
        answer(asked, request.send()).map(drop)
    }

    fn selections(&self, plan: &str) -> Result<Vec<(String, Selection)>> {
        let asked = self.asked(&format!("selections of plan {plan}"), "backup:ListBackupSelections");
        let pages = self.client.list_backup_selections().backup_plan_id(plan).into_paginator().items().send();
        let listed = answer(asked, pages.collect::<std::result::Result<Vec<_>, _>>())?;
        let mut selections = Vec::new();
        for id in listed.iter().filter_map(|s| s.selection_id()) {
            let asked = self.asked(&format!("selection {id}"), "backup:GetBackupSelection");
            let request = self.client.get_backup_selection().backup_plan_id(plan).selection_id(id);
            let got = answer(asked, request.send())?;
            if let Some(selection) = got.backup_selection() {
                selections.push((id.to_owned(), selection_of(selection)));
            }
        }
        Ok(selections)
    }
}

/// AWS's own defaults where a plan does not say (API reference, "BackupRule").
const START_WINDOW: i64 = 480;
const COMPLETION_WINDOW: i64 = 10_080;
const SCHEDULE: &str = "cron(0 5 ? * * *)";

fn plan_of(plan: &BackupPlan) -> Plan {
    Plan { name: plan.backup_plan_name().to_owned(), rules: plan.rules().iter().map(rule_of).collect() }
}

fn rule_of(rule: &BackupRule) -> Rule {
    let copies = rule.copy_actions().iter().map(|copy| CopyAction {
        vault: copy.destination_backup_vault_arn().to_owned(),
        lifecycle: Lifecycle::of_aws(copy.lifecycle()),
    });
    Rule {
        name: rule.rule_name().to_owned(),
        vault: rule.target_backup_vault_name().to_owned(),
        schedule: rule.schedule_expression().unwrap_or(SCHEDULE).to_owned(),
        time_zone: rule.schedule_expression_timezone().unwrap_or("Etc/UTC").to_owned(),
        start_window: rule.start_window_minutes().unwrap_or(START_WINDOW),
        completion_window: rule.completion_window_minutes().unwrap_or(COMPLETION_WINDOW),
        lifecycle: Lifecycle::of_aws(rule.lifecycle()),
        continuous: rule.enable_continuous_backup().unwrap_or(false),
        copies: copies.collect(),
        tags: rule.recovery_point_tags().map(|tags| tags.clone().into_iter().collect()).unwrap_or_default(),
    }
}

fn plan_input(plan: &Plan) -> std::result::Result<BackupPlanInput, BuildError> {
    let mut input = BackupPlanInput::builder().backup_plan_name(&plan.name);
    for rule in &plan.rules {
        let mut one = BackupRuleInput::builder()
            .rule_name(&rule.name)
            .target_backup_vault_name(&rule.vault)
            .schedule_expression(&rule.schedule)
            .schedule_expression_timezone(&rule.time_zone)
            .start_window_minutes(rule.start_window)
            .completion_window_minutes(rule.completion_window)
            .set_lifecycle(rule.lifecycle.to_aws())
            .enable_continuous_backup(rule.continuous)
            .set_recovery_point_tags(map(&rule.tags));
        for copy in &rule.copies {
            let action = aws_sdk_backup::types::CopyAction::builder()
                .destination_backup_vault_arn(&copy.vault)
                .set_lifecycle(copy.lifecycle.to_aws());
            one = one.copy_actions(action.build()?);
        }
        input = input.rules(one.build()?);
    }
    input.build()
}

fn selection_of(selection: &BackupSelection) -> Selection {
    let conditions = selection.conditions();
    let tags = |list: &[ConditionParameter]| {
        list.iter().map(|c| Tag { key: text(c.condition_key()), value: text(c.condition_value()) }).collect()
    };
    Selection {
        name: selection.selection_name().to_owned(),
        role: selection.iam_role_arn().to_owned(),
        resources: selection.resources().to_vec(),
        not_resources: selection.not_resources().to_vec(),
        tags: selection
            .list_of_tags()
            .iter()
            .map(|c| Tag { key: c.condition_key().to_owned(), value: c.condition_value().to_owned() })
            .collect(),
        conditions: conditions.map_or_else(Conditions::default, |c| Conditions {
            equals: tags(c.string_equals()),
            not_equals: tags(c.string_not_equals()),
            like: tags(c.string_like()),
            not_like: tags(c.string_not_like()),
        }),
    }
}

fn selection_input(selection: &Selection) -> std::result::Result<BackupSelection, BuildError> {
    let list = |tags: &[Tag]| -> Option<Vec<ConditionParameter>> {
        let one = |tag: &Tag| {
            ConditionParameter::builder().condition_key(&tag.key).condition_value(&tag.value).build()
        };
        (!tags.is_empty()).then(|| tags.iter().map(one).collect())
    };
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let c = &selection.conditions;
    let conditions = aws_sdk_backup::types::Conditions::builder()
        .set_string_equals(list(&c.equals))
        .set_string_not_equals(list(&c.not_equals))
        .set_string_like(list(&c.like))
        .set_string_not_like(list(&c.not_like))
        .build();
    let mut input = BackupSelection::builder()
        .selection_name(&selection.name)
        .iam_role_arn(&selection.role)
        .set_resources(some(&selection.resources))
        .set_not_resources(some(&selection.not_resources))
        .set_conditions((*c != Conditions::default()).then_some(conditions));
    for tag in &selection.tags {
        let one = Condition::builder()
            .condition_type(ConditionType::Stringequals)
            .condition_key(&tag.key)
            .condition_value(&tag.value);
        input = input.list_of_tags(one.build()?);
    }
    input.build()
}

pub(super) fn map(tags: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!tags.is_empty()).then(|| tags.clone().into_iter().collect())
}

fn unfit(asked: &Asked<'_>, e: &BuildError) -> CloudError {
    CloudError::new(CloudErrorKind::Unfit, &asked.what, e.to_string())
}
