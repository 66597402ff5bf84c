//! Recovery points.

use std::collections::BTreeMap;

use super::{Backup, RecoveryPoint, seconds};
use crate::error::{CloudError, CloudErrorKind, Result};
use crate::request::{answer, some, text};

impl Backup {
    /// The recovery points of a vault, of one resource or of all, newest first.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn recovery_points(&self, vault: &str, resource: Option<&str>) -> Result<Vec<RecoveryPoint>> {
        let asked = self
            .asked(&format!("recovery points of vault {vault}"), "backup:ListRecoveryPointsByBackupVault");
        let request = self
            .client
            .list_recovery_points_by_backup_vault()
            .backup_vault_name(vault)
            .set_by_resource_arn(resource.map(str::to_owned));
        let pages = request.into_paginator().items().send();
        let listed = answer(asked, pages.collect::<std::result::Result<Vec<_>, _>>())?;
        let point = |p: aws_sdk_backup::types::RecoveryPointByBackupVault| RecoveryPoint {
            // "…:recovery-point:continuous:…" (Developer Guide, "Point-in-time recovery").
            continuous: p.recovery_point_arn().is_some_and(|arn| arn.contains(":continuous:")),
            arn: text(p.recovery_point_arn()),
            resource: text(p.resource_arn()),
            resource_type: text(p.resource_type()),
            status: p.status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
            message: some(p.status_message()),
            created: seconds(p.creation_date()).unwrap_or(0),
            size: p.backup_size_in_bytes(),
            delete_at: seconds(p.calculated_lifecycle().and_then(|l| l.delete_at())),
            plan: p.created_by().and_then(|c| some(c.backup_plan_id())),
        };
        let mut points: Vec<RecoveryPoint> = listed.into_iter().map(point).collect();
        points.sort_by_key(|point| std::cmp::Reverse(point.created));
        Ok(points)
    }

    /// What a restore of a recovery point is told unless one says otherwise.
    ///
    /// # Errors
    /// Not found; what AWS refuses.
    pub fn restore_metadata(&self, vault: &str, point: &str) -> Result<BTreeMap<String, String>> {
        let asked = self.asked(&format!("recovery point {point}"), "backup:GetRecoveryPointRestoreMetadata");
        let what = asked.what.clone();
        let request = self
            .client
            .get_recovery_point_restore_metadata()
            .backup_vault_name(vault)
            .recovery_point_arn(point);
        let got = answer(asked, request.send())?;
        let metadata = got.restore_metadata().map(|m| m.clone().into_iter().collect());
        metadata.ok_or_else(|| CloudError::new(CloudErrorKind::Other, what, "AWS knows no metadata of it"))
    }
}
