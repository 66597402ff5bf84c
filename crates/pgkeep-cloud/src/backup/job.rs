//! Backup, copy and restore jobs.

use std::collections::BTreeMap;

use aws_smithy_types::DateTime;

use super::{Backup, Job, Lifecycle, seconds};
use crate::error::Result;
use crate::request::{answer, empty, some, text};

impl Backup {
    /// The backup jobs of a vault that were made at or after `since` (seconds since 1970), in any order.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn backup_jobs(&self, vault: &str, since: i64) -> Result<Vec<Job>> {
        let asked = self.asked(&format!("backup jobs of vault {vault}"), "backup:ListBackupJobs");
        let request = self
            .client
            .list_backup_jobs()
            .by_backup_vault_name(vault)
            .by_created_after(DateTime::from_secs(since));
        let pages = request.into_paginator().items().send();
        let listed = answer(asked, pages.collect::<std::result::Result<Vec<_>, _>>())?;
        let listed_job = |j: aws_sdk_backup::types::BackupJob| Job {
            resource: some(j.resource_arn()),
            percent: some(j.percent_done()),
            start_by: seconds(j.start_by()),
            recovery_point: some(j.recovery_point_arn()),
            plan: j.created_by().and_then(|c| Some((some(c.backup_plan_id())?, text(c.backup_rule_name())))),
            ..job(
                j.backup_job_id(),
                j.state().map(|s| s.as_str()),
                j.status_message(),
                (j.creation_date(), j.completion_date()),
            )
        };
        Ok(listed.into_iter().map(listed_job).collect())
    }

    /// Starts a backup of a resource; the id of its job. The same `token` starts it once only.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn start_backup(
        &self,
        (vault, resource, role): (&str, &str, &str),
        lifecycle: Lifecycle,
        token: &str,
    ) -> Result<String> {
        let asked = || self.asked(&format!("backup of {resource}"), "backup:StartBackupJob");
        let request = self
            .client
            .start_backup_job()
            .backup_vault_name(vault)
            .resource_arn(resource)
            .iam_role_arn(role)
            .idempotency_token(token)
            .set_lifecycle(lifecycle.to_aws());
        let started = answer(asked(), request.send())?;
        started.backup_job_id().map(str::to_owned).ok_or_else(|| empty(&asked()))
    }

    /// How a backup job is doing.
    ///
    /// # Errors
    /// Not found; what AWS refuses.
    pub fn backup_job(&self, id: &str) -> Result<Job> {
        let asked = self.asked(&format!("backup job {id}"), "backup:DescribeBackupJob");
        let j = answer(asked, self.client.describe_backup_job().backup_job_id(id).send())?;
        Ok(Job {
            resource: some(j.resource_arn()),
            percent: some(j.percent_done()),
            start_by: seconds(j.start_by()),
            recovery_point: some(j.recovery_point_arn()),
            ..job(
                Some(id),
                j.state().map(|s| s.as_str()),
                j.status_message(),
                (j.creation_date(), j.completion_date()),
            )
        })
    }

    /// Starts a copy of a recovery point in another vault; the id of its job. The same `token` starts it once only.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn start_copy(
        &self,
        (point, vault, destination, role): (&str, &str, &str, &str),
        lifecycle: Lifecycle,
        token: &str,
    ) -> Result<String> {
        let asked = || self.asked(&format!("copy of {point} to {destination}"), "backup:StartCopyJob");
        let request = self
            .client
            .start_copy_job()
            .recovery_point_arn(point)
            .source_backup_vault_name(vault)
            .destination_backup_vault_arn(destination)
            .iam_role_arn(role)
            .idempotency_token(token)
            .set_lifecycle(lifecycle.to_aws());
        let started = answer(asked(), request.send())?;
        started.copy_job_id().map(str::to_owned).ok_or_else(|| empty(&asked()))
    }

    /// How a copy job is doing.
    ///
    /// # Errors
    /// Not found; what AWS refuses.
    pub fn copy_job(&self, id: &str) -> Result<Job> {
        let asked = || self.asked(&format!("copy job {id}"), "backup:DescribeCopyJob");
        let got = answer(asked(), self.client.describe_copy_job().copy_job_id(id).send())?;
        let j = got.copy_job().ok_or_else(|| empty(&asked()))?;
        Ok(Job {
            resource: some(j.resource_arn()),
            recovery_point: some(j.destination_recovery_point_arn()),
            ..job(
                Some(id),
                j.state().map(|s| s.as_str()),
                j.status_message(),
                (j.creation_date(), j.completion_date()),
            )
        })
    }

    /// Starts a restore; the id of its job. The same `token` starts it once only.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn start_restore(
        &self,
        (point, resource_type, role): (&str, &str, &str),
        metadata: &BTreeMap<String, String>,
        token: &str,
    ) -> Result<String> {
        let asked = || self.asked(&format!("restore of {point}"), "backup:StartRestoreJob");
        let request = self
            .client
            .start_restore_job()
            .recovery_point_arn(point)
            .iam_role_arn(role)
            .resource_type(resource_type)
            .set_metadata(Some(metadata.clone().into_iter().collect()))
            .idempotency_token(token);
        let started = answer(asked(), request.send())?;
        started.restore_job_id().map(str::to_owned).ok_or_else(|| empty(&asked()))
    }

    /// How a restore job is doing; `resource` is what it makes.
    ///
    /// # Errors
    /// Not found; what AWS refuses.
    pub fn restore_job(&self, id: &str) -> Result<Job> {
        let asked = self.asked(&format!("restore job {id}"), "backup:DescribeRestoreJob");
        let j = answer(asked, self.client.describe_restore_job().restore_job_id(id).send())?;
        Ok(Job {
            resource: some(j.created_resource_arn()),
            percent: some(j.percent_done()),
            recovery_point: some(j.recovery_point_arn()),
            ..job(
                Some(id),
                j.status().map(|s| s.as_str()),
                j.status_message(),
                (j.creation_date(), j.completion_date()),
            )
        })
    }
}

/// What every kind of job tells in the same way; the times are those of its making and its end.
fn job(
    id: Option<&str>,
    state: Option<&str>,
    message: Option<&str>,
    (created, completed): (Option<&DateTime>, Option<&DateTime>),
) -> Job {
    Job {
        id: text(id),
        resource: None,
        state: text(state),
        message: some(message),
        percent: None,
        created: seconds(created).unwrap_or(0),
        completed: seconds(completed),
        start_by: None,
        recovery_point: None,
        plan: None,
    }
}
