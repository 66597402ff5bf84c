//! The drill itself: make a place, restore, prove.

use std::time::{Duration, Instant};

use pgkeep_keep::Manifest;
use pgkeep_keep::drill::{DrillReport, Finding};

use super::limits::Limits;
use super::place::{DrillPlace, Place};
use super::unproven::{self, Sorted};
use super::{checks, constraints, rows, schema};
use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo, major_of};
use crate::error::{EngineError, ErrorKind, Result};
use crate::progress::Progress;
use crate::prove::prove;
use crate::restore::{
    RestoreOptions, RestoreReport, RestoreSource, ScriptOptions, ScriptSource, restore, restore_script,
};
use crate::session::encoding_of;

/// What to drill, where, and within which limits.
pub struct DrillRequest<'a> {
    /// The archive; of a script [its definitions](ScriptSource::definitions).
    pub source: &'a RestoreSource<'a>,
    /// The script, where the backup is one.
    pub script: Option<&'a ScriptSource<'a>>,
    /// Its manifest; without one the rows are compared with those in the archive.
    pub manifest: Option<&'a Manifest>,
    /// The server's roles, where the backup has them.
    pub globals: Option<&'a [u8]>,
    /// Where to restore.
    pub place: DrillPlace<'a>,
    /// Connections that load, build and read back.
    pub jobs: usize,
    /// Queries that must each give `true`.
    pub checks: &'a [String],
    /// Longest time for all of it.
    pub time_limit: Option<Duration>,
    /// Most bytes that it may use on disk.
    pub disk_limit: Option<u64>,
}

/// A drill in steps: [`begin`](Drill::begin), [`restore`](Drill::restore), [`prove`](Drill::prove),
/// [`end`](Drill::end). Dropped at any of them it cleans up.
pub struct Drill<'a> {
    request: DrillRequest<'a>,
    options: RestoreOptions,
    place: Place,
    database: ConnInfo,
    limits: Limits,
    restored: Option<RestoreReport>,
    sorted: Sorted,
    report: DrillReport,
}

impl<'a> Drill<'a> {
    /// All steps.
    ///
    /// # Errors
    /// What keeps it from finding out: no server to restore to, a lost connection, a failing store. A damaged archive is
    /// a finding, as is a limit that was reached.
    pub fn run(request: DrillRequest<'a>, progress: &Progress, cancel: &Cancel) -> Result<DrillReport> {
        let mut drill = Drill::begin(request, cancel)?;
        drill.restore(progress, cancel)?;
        drill.prove(progress, cancel)?;
        Ok(drill.end())
    }

    /// Makes the place: a server if need be, roles, an empty database.
    ///
    /// # Errors
    /// What keeps it from being made.
    pub fn begin(request: DrillRequest<'a>, cancel: &Cancel) -> Result<Drill<'a>> {
        let began = Instant::now();
        let toc = &request.source.toc;
        let dumped = request.dumped_version();
        let mut place = Place::open(request.place, &dumped, cancel)?;
        place.make_roles(toc, request.globals, cancel)?;
        let database = place.make_database("", toc)?;
        let limits =
            Limits { time: request.time_limit, disk: request.disk_limit, began, usage: place.usage() };
        let options = RestoreOptions {
            jobs: request.jobs,
            keep_going: true,
            no_tablespaces: true,
            ..RestoreOptions::default()
        };
        let report = DrillReport {
            server: place.server(),
            server_version: place.server_version().to_owned(),
            proven_against: if request.manifest.is_some() { "manifest" } else { "archive" }.into(),
            prepare_ms: milliseconds(began),
            tables: request.manifest.map(|m| rows::tables(&m.dump.tables)).unwrap_or_default(),
            not_compared: schema::not_compared(toc, request.manifest.is_none() && request.script.is_some()),
            ..DrillReport::default()
        };
        Ok(Drill {
            request,
            options,
            place,
            database,
            limits,
            restored: None,
            sorted: Sorted::default(),
            report,
        })
    }

    /// The database that it restores into.
    pub fn database(&self) -> &ConnInfo {
        &self.database
    }

    /// Restores.
    ///
    /// # Errors
    /// As for [`run`](Drill::run).
    pub fn restore(&mut self, progress: &Progress, cancel: &Cancel) -> Result<()> {
        let began = Instant::now();
        let (source, database, options) = (self.request.source, self.database.clone(), self.options.clone());
        let script = self.request.script;
        let work = |stop: &Cancel| match script {
            Some(script) => {
                let options =
                    ScriptOptions { keep_going: true, no_tablespaces: true, contents: Some(&source.toc) };
                restore_script(script, &database, options, progress, stop).map(|done| done.report)
            }
            None => restore(source, &database, &options, progress, stop),
        };
        let done = self.limits.within(cancel, work);
        self.report.restore_ms = milliseconds(began);
        let Some(restored) = self.taken(done, cancel)? else { return Ok(()) };
        self.report.entries = restored.entries;
        self.report.database_bytes = self.place.size_of(&self.database)?;
        self.report.notes.extend(restored.notes.iter().cloned());
        self.sorted = unproven::sort(&source.toc, script.is_none(), &restored.errors);
        self.report.failures.append(&mut self.sorted.failures);
        self.report.unproven.extend(self.sorted.unproven.iter().cloned());
        if self.request.manifest.is_none() {
            self.report.tables = rows::tables(&restored.loaded);
        }
        self.report.unproven.extend(rows::unknown(&source.toc, self.request.manifest));
        self.restored = Some(restored);
        Ok(())
    }

    /// Proves what was restored; nothing where a limit or damage ended the restore.
    ///
    /// # Errors
    /// As for [`run`](Drill::run).
    pub fn prove(&mut self, progress: &Progress, cancel: &Cancel) -> Result<()> {
        let Some(restored) = self.restored.take() else { return Ok(()) };
        let began = Instant::now();
        let expected = rows::expected(self.request.manifest, &restored, &self.sorted);
        let (source, database) = (self.request.source, self.database.clone());
        let encoding = encoding_of(&source.toc)?;
        let jobs = self.request.jobs;
        let done = self.limits.within(cancel, |stop| {
            let large_objects = expected.large_objects.as_ref();
            let (tables, sequences) = (&expected.tables, &expected.sequences);
            prove(&database, &encoding, tables, sequences, large_objects, jobs, progress, stop)
        });
        if let Some(verdict) = self.taken(done, cancel)? {
            let other_major =
                major_of(&self.request.dumped_version()) != major_of(self.place.server_version());
            rows::judge(&mut self.report, &verdict, &expected, &restored, other_major);
            self.prove_the_rest(cancel)?;
        }
        self.report.proof_ms = milliseconds(began);
        Ok(())
    }

    fn prove_the_rest(&mut self, cancel: &Cancel) -> Result<()> {
        let source = self.request.source;
        let (place, sorted, report) = (&mut self.place, &self.sorted, &mut self.report);
        let (database, options, sql) = (&self.database, &self.options, self.request.checks);
        let done = self.limits.within(cancel, |stop| {
            let compared = schema::prove(source, database, place, sorted, options, stop)?;
            report.definitions = compared.definitions;
            report.failures.extend(compared.failures);
            report.notes.extend(compared.notes);
            let validity = constraints::look(&mut Client::connect(database, stop)?, &source.toc)?;
            report.constraints = validity.constraints;
            report.indexes = validity.indexes;
            report.failures.extend(validity.failures);
            checks::run(database, sql, sorted, report, stop)
        });
        self.taken(done, cancel).map(drop)
    }

    /// Cleans up and gives what was found.
    pub fn end(mut self) -> DrillReport {
        self.report.notes.append(&mut self.place.notes);
        self.report
    }

    /// What a step gave. A limit, damage or a full disk ends the drill with a finding.
    fn taken<T>(&mut self, (done, limit): (Result<T>, Option<String>), cancel: &Cancel) -> Result<Option<T>> {
        cancel.check()?;
        if let Some(limit) = limit {
            self.report.unproven.push(Finding::new("the drill", limit));
            return Ok(None);
        }
        match done {
            Ok(value) => Ok(Some(value)),
            Err(e) if e.kind == ErrorKind::Archive => {
                self.report.failures.push(Finding::new("the archive", words(&e)));
                Ok(None)
            }
            Err(e) if e.sqlstate.as_deref() == Some("53100") => {
                self.report.unproven.push(Finding::new("the drill", words(&e)));
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }
}

impl DrillRequest<'_> {
    /// Version of the server that was dumped.
    fn dumped_version(&self) -> String {
        // What adopted a script did not look for it.
        let known = self.manifest.map(|m| m.dump.server_version.clone()).filter(|v| !v.is_empty());
        let of_archive = || self.source.toc.header.server_version.as_ref().map(ToString::to_string);
        known.or_else(of_archive).unwrap_or_default()
    }
}

fn words(e: &EngineError) -> String {
    format!("{}: {}", e.what, e.why)
}

fn milliseconds(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
