//! The one session that there is before the workers: it drops, creates, and moves into a new database.

use bstr::ByteSlice;
use pgkeep_archive::Entry;

use super::clean::drops;
use super::collect::Collector;
use super::entry::{desc, is_database, is_wanted, tag};
use super::execute::execute;
use super::hints::with_hint;
use super::load::during;
use super::options::RestoreOptions;
use super::run::Run;
use super::settings::{Session, Settings};
use super::state::{State, Step};
use super::tolerate::tolerated;
use crate::conn::ConnInfo;
use crate::error::{EngineError, ErrorKind, Result};

pub(super) struct Lead<'a> {
    run: &'a Run<'a>,
    settings: &'a Settings,
    target: ConnInfo,
    session: Option<Session>,
    /// There once there is a database to keep it in.
    state: Option<State>,
}

impl<'a> Lead<'a> {
    pub(super) fn new(run: &'a Run<'a>, settings: &'a Settings, target: &ConnInfo) -> Lead<'a> {
        Lead { run, settings, target: target.clone(), session: None, state: None }
    }

    /// The session, opened where needed.
    pub(super) fn session(&mut self) -> Result<&mut Session> {
        match self.session {
            Some(ref mut session) => Ok(session),
            None => {
                let session = Session::open(&self.target, self.settings, self.run.stop)?;
                // Of several servers the one that took us, for everybody.
                self.target = session.client.info().clone();
                Ok(self.session.insert(session))
            }
        }
    }

    /// Goes on in the database that an earlier go has created.
    pub(super) fn enter_created(&mut self) {
        let database = self.run.source.toc.entries.iter().find(|e| desc(e) == b"DATABASE");
        if let Some(name) = database.and_then(|e| tag(e).to_str().ok()) {
            self.target = self.target.with_database(name);
        }
    }

    /// The marks, taken up or begun.
    fn marks(&mut self) -> Result<&State> {
        if self.state.is_none() {
            let Run { source, options, .. } = *self.run;
            self.state = Some(State::begin(self.session()?, &source.toc, options)?);
        }
        Ok(self.state.get_or_insert_default())
    }

    /// The marks for the workers.
    pub(super) fn state(&mut self) -> Result<State> {
        self.marks()?;
        Ok(self.state.take().unwrap_or_default())
    }

    /// The session for its further use, and where it is connected.
    pub(super) fn into_session(mut self) -> Result<(Session, ConnInfo)> {
        self.session()?;
        let session = self.session.ok_or_else(EngineError::cancelled)?;
        Ok((session, self.target))
    }

    /// Has the server end what the session does: a statement that waits for a lock would be carried out once it has
    /// it, though nobody is there any more.
    pub(super) fn cancel(&self) {
        if let Some(session) = &self.session {
            let _ = session.client.canceller().cancel();
        }
    }

    /// Drops what the archive holds. Some of it cannot be dropped for itself (the constraint of a partition, say, goes
    /// with its parent's, which is dropped later): what failed is tried again at the end, and is no failure if it is
    /// gone by then.
    pub(super) fn drop_all(&mut self, collector: &Collector<'_>) -> Result<()> {
        let Run { source, options, stop, .. } = *self.run;
        let entries = &source.toc.entries;
        let mut again = Vec::new();
        for (i, sql) in drops(entries, options) {
            stop.check()?;
            match self.drop(&entries[i], sql) {
                Err(e) if is_missing(&e) && !options.if_exists => {
                    let e = e.hint("--if-exists passes over what is not there");
                    collector.problem(&entries[i], e.during("dropping it"))?;
                }
                // Its properties cannot be changed back if it is not there.
                Err(e) if is_missing(&e) && is_database(&entries[i]) => {}
                Err(e) if e.kind == ErrorKind::Server => again.push((i, e)),
                Err(e) => collector.problem(&entries[i], e.during("dropping it"))?,
                Ok(()) => {}
            }
        }
        let lenient = RestoreOptions { if_exists: true, ..options.clone() };
        let mut second: Vec<Option<Vec<u8>>> = vec![None; entries.len()];
        for (i, sql) in drops(entries, &lenient) {
            second[i] = Some(sql);
        }
        for (i, first) in again {
            stop.check()?;
            let Some(sql) = second[i].take() else { continue };
            match self.drop(&entries[i], sql) {
                Err(e) if is_missing(&e) => {}
                Err(_) => collector.problem(&entries[i], first.during("dropping it"))?,
                Ok(()) => {}
            }
        }
        // What was selected may be gone now.
        self.session()?.forget();
        Ok(())
    }

    fn drop(&mut self, entry: &Entry, sql: Vec<u8>) -> Result<()> {
        let session = self.session()?;
        session.select_schema(entry)?;
        session.client.execute(sql)
    }

    /// Runs these entries one after the other.
    pub(super) fn create(&mut self, first: &[usize], collector: &Collector<'_>) -> Result<()> {
        let Run { source, options, stop, .. } = *self.run;
        for &i in first {
            let entry = &source.toc.entries[i];
            if !is_wanted(entry, options) {
                continue;
            }
            stop.check()?;
            let is_new_place = is_database(entry);
            if desc(entry) == b"DATABASE" && options.resume
                || !is_new_place && self.marks()?.done(entry.id, Step::Whole).is_some()
            {
                continue;
            }
            let state = self.state.take().unwrap_or_default();
            let made = execute(self.session()?, entry, None, options, &state, collector);
            if !is_new_place {
                self.state = Some(state);
            }
            match made {
                Ok(()) => collector.done(),
                Err(e) if tolerated(desc(entry), &e) => {
                    collector.note(format!("{}: {}", during(entry), e.why))
                }
                // Without its database there is nowhere to go on.
                Err(e) if is_database(entry) => return Err(with_hint(e).during(during(entry))),
                Err(e) => collector.failed(entry, e)?,
            }
            if is_database(entry) {
                // Its settings apply to new sessions only.
                let name = tag(entry).to_str().map_err(|_| {
                    EngineError::new(ErrorKind::Archive, during(entry), "its name is not UTF-8")
                })?;
                self.session = None;
                self.target = self.target.with_database(name);
            }
        }
        Ok(())
    }
}

/// Undefined table, object, schema, function, column, database.
fn is_missing(error: &EngineError) -> bool {
    matches!(error.sqlstate.as_deref(), Some("42P01" | "42704" | "3F000" | "42883" | "42703" | "3D000"))
}
