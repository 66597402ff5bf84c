//! One drill of one backup, with its record.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use pgkeep_engine::drill::{Drill, DrillPlace, DrillRequest};
use pgkeep_engine::progress::Progress;
use pgkeep_engine::restore::{RestoreSource, ScriptSource};
use pgkeep_engine::{Cancel, ConnInfo, ErrorKind};
use pgkeep_keep::drill::{
    DrillKey, DrillRecord, DrillReport, DrilledBackup, Finding, KeptDrill, RECORD_VERSION, keep_drill,
};
use pgkeep_keep::{KeepError, look_whole, read_globals};

use crate::failure::{Exit, Result};
use crate::resolve::Found;

/// A drill to be run.
pub(crate) struct DrillJob<'j> {
    /// The backup.
    pub(crate) found: &'j Found,
    /// A scratch server; without one a throwaway server is started.
    pub(crate) into: Option<&'j ConnInfo>,
    /// Where the throwaway server lies.
    pub(crate) work_dir: &'j Path,
    /// Connections.
    pub(crate) jobs: usize,
    /// Queries that must give true.
    pub(crate) checks: &'j [String],
    /// Longest time.
    pub(crate) time_limit: Option<Duration>,
    /// Most bytes on disk.
    pub(crate) disk_limit: Option<u64>,
    /// What the record is signed with.
    pub(crate) key: Option<&'j DrillKey>,
}

/// What became of a drill.
pub(crate) struct Drilled {
    /// What was found.
    pub(crate) report: DrillReport,
    /// Its record and where it is kept; none for an archive without a manifest.
    pub(crate) record: Option<(DrillRecord, KeptDrill)>,
}

impl DrillJob<'_> {
    /// Drills and keeps the record beside the backup.
    ///
    /// # Errors
    /// What kept the drill from finding anything out, and a store that does not take the record. What was found is no
    /// error.
    pub(crate) fn run(&self, progress: &Progress, cancel: &Cancel) -> Result<Drilled> {
        let started = Timestamp::now();
        let report = self.report(progress, cancel)?;
        let record = match (&self.found.manifest, &self.found.stem) {
            (Some(manifest), Some(stem)) => {
                let record = DrillRecord {
                    record_version: RECORD_VERSION,
                    pgkeep_version: env!("CARGO_PKG_VERSION").into(),
                    verdict: report.verdict(),
                    backup: DrilledBackup::of(manifest, self.found.store.url_of(&self.found.key)),
                    started,
                    finished: Timestamp::now(),
                    host: hostname(),
                    signed_by: None,
                    drill: report.clone(),
                };
                let kept = keep_drill(&self.found.store, stem, &record, self.key)?;
                Some((record, kept))
            }
            _ => None,
        };
        Ok(Drilled { report, record })
    }

    fn report(&self, progress: &Progress, cancel: &Cancel) -> Result<DrillReport> {
        let found = self.found;
        let manifest = found.manifest.as_ref();
        if let Some(m) = manifest {
            match look_whole(&found.store, m) {
                Err(KeepError::Damaged { object, why }) => return Ok(damaged(&format!("{object}: {why}"))),
                other => other?,
            }
        }
        let archive = match found.archive() {
            Err(failure) if failure.exit == Exit::Differs => return Ok(damaged(&failure.message)),
            other => other?,
        };
        let script = ScriptSource::open(&archive, archive.name());
        let read = match &script {
            Ok(Some(script)) => script.contents(progress, cancel).map(|found| script.definitions(found.toc)),
            Ok(None) => RestoreSource::open(&archive),
            Err(e) => Err(e.clone()),
        };
        // Somebody else's script may be one that is not pg_dump's, which is no damage.
        let foreign = !matches!(script, Ok(None)) && manifest.is_none_or(|m| m.adopted.is_some());
        let source = match read {
            Err(e) if e.kind == ErrorKind::Archive && !foreign => return Ok(damaged(&e.why)),
            other => other.map_err(|e| e.during(archive.url()))?,
        };
        let globals = manifest
            .filter(|m| m.globals.is_some())
            .map(|m| read_globals(&found.store, m, &found.identities()?).map_err(|e| found.locked(e)));
        let globals = globals.transpose()?;
        let request = DrillRequest {
            source: &source,
            script: script.as_ref().ok().and_then(Option::as_ref),
            manifest,
            globals: globals.as_deref(),
            place: match self.into {
                Some(server) => DrillPlace::Server(server),
                None => DrillPlace::Throwaway { work_dir: self.work_dir },
            },
            jobs: self.jobs,
            checks: self.checks,
            time_limit: self.time_limit,
            disk_limit: self.disk_limit,
        };
        Ok(Drill::run(request, progress, cancel)?)
    }
}

/// The verdict on an archive that need not be restored to be known as lost.
fn damaged(why: &str) -> DrillReport {
    DrillReport {
        server: "nowhere".into(),
        failures: vec![Finding::new("the archive", why)],
        ..DrillReport::default()
    }
}

fn hostname() -> String {
    hostname::get().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
