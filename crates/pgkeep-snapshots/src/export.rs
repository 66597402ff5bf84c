//! Exports of snapshots to S3, for archives that outlive snapshots.

use pgkeep_cloud::{CloudErrorKind, Export, ExportOrder, Rds};

use crate::error::{Result, SnapshotError, SnapshotErrorKind};
use crate::pace::{Limit, Pace, Windows};

/// The longest name of a task (RDS API reference, "StartExportTask").
const LONGEST: usize = 60;
/// So many tasks of one snapshot may have failed.
const MOST: u32 = 20;

/// The name of a snapshot's export; further tries have numbers.
#[must_use]
pub fn export_name(snapshot: &str, attempt: u32) -> String {
    let end = if attempt > 1 { format!("-{attempt}") } else { String::new() };
    let room = LONGEST - "export-".len() - end.len();
    // The end of the name has its time.
    let rest = &snapshot[snapshot.len().saturating_sub(room)..];
    format!("export-{}{end}", rest.trim_start_matches('-'))
}

/// Exports a snapshot; `order.name` is made here. With `wait` it returns when all is in the bucket. An export of the same snapshot
/// into the same place that is there or has begun is taken up.
///
/// # Errors
/// `Failed` with RDS's reason; `Window`; what AWS refuses.
pub fn export(
    rds: &Rds,
    snapshot: &str,
    order: &ExportOrder,
    wait: bool,
    windows: Windows,
    pace: &Pace<'_>,
) -> Result<Export> {
    let began = pace.now();
    let (mut order, mut attempt) = (order.clone(), 1);
    let start = Limit::of("start window", windows.start, began);
    let begun = pace.until(&format!("export of {snapshot}"), start, || {
        order.name = export_name(snapshot, attempt);
        match rds.start_export(&order) {
            Ok(()) => Ok(Some(())),
            Err(e) if e.kind == CloudErrorKind::Busy => Ok(None),
            Err(e) if e.kind == CloudErrorKind::Exists && attempt < MOST => {
                let there = rds.export(&order.name)?;
                let is_same = there.snapshot == order.snapshot
                    && there.bucket == order.bucket
                    && there.prefix == order.prefix;
                if is_same && !has_failed(&there) {
                    return Ok(Some(()));
                }
                attempt += 1;
                Ok(None)
            }
            Err(e) => Err(e.into()),
        }
    });
    begun?;
    let limit = Limit::of("completion window", windows.completion, began);
    pace.until(&format!("export {}", order.name), limit, || {
        let now = rds.export(&order.name)?;
        pace.tell(&order.name, &now.status, Some(now.percent));
        if has_failed(&now) {
            let cause = now.failure.as_deref().unwrap_or("RDS gives no reason");
            let why = format!("export {} in {}: {}: {cause}", order.name, rds.region(), now.status);
            return Err(SnapshotError::new(SnapshotErrorKind::Failed, why).hint(
                "the role must be one that export.rds.amazonaws.com may assume and that may write to the bucket, and the key \
                 must allow it; then run it again",
            ));
        }
        Ok((!wait || now.status == "COMPLETE").then_some(now))
    })
}

fn has_failed(export: &Export) -> bool {
    matches!(export.status.as_str(), "FAILED" | "CANCELED" | "CANCELING")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tasks_name_keeps_to_its_length_and_keeps_the_time() {
        assert_eq!(export_name("shop-20261120020304", 1), "export-shop-20261120020304");
        let long = export_name(&format!("{}-20261120020304", "x".repeat(63)), 12);
        assert!(long.len() <= 60 && long.ends_with("-20261120020304-12"), "{long}");
    }
}
