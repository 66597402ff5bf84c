//! Restoring into a server of one's own, to look at or just to see that it works.

use std::path::Path;

use pgkeep_engine::Cancel;
use pgkeep_engine::progress::Progress;
use pgkeep_engine::restore::{DATABASE, RestoreSource, throwaway_for};

use super::{RestoreJob, RestoreRecord, in_archive, open, refuse_script};
use crate::failure::Result;
use crate::resolve::Found;

impl RestoreJob {
    /// With `keep` the server stays, if the restore went well, and the record says how to get in and how to remove it.
    pub(crate) fn run_in_throwaway(
        &self,
        found: &Found,
        work_dir: &Path,
        keep: bool,
        progress: &Progress,
        cancel: &Cancel,
    ) -> Result<RestoreRecord> {
        let archive = open(found)?;
        refuse_script("--into throwaway", &archive, found)?;
        let source = RestoreSource::open(&archive).map_err(|e| in_archive(e, &archive.url()))?;
        let (server, database, mut notes) = throwaway_for(&source.toc, work_dir, cancel)?;
        let mut record = self.run(found, &database, progress, cancel)?;
        notes.append(&mut record.report.notes);
        record.report.notes = notes;
        if keep {
            record.kept = Some(server.keep(DATABASE)?);
        }
        Ok(record)
    }
}
