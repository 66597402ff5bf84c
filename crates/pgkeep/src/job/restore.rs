//! Restoring one backup: what was chosen of it, into a target that was looked at, proven.

mod expected;
mod swap;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pgkeep_engine::progress::Progress;
use pgkeep_engine::prove::{Verdict, prove};
use pgkeep_engine::restore::{
    Beside, Choice, Contents, Measured, Preview, RestoreOptions, RestoreReport, RestoreSource, ScriptOptions,
    ScriptSource, TargetState, adapt, change_owner, choose, examine, free_space, list, preview, put_beside,
    rename_database, restore, restore_script,
};
use pgkeep_engine::session::encoding_of;
use pgkeep_engine::{Cancel, ConnInfo, EngineError, ErrorKind};
use pgkeep_keep::drill::{DrillReport, last_proven};
use pgkeep_keep::{StoredArchive, verify_head};

use crate::failure::{Failure, Result};
use crate::resolve::Found;
use crate::show::{bytes, duration, short_time};
use expected::{Expected, expected};
pub(crate) use swap::SwapFlags;

/// What to restore, and how.
pub(crate) struct RestoreJob {
    pub(crate) choice: Choice,
    pub(crate) options: RestoreOptions,
    /// Where in the target, if not under the old names.
    pub(crate) beside: Beside,
    /// Another name for the database that is created.
    pub(crate) create_as: Option<String>,
    /// The role that everything is to belong to.
    pub(crate) owner: Option<String>,
    /// Whether the rows are read back.
    pub(crate) prove: bool,
    /// Whether the target is a live database, to be replaced once the other one is proven.
    pub(crate) swap: Option<SwapFlags>,
}

/// What came of it.
pub(crate) struct RestoreRecord {
    pub(crate) url: String,
    pub(crate) report: RestoreReport,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) loading: Duration,
    pub(crate) took: Duration,
    /// Whether the archive has one; else the proof was against the archive's own rows.
    pub(crate) manifest: bool,
    /// What a full backup has and this one lacks.
    pub(crate) partial: Option<String>,
    /// The name that the replaced database has now.
    pub(crate) replaced: Option<String>,
}

/// What would be done.
pub(crate) struct Plan {
    pub(crate) url: String,
    pub(crate) target: TargetState,
    pub(crate) preview: Preview,
    /// Bytes that are free where the target's data lies, if that can be seen.
    pub(crate) free: Option<u64>,
    pub(crate) notes: Vec<String>,
    /// Why it would not be begun.
    pub(crate) refused: Option<EngineError>,
}

/// A source of which only the chosen is left, as the target can take it.
struct Prepared<'a> {
    source: RestoreSource<'a>,
    target: TargetState,
    contents: Contents,
    notes: Vec<String>,
    refused: Option<EngineError>,
}

impl RestoreJob {
    pub(crate) fn run(
        &self,
        found: &Found,
        target: &ConnInfo,
        progress: &Progress,
        cancel: &Cancel,
    ) -> Result<RestoreRecord> {
        if let Some(flags) = self.swap {
            return self.swap(flags, found, target, progress, cancel);
        }
        let archive = open(found)?;
        let began = Instant::now();
        let named = |e| in_archive(e, &archive.url());
        if let Some(m) = &found.manifest {
            progress.bytes_expected.store(m.dump.totals().1, Ordering::Relaxed);
        }
        let (report, encoding, contents) =
            match ScriptSource::open(&archive, archive.name()).map_err(named)? {
                Some(script) => {
                    self.refuse_for_scripts()?;
                    let RestoreOptions { keep_going, no_tablespaces, .. } = self.options;
                    let how = ScriptOptions { keep_going, no_tablespaces, contents: None };
                    let done = restore_script(&script, target, how, progress, cancel);
                    let done = done.map_err(named)?;
                    (done.report, done.encoding, None)
                }
                None => {
                    let mut prepared = self.prepare(found, &archive, target, cancel)?;
                    if let Some(refused) = prepared.refused {
                        return Err(refused.into());
                    }
                    let source = &prepared.source;
                    // What is begun in an empty database can be gone on with; others' databases get no marks.
                    let anew = prepared.target.interrupted && self.options.clean;
                    let resumable = !self.options.keep_going && (prepared.target.relations == 0 || anew);
                    let options = RestoreOptions { resumable, ..self.options.clone() };
                    let mut report = restore(source, target, &options, progress, cancel).map_err(named)?;
                    prepared.notes.append(&mut report.notes);
                    report.notes = prepared.notes;
                    let contents = (self.choice.is_partial() || self.beside.schema.is_some())
                        .then_some(prepared.contents);
                    (report, encoding_of(&source.toc)?, contents)
                }
            };
        let loading = began.elapsed();
        let expected = expected(&report, found.manifest.as_ref(), contents.as_ref());
        let verdict = match self.prove {
            true => Some(self.prove(&report.database, &expected, &encoding, progress, cancel)?),
            false => None,
        };
        Ok(RestoreRecord {
            url: archive.url(),
            report,
            verdict,
            loading,
            took: began.elapsed(),
            manifest: found.manifest.is_some(),
            partial: found.manifest.as_ref().and_then(|m| m.dump.partial()),
            replaced: None,
        })
    }

    /// Looks at everything and changes nothing.
    pub(crate) fn plan(&self, found: &Found, target: &ConnInfo, cancel: &Cancel) -> Result<Plan> {
        let archive = open(found)?;
        refuse_script("--plan", &archive)?;
        let mut prepared = self.prepare(found, &archive, target, cancel)?;
        let dump = found.manifest.as_ref().map(|m| &m.dump);
        let measured = measured(found).unwrap_or_else(|e| {
            prepared.notes.push(format!("the last drill's record tells no time: {}", e.message));
            None
        });
        let preview = preview(&prepared.source, dump, measured.as_ref(), &self.options)
            .map_err(|e| in_archive(e, &archive.url()))?;
        let free = free_space(target, cancel)?;
        if let Some(free) = free.filter(|free| *free < preview.disk_bytes) {
            prepared.notes.push(format!(
                "the target's disk may be too small: {} are free, and about {} will be taken",
                bytes(free),
                bytes(preview.disk_bytes)
            ));
        }
        Ok(Plan {
            url: archive.url(),
            target: prepared.target,
            preview,
            free,
            notes: prepared.notes,
            refused: prepared.refused,
        })
    }

    /// What would be restored, as pg_restore lists it.
    pub(crate) fn list(&self, found: &Found) -> Result<String> {
        let archive = open(found)?;
        refuse_script("--list", &archive)?;
        let mut source = RestoreSource::open(&archive).map_err(|e| in_archive(e, &archive.url()))?;
        let all = source.toc.entries.len();
        choose(&mut source.toc, &self.choice)?;
        Ok(list(&source.toc, all, &self.options))
    }

    fn prepare<'a>(
        &self,
        found: &Found,
        archive: &'a StoredArchive,
        target: &ConnInfo,
        cancel: &Cancel,
    ) -> Result<Prepared<'a>> {
        let mut source = RestoreSource::open(archive).map_err(|e| in_archive(e, &archive.url()))?;
        if let Some(name) = &self.create_as {
            rename_database(&mut source.toc, name);
        }
        if let Some(role) = &self.owner {
            change_owner(&mut source.toc, role);
        }
        let chosen = choose(&mut source.toc, &self.choice)?;
        // What is there from an earlier go is not somebody else's.
        let mut needed = chosen.needed;
        let moved = put_beside(&mut source.toc, &self.beside, &mut needed)?;
        if self.options.resume {
            needed.clear();
        }
        let state = examine(&mut source, &needed, target, &self.options, cancel)?;
        let contents = Contents::of(&source.toc).renamed(moved.names);
        let mut notes = chosen.notes;
        notes.extend(moved.notes);
        notes.extend(adapt(&mut source.toc, state.server_major));
        notes.extend(state.left.iter().map(|object| format!("{object} is there already and left as it is")));
        // A part goes beside what is there.
        let part =
            self.choice.is_partial() || found.manifest.as_ref().is_some_and(|m| m.dump.partial().is_some());
        let refused = state.refuse(target, &self.options, part).err();
        Ok(Prepared { source, target: state, contents, notes, refused })
    }

    /// A script is run as it is.
    fn refuse_for_scripts(&self) -> Result<()> {
        let asked = [
            (self.options.create, "--create"),
            (self.options.clean, "--clean"),
            (self.options.no_owner, "--no-owner"),
            (self.options.no_privileges, "--no-privileges"),
            (self.owner.is_some(), "--owner"),
            (self.beside.schema.is_some(), "--into-schema"),
            (self.choice.is_partial(), "choosing what to restore"),
        ];
        match asked.into_iter().find(|(is_asked, _)| *is_asked) {
            Some((_, flag)) => Err(Failure::usage(format!(
                "{flag}: this backup is an SQL script, which is run as it is\n  hint: back up with --format custom for \
                 a choice at restore time; with --create, create the database first"
            ))),
            None => Ok(()),
        }
    }

    /// Reads the restored rows back and compares them with what they should be.
    fn prove(
        &self,
        database: &ConnInfo,
        (tables, sequences, large_objects): &Expected,
        encoding: &str,
        progress: &Progress,
        cancel: &Cancel,
    ) -> Result<Verdict> {
        progress.bytes.store(0, Ordering::Relaxed);
        progress.rows.store(0, Ordering::Relaxed);
        progress.bytes_expected.store(tables.iter().map(|t| t.fingerprint.bytes).sum(), Ordering::Relaxed);
        let jobs = self.options.jobs;
        Ok(prove(database, encoding, tables, sequences, large_objects.as_ref(), jobs, progress, cancel)?)
    }
}

/// The archive, with a quick look whether it is the manifest's.
fn open(found: &Found) -> Result<StoredArchive> {
    let archive = found.archive()?;
    if let Some(m) = &found.manifest {
        archive.fits(m)?;
        verify_head(&found.store, &found.key, m)?;
    }
    Ok(archive)
}

/// The last drill of a backup of this name: it restored the like, and was measured.
fn measured(found: &Found) -> Result<Option<Measured>> {
    let Some(stem) = &found.stem else { return Ok(None) };
    let prefix = stem.rfind('/').map_or("", |at| &stem[..=at]);
    let record = last_proven(&found.store, prefix)?;
    Ok(record.map(|record| {
        let DrillReport { restore_ms, bytes: text_bytes, server, server_version, .. } = record.drill;
        let took = Duration::from_millis(restore_ms);
        let which = format!(
            "a drill on {} that restored {} of rows in {} on {server} {server_version}",
            short_time(record.finished),
            bytes(text_bytes),
            duration(took)
        );
        Measured { text_bytes, took, which }
    }))
}

fn refuse_script(flag: &str, archive: &StoredArchive) -> Result<()> {
    match ScriptSource::open(archive, archive.name()).map_err(|e| in_archive(e, &archive.url()))? {
        Some(_) => Err(Failure::usage(format!(
            "{flag}: {} is an SQL script, which has no table of contents",
            archive.url()
        ))),
        None => Ok(()),
    }
}

/// Damage is told with the name of the archive that has it.
fn in_archive(e: EngineError, url: &str) -> Failure {
    match e.kind {
        ErrorKind::Archive if e.what == "archive" => EngineError { what: url.to_owned(), ..e }.into(),
        ErrorKind::Archive => e.during(url).into(),
        _ => e.into(),
    }
}
