//! `pgkeep restore --into throwaway`: a look at a backup on a server that is started for it.

use pgkeep_engine::Cancel;
use pgkeep_engine::drill::{DrillPlace, Place};
use pgkeep_engine::progress::Progress;
use pgkeep_engine::restore::{RestoreOptions, RestoreSource, ScriptSource};
use pgkeep_engine::throwaway::Kept;
use pgkeep_keep::read_globals;

use super::{Options, carry_out, tell};
use crate::failure::{Failure, Result};
use crate::job::RestoreJob;
use crate::resolve::Found;

/// The word that stands in a database's place.
pub(super) const WORD: &str = "throwaway";

/// Starts the server, restores, and leaves it running if that was asked for.
pub(super) fn run(options: &Options, job: RestoreJob, found: &Found, cancel: &Cancel) -> Result<()> {
    let senseless = [
        (options.create, "--create"),
        (options.create_as.is_some(), "--create-as"),
        (options.clean, "--clean"),
        (options.plan, "--plan"),
        (options.globals, "--globals"),
        (options.swap, "--swap"),
        (options.resume, "--resume"),
    ];
    if let Some((_, flag)) = senseless.into_iter().find(|(is_asked, _)| *is_asked) {
        return Err(Failure::usage(format!(
            "{flag}: a throwaway server is new and empty, and has what it needs"
        )));
    }
    let archive = found.archive()?;
    let toc = match ScriptSource::open(&archive, archive.name())? {
        Some(script) => script.contents(&Progress::new(), cancel).map_err(|e| e.during(archive.url()))?.toc,
        None => RestoreSource::open(&archive)?.toc,
    };
    let identities = found.identities()?;
    let globals = found.manifest.as_ref().filter(|m| m.globals.is_some());
    let globals = globals.map(|m| read_globals(&found.store, m, &identities)).transpose();
    let globals = globals.map_err(|e| found.locked(e))?;
    let work_dir = options.work_dir.clone().unwrap_or_else(std::env::temp_dir);
    let version = toc.header.server_version.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut place = Place::open(DrillPlace::Throwaway { work_dir: &work_dir }, &version, cancel)?;
    place.make_roles(&toc, globals.as_deref(), cancel)?;
    let target = place.make_database("", &toc)?;
    let job = RestoreJob { options: RestoreOptions { no_tablespaces: true, ..job.options }, ..job };
    let mut done = carry_out(options, &job, &target, found, cancel)?;
    let notes = &mut done.report.notes;
    notes.append(&mut place.notes);
    match options.keep {
        true => {
            // A script may have made a database of its own.
            let kept = place.keep(&done.report.database.database)?;
            notes.extend(kept.into_iter().flat_map(|Kept { psql, remove }| {
                [format!("look at it: {psql}"), format!("stop and remove it: {remove}")]
            }));
        }
        false => {
            drop(place);
            notes.push("the throwaway server is gone again; --keep leaves it running".into());
        }
    }
    tell(options, &done)
}
