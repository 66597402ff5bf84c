//! The restore itself: connect, drop, create, then load and build side by side.

use std::collections::HashMap;
use std::time::Instant;

use bstr::ByteSlice;
use pgkeep_archive::{DumpId, Entry, Toc};

use super::analyze::analyze;
use super::collect::Collector;
use super::entry::{bytes, desc};
use super::last;
use super::lead::Lead;
use super::options::RestoreOptions;
use super::places::{self, Place};
use super::plan::{Plan, Work, plan};
use super::report::{RestoreReport, RestoreTimings};
use super::schedule::Schedule;
use super::settings::Settings;
use super::source::RestoreSource;
use super::state::{State, Step};
use super::workers::{self, Crew};
use crate::cancel::Cancel;
use crate::conn::ConnInfo;
use crate::error::{EngineError, ErrorKind, Result};
use crate::pooler::refuse_transaction_pooler;
use crate::progress::{Phase, Progress};

/// Restores an archive into a database.
///
/// With `create`, `target` names any database of the server, such as `postgres`, and the archive's own is made.
///
/// # Errors
/// The first failure, named by the entry at fault; with `keep_going` only what ends the whole run: a lost
/// connection, a damaged table of contents, a wish to stop.
pub fn restore(
    source: &RestoreSource<'_>,
    target: &ConnInfo,
    options: &RestoreOptions,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<RestoreReport> {
    // A flag of our own: a worker that fails raises it to stop the others, and must not stop the caller's other work.
    Run { source, options, progress, stop: &cancel.child() }.run(target)
}

pub(super) struct Run<'a> {
    pub(super) source: &'a RestoreSource<'a>,
    pub(super) options: &'a RestoreOptions,
    progress: &'a Progress,
    pub(super) stop: &'a Cancel,
}

impl Run<'_> {
    fn run(&self, target: &ConnInfo) -> Result<RestoreReport> {
        let began = Instant::now();
        let toc = &self.source.toc;
        self.progress.enter(Phase::Starting);
        let settings = Settings::new(toc, self.options)?;
        let places = places::find(self.source)?;
        let mut plan = plan(toc, &places, self.options)?;
        let collector = Collector::new(self.options.keep_going, self.progress);
        for entry in toc.entries.iter().filter(|e| desc(e) == b"WARNING") {
            collector.note(format!("the archive says: {}", bytes(&entry.definition).to_str_lossy().trim()));
        }
        let mut lead = Lead::new(self, &settings, target);
        if self.options.resume && self.options.create {
            lead.enter_created();
        }
        refuse_transaction_pooler(&mut lead.session()?.client, self.stop)?;
        if self.options.clean && !self.options.resume {
            lead.drop_all(&collector).inspect_err(|_| lead.cancel())?;
        }
        let prepared = Instant::now();

        self.progress.enter(Phase::PreData);
        lead.create(&plan.first, &collector).inspect_err(|_| lead.cancel())?;
        let created = Instant::now();
        let last = last::take(&mut plan, toc);
        let state = lead.state()?;
        done_before(&mut plan, toc, &state, &collector);

        self.progress.enter(Phase::Data);
        let tables = plan.tasks.iter().filter(|t| t.work == Work::Rows).count();
        let items = plan
            .tasks
            .iter()
            .filter(|t| matches!(t.work, Work::Statements | Work::UniqueIndex | Work::UsingIndex))
            .count();
        Progress::add(&self.progress.tables, tables as u64);
        Progress::add(&self.progress.items, items as u64);
        let (session, target) = lead.into_session()?;
        let crew = Crew {
            source: self.source,
            options: self.options,
            progress: self.progress,
            stop: self.stop,
            settings: &settings,
            target: &target,
            places: &places,
            collector: &collector,
            state: &state,
        };
        let mut session = workers::run(&crew, Schedule::new(plan.tasks), session)?;
        self.progress.enter(Phase::Finishing);
        let analyzed = analyze(&crew, &mut session)?;
        last::run(&crew, &mut session, &last)?;
        session.make_durable()?;

        let mut found = collector.found();
        let not_given: Vec<String> = found.not_given.notes().collect();
        found.notes.extend(not_given);
        let loaded = found.last_load.unwrap_or(created);
        let tables = found.tables();
        Ok(RestoreReport {
            database: target,
            entries: found.entries,
            tables: tables.len() as u64,
            loaded: tables,
            sequences: found.sequences(),
            large_objects: found.large_objects,
            analyzed,
            errors: std::mem::take(&mut found.errors),
            notes: std::mem::take(&mut found.notes),
            timings: RestoreTimings {
                prepare: prepared - began,
                pre_data: created - prepared,
                data: loaded.saturating_duration_since(created),
                post_data: loaded.elapsed(),
            },
        })
    }
}

/// Takes out of the plan what an earlier go did, and remembers what that loaded.
fn done_before(plan: &mut Plan, toc: &Toc, state: &State, collector: &Collector<'_>) {
    for task in &mut plan.tasks {
        let entry = &toc.entries[task.entry];
        let step = if task.work == Work::UniqueIndex { Step::Index } else { Step::Whole };
        let Some(content) = state.done(entry.id, step) else { continue };
        match task.work {
            Work::Rows => collector.loaded(task.entry, entry, content),
            Work::LargeObjects => collector.large_objects(content.unwrap_or_default()),
            Work::Statements if desc(entry) == b"SEQUENCE SET" => collector.sequence(task.entry, entry),
            _ => {}
        }
        task.work = Work::Nothing;
    }
}

/// Everything by number.
pub(super) fn by_id(entries: &[Entry]) -> HashMap<DumpId, &Entry> {
    entries.iter().map(|e| (e.id, e)).collect()
}

/// Where an entry's data is.
pub(super) fn place_of(places: &HashMap<DumpId, Place>, entry: &Entry) -> Result<Place> {
    places.get(&entry.id).copied().ok_or_else(|| {
        EngineError::new(ErrorKind::Archive, super::load::during(entry), "its data is not in the archive")
    })
}
