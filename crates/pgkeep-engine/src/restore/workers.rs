//! The sessions that load and build side by side.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use pgkeep_archive::{DumpId, Entry};

use super::collect::Collector;
use super::entry::{bytes, desc, display};
use super::execute::execute;
use super::load::{self, Data, Way};
use super::options::RestoreOptions;
use super::places::Place;
use super::plan::{Task, Work};
use super::run::{by_id, place_of};
use super::schedule::{Next, Schedule};
use super::settings::{Session, Settings};
use super::source::RestoreSource;
use super::state::{State, Step};
use super::tolerate::tolerated;
use super::unique_index::{self, TwoSteps};
use crate::cancel::Cancel;
use crate::conn::{Canceller, Client, ConnInfo};
use crate::error::{EngineError, ErrorKind, Result};
use crate::progress::{Phase, Progress};

/// Tries of one entry's data, each in a fresh transaction on a new connection.
const TRIES: u32 = 3;
/// Tries of a statement that lost a deadlock against something outside our plan.
const DEADLOCK_TRIES: u32 = 5;
/// Smaller data is not worth a TRUNCATE of its own.
const TRUNCATE_FROM: u64 = 64 << 10;

/// What all workers share.
pub(super) struct Crew<'a> {
    pub(super) source: &'a RestoreSource<'a>,
    pub(super) options: &'a RestoreOptions,
    pub(super) progress: &'a Progress,
    pub(super) stop: &'a Cancel,
    pub(super) settings: &'a Settings,
    pub(super) target: &'a ConnInfo,
    pub(super) places: &'a HashMap<DumpId, Place>,
    pub(super) collector: &'a Collector<'a>,
    pub(super) state: &'a State,
}

struct Shared<'a> {
    crew: &'a Crew<'a>,
    by_id: HashMap<DumpId, &'a Entry>,
    /// Entries that failed before, whose data is not to be loaded.
    failed: HashSet<DumpId>,
    schedule: Mutex<Schedule>,
    changed: Condvar,
    first_error: Mutex<Option<EngineError>>,
    /// By worker: how to end what it has the server do.
    cancellers: Mutex<HashMap<usize, Canceller>>,
    /// Which run of the server this restore began with; see [`incarnation`].
    incarnation: Option<String>,
}

/// Carries out the schedule over `jobs` sessions, the given one among them, and gives that one back.
pub(super) fn run(crew: &Crew<'_>, schedule: Schedule, mut session: Session) -> Result<Session> {
    let shared = Shared {
        incarnation: incarnation(&mut session.client)?,
        crew,
        by_id: by_id(&crew.source.toc.entries),
        failed: crew.collector.found().failed.iter().copied().collect(),
        schedule: Mutex::new(schedule),
        changed: Condvar::new(),
        first_error: Mutex::new(None),
        cancellers: Mutex::default(),
    };
    let over = AtomicBool::new(false);
    let session = thread::scope(|scope| {
        // A session that sends rows does not look at the flag while the server takes none: the server must be told.
        let watcher = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                thread::park_timeout(Duration::from_millis(100));
                if crew.stop.is_raised() {
                    shared.cancel_all();
                }
            }
        });
        let shared = &shared;
        let others: Vec<_> =
            (1..crew.options.jobs.max(1)).map(|n| scope.spawn(move || shared.work(n, None))).collect();
        let session = shared.work(0, Some(session));
        for other in others {
            let _ = other.join();
        }
        over.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        session
    });
    if let Some(e) = shared.first_error.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(e);
    }
    crew.stop.check()?;
    let left = shared.schedule.into_inner().unwrap_or_else(PoisonError::into_inner).left();
    match session {
        Some(session) if left == 0 => Ok(session),
        _ => Err(EngineError::new(
            ErrorKind::Other,
            "restoring",
            format!("{left} entries could not be started"),
        )),
    }
}

/// Tells runs of the server apart. After a crash it comes back without the last commits, as they need not have reached
/// the disk (`synchronous_commit = off`): what had been loaded would be missing without a word. The postmaster
/// outlives a crash of its children, the checkpointer does not. `None` where the user may not see it.
fn incarnation(client: &mut Client) -> Result<Option<String>> {
    let row = client.query_one(
        "SELECT pg_catalog.concat_ws(' ', pg_catalog.pg_postmaster_start_time(), pg_catalog.inet_server_addr(), \
                min(backend_start)), min(backend_start) IS NULL \
         FROM pg_catalog.pg_stat_activity WHERE backend_type = 'checkpointer'",
    )?;
    Ok(if row.bool(1) { None } else { Some(row.text(0)) })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared<'_> {
    /// A worker's life. On failure it stops all others; what they were doing fails then, too, and says nothing.
    fn work(&self, n: usize, session: Option<Session>) -> Option<Session> {
        let mut session = session;
        loop {
            let t = self.next()?;
            let Some(t) = t else { return session };
            if let Err(e) = self.run(n, t, &mut session) {
                self.fail(n, e);
                return None;
            }
            lock(&self.schedule).finish(t);
            self.changed.notify_all();
        }
    }

    /// The next task; `Some(None)` when all is done, `None` when the run was stopped.
    fn next(&self) -> Option<Option<usize>> {
        let mut schedule = lock(&self.schedule);
        loop {
            if self.crew.stop.is_raised() {
                return None;
            }
            match schedule.next() {
                Next::Run(t) => {
                    // What a gate held back may be ready for the others.
                    self.changed.notify_all();
                    return Some(Some(t));
                }
                Next::Done => {
                    self.changed.notify_all();
                    return Some(None);
                }
                Next::Wait => {
                    let waited = self.changed.wait_timeout(schedule, Duration::from_millis(200));
                    schedule = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    fn fail(&self, n: usize, error: EngineError) {
        // query_canceled, by our own hand.
        let by_us = self.crew.stop.is_raised() && error.sqlstate.as_deref() == Some("57014");
        let cancelled = error.kind == ErrorKind::Cancelled || by_us;
        {
            let mut first = lock(&self.first_error);
            // What fails once all were told to stop fails for that reason.
            if first.is_none() && !self.crew.stop.is_raised() {
                *first = Some(error);
            }
        }
        self.crew.stop.raise();
        self.changed.notify_all();
        if !cancelled {
            lock(&self.cancellers).remove(&n);
        }
        self.cancel_all();
    }

    /// Has the server end what our sessions do, once each.
    fn cancel_all(&self) {
        let all: Vec<Canceller> = lock(&self.cancellers).drain().map(|(_, canceller)| canceller).collect();
        for canceller in all {
            let _ = canceller.cancel();
        }
    }

    fn run(&self, n: usize, t: usize, session: &mut Option<Session>) -> Result<()> {
        let task = lock(&self.schedule).task(t).clone();
        let entry = &self.crew.source.toc.entries[task.entry];
        let result = match task.work {
            Work::Nothing => Ok(()),
            Work::Statements => self.statements(n, session, |open| {
                let metadata = entry.dependencies.first().and_then(|id| self.by_id.get(id)).copied();
                execute(open, entry, metadata, self.crew.options, self.crew.state, self.crew.collector)
            }),
            Work::UniqueIndex => {
                return self
                    .two_steps(n, entry, Step::Index, session, |steps| steps.index)
                    .or_else(|e| self.failed(entry, e));
            }
            // Its index was not to be had, and that was told.
            Work::UsingIndex if self.crew.collector.found().failed.contains(&entry.id) => return Ok(()),
            Work::UsingIndex => self.two_steps(n, entry, Step::Whole, session, |steps| steps.constraint),
            Work::Rows | Work::SqlText | Work::LargeObjects => {
                if let Some(table) = entry.dependencies.first().filter(|d| self.failed.contains(d)) {
                    let table = self.by_id.get(table).map(|e| display(e)).unwrap_or_default();
                    self.crew.collector.note(format!("{} is left out, as {table} failed", display(entry)));
                    return Ok(());
                }
                self.data(n, t, &task, entry, session)
            }
        };
        match result {
            Ok(()) => {
                self.crew.collector.done();
                if desc(entry) == b"SEQUENCE SET" {
                    self.crew.collector.sequence(task.entry, entry);
                }
                Ok(())
            }
            Err(e) if tolerated(desc(entry), &e) => {
                self.crew.collector.note(format!("{}: {}", load::during(entry), e.why));
                Ok(())
            }
            Err(e) => self.failed(entry, e),
        }
    }

    fn failed(&self, entry: &Entry, error: EngineError) -> Result<()> {
        self.crew.collector.failed(entry, error)
    }

    /// Runs one of the two steps that a constraint is made in.
    fn two_steps(
        &self,
        n: usize,
        entry: &Entry,
        mark: Step,
        session: &mut Option<Session>,
        step: impl Fn(TwoSteps) -> Vec<u8>,
    ) -> Result<()> {
        let Some(sql) = unique_index::split(bytes(&entry.definition)).map(step) else {
            return Err(EngineError::new(ErrorKind::Other, "", "its constraint cannot be taken apart"));
        };
        self.statements(n, session, |open| {
            open.select(entry)?;
            let mark = self.crew.state.mark(entry.id, mark, None);
            open.client.execute([sql.as_slice(), b";\n", &mark].concat())
        })
    }

    fn session<'s>(&self, n: usize, session: &'s mut Option<Session>) -> Result<&'s mut Session> {
        let session = match session.take() {
            Some(open) => session.insert(open),
            None => session.insert(Session::open(self.crew.target, self.crew.settings, self.crew.stop)?),
        };
        lock(&self.cancellers).entry(n).or_insert_with(|| session.client.canceller());
        Ok(session)
    }

    fn lose(&self, n: usize, session: &mut Option<Session>) {
        lock(&self.cancellers).remove(&n);
        *session = None;
    }

    fn statements(
        &self,
        n: usize,
        session: &mut Option<Session>,
        mut run: impl FnMut(&mut Session) -> Result<()>,
    ) -> Result<()> {
        let open = self.session(n, session)?;
        let mut tries = 1;
        loop {
            match run(open) {
                Err(e) if e.sqlstate.as_deref() == Some("40P01") && tries < DEADLOCK_TRIES => {
                    tries += 1;
                    thread::sleep(Duration::from_millis(50 * u64::from(tries)));
                }
                done => {
                    Progress::add(&self.crew.progress.items_done, 1);
                    return done;
                }
            }
        }
    }

    fn data(
        &self,
        n: usize,
        t: usize,
        task: &Task,
        entry: &Entry,
        session: &mut Option<Session>,
    ) -> Result<()> {
        let data = Data {
            archive: self.crew.source.archive,
            compression: self.crew.source.toc.header.compression,
            entry,
            place: place_of(self.crew.places, entry)?,
            progress: self.crew.progress,
        };
        let created = entry.dependencies.first().is_some_and(|table| self.by_id.contains_key(table));
        let way =
            if task.alone && created && data.place.len() >= TRUNCATE_FROM { Way::Alone } else { Way::Beside };
        let mut tries = 1;
        loop {
            let loaded = self.session(n, session).and_then(|open| match task.work {
                Work::Rows => load::rows(open, data, way, self.crew.state).map(|loaded| {
                    self.crew.collector.loaded(task.entry, entry, loaded.fingerprint);
                    if let (Some(rows), Some(table)) = (loaded.fingerprint, entry.dependencies.first()) {
                        lock(&self.schedule).loaded(t, *table, rows.rows, rows.bytes);
                    }
                }),
                Work::LargeObjects => {
                    load::blobs(open, data, self.crew.state).map(|f| self.crew.collector.large_objects(f))
                }
                _ => {
                    let standard_strings = open.standard_strings();
                    load::sql_text(&mut open.client, data, standard_strings)
                }
            });
            match loaded {
                Err(e) if e.is_connection_lost() && tries < TRIES && task.work != Work::SqlText => {
                    self.crew.stop.check()?;
                    self.lose(n, session);
                    self.crew.collector.note(format!(
                        "{}: the connection was lost ({}), trying again",
                        load::during(entry),
                        e.why
                    ));
                    thread::sleep(Duration::from_millis(500 << tries));
                    self.crew.stop.check()?;
                    tries += 1;
                    let again = self.session(n, session)?;
                    if self.incarnation.is_none() || incarnation(&mut again.client)? != self.incarnation {
                        return Err(EngineError { kind: ErrorKind::Other, ..e }
                            .during("the server was started anew, and what it had last committed may be gone")
                            .hint("restore again from the beginning"));
                    }
                }
                Err(e) => return Err(e),
                Ok(()) => {
                    Progress::add(&self.crew.progress.tables_done, 1);
                    let progress = self.crew.progress;
                    if Progress::get(&progress.tables_done) >= Progress::get(&progress.tables) {
                        progress.enter(Phase::PostData);
                    }
                    return Ok(());
                }
            }
        }
    }
}
