//! Restoring beside a live database, and taking its place once proven.

use jiff::Timestamp;
use pgkeep_engine::progress::Progress;
use pgkeep_engine::prove::Verdict;
use pgkeep_engine::restore::{RestoreOptions, Swap};
use pgkeep_engine::{Cancel, ConnInfo};

use super::{RestoreJob, RestoreRecord};
use crate::failure::Result;
use crate::resolve::Found;

/// How a restored database takes the live one's place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SwapFlags {
    /// Sessions in the live database are ended.
    pub(crate) terminate: bool,
}

impl RestoreJob {
    /// The live database is not touched before the other one is proven, and then by two renames in one transaction.
    pub(super) fn swap(
        &self,
        flags: SwapFlags,
        found: &Found,
        live: &ConnInfo,
        progress: &Progress,
        cancel: &Cancel,
    ) -> Result<RestoreRecord> {
        let mut swap = Swap::prepare(live, cancel)?;
        let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let id = found.manifest.as_ref().map_or(now.clone(), |m| m.backup_id().to_string());
        let (beside, old) =
            (swap.name_with(&format!("_pgkeep_{id}")), swap.name_with(&format!("_old_{now}")));
        swap.must_be_free(&beside)?;
        let job = RestoreJob {
            choice: self.choice.clone(),
            options: RestoreOptions { create: true, ..self.options.clone() },
            beside: self.beside.clone(),
            create_as: Some(beside.clone()),
            owner: self.owner.clone(),
            prove: true,
            swap: None,
        };
        let server = swap.server().clone();
        let done = job.run(found, &server, progress, cancel);
        let proven = |r: &RestoreRecord| {
            r.report.errors.is_empty() && r.verdict.as_ref().is_some_and(Verdict::is_proven)
        };
        match done {
            Ok(mut record) if proven(&record) => {
                swap.swap(&beside, &old, flags.terminate, cancel).map_err(|e| {
                    e.during(format!(
                        "the restored database is whole and stays as {beside}, {live} is untouched"
                    ))
                })?;
                record.report.database = live.clone();
                record.replaced = Some(old);
                Ok(record)
            }
            other => {
                swap.drop(&beside)?;
                other
            }
        }
    }
}
