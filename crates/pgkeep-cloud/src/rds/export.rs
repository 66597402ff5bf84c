//! Exports of snapshots to S3, as Parquet files (RDS User Guide, "Exporting DB snapshot data to Amazon S3").

use std::time::SystemTime;

use super::{Rds, answer, some, text, time};
use crate::error::{CloudError, CloudErrorKind, Result};

/// What is to be exported, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportOrder {
    /// The task's name.
    pub name: String,
    /// ARN of the snapshot.
    pub snapshot: String,
    /// The bucket, in the snapshot's region.
    pub bucket: String,
    /// What keys begin with.
    pub prefix: Option<String>,
    /// ARN of the role by which RDS writes.
    pub role: String,
    /// The key that RDS encrypts by; it exports nothing unencrypted.
    pub kms_key: String,
    /// `database`, `database.schema` or `database.schema.table`; all where it is empty.
    pub only: Vec<String>,
}

/// An export as RDS tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The task's name.
    pub name: String,
    /// ARN of the snapshot.
    pub snapshot: String,
    /// `STARTING`, `IN_PROGRESS`, `COMPLETE`, `FAILED`, `CANCELING`, `CANCELED`.
    pub status: String,
    /// How much is done, 0 to 100.
    pub percent: i32,
    /// The bucket.
    pub bucket: String,
    /// What keys begin with.
    pub prefix: Option<String>,
    /// When it ended.
    pub ended: Option<SystemTime>,
    /// GB of data, before they were encoded.
    pub extracted_gb: i32,
    /// Why it failed.
    pub failure: Option<String>,
    /// What went wrong although it did not fail.
    pub warning: Option<String>,
}

impl Rds {
    /// Begins an export (`rds:StartExportTask`, with `iam:PassRole` on the role).
    ///
    /// # Errors
    /// `Exists` where there is a task of this name; `Key`; `Unfit` for a role or bucket that do not fit; what else AWS refuses.
    pub fn start_export(&self, order: &ExportOrder) -> Result<()> {
        let asked = self.asked(
            &format!("export {} to {}", order.name, order.bucket),
            "rds:StartExportTask and iam:PassRole",
        );
        let request = self
            .client
            .start_export_task()
            .export_task_identifier(&order.name)
            .source_arn(&order.snapshot)
            .s3_bucket_name(&order.bucket)
            .set_s3_prefix(order.prefix.clone())
            .iam_role_arn(&order.role)
            .kms_key_id(&order.kms_key)
            .set_export_only((!order.only.is_empty()).then(|| order.only.clone()));
        answer(asked, request.send()).map(drop)
    }

    /// The export task of this name.
    ///
    /// # Errors
    /// `NotFound`; what AWS refuses.
    pub fn export(&self, name: &str) -> Result<Export> {
        let asked = self.asked(&format!("export {name}"), "rds:DescribeExportTasks");
        let none = CloudError::new(CloudErrorKind::NotFound, &asked.what, "there is no such export");
        let got = answer(asked, self.client.describe_export_tasks().export_task_identifier(name).send())?;
        let task = got.export_tasks().first().ok_or(none)?;
        Ok(Export {
            name: text(task.export_task_identifier()),
            snapshot: text(task.source_arn()),
            status: text(task.status()),
            percent: task.percent_progress().unwrap_or_default(),
            bucket: text(task.s3_bucket()),
            prefix: some(task.s3_prefix()),
            ended: time(task.task_end_time()),
            extracted_gb: task.total_extracted_data_in_gb().unwrap_or_default(),
            failure: some(task.failure_cause()),
            warning: some(task.warning_message()),
        })
    }
}
