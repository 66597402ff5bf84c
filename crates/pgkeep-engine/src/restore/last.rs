//! Event triggers come last of all: from then on they fire, and nothing of a restore is their business.

use pgkeep_archive::Toc;

use super::entry::{desc, tag};
use super::execute::execute;
use super::load::during;
use super::options::RestoreOptions;
use super::owner::alter_owner;
use super::plan::{Plan, Work};
use super::settings::Session;
use super::state::State;
use super::tolerate::tolerated;
use super::workers::Crew;
use crate::error::{ErrorKind, Result};

/// Takes event triggers, and what is said about them, out of the plan; gives their indexes in the table of contents.
pub(super) fn take(plan: &mut Plan, toc: &Toc) -> Vec<usize> {
    let mut last = Vec::new();
    for task in plan.tasks.iter_mut().filter(|t| t.work == Work::Statements) {
        let entry = &toc.entries[task.entry];
        if desc(entry) == b"EVENT TRIGGER" || tag(entry).starts_with(b"EVENT TRIGGER ") {
            task.work = Work::Nothing;
            last.push(task.entry);
        }
    }
    last.sort_unstable();
    last
}

/// Removes the marks and makes the event triggers, all or nothing.
pub(super) fn run(crew: &Crew<'_>, session: &mut Session, last: &[usize]) -> Result<()> {
    let bare = RestoreOptions { no_owner: true, ..crew.options.clone() };
    let unmarked = State::default();
    session.client.execute("BEGIN")?;
    session.client.execute(crew.state.end()).map_err(|e| e.during("removing the marks of this restore"))?;
    for &i in last {
        let entry = &crew.source.toc.entries[i];
        let made = attempt(session, |s| execute(s, entry, None, &bare, &unmarked, crew.collector));
        let is_made = made.is_ok();
        match made {
            Ok(()) => crew.collector.done(),
            Err(e) if tolerated(desc(entry), &e) => {
                crew.collector.note(format!("{}: {}", during(entry), e.why))
            }
            Err(e) => crew.collector.failed(entry, e)?,
        }
        if let Some(sql) = alter_owner(entry).filter(|_| is_made && !crew.options.no_owner) {
            match attempt(session, |s| s.client.execute(sql)) {
                Err(e) if e.kind == ErrorKind::Permission => {
                    crew.collector.not_given(entry);
                }
                done => done?,
            }
        }
    }
    session.client.execute("COMMIT")
}

/// What fails leaves the transaction as it was before.
fn attempt(session: &mut Session, run: impl FnOnce(&mut Session) -> Result<()>) -> Result<()> {
    session.client.execute("SAVEPOINT pgkeep")?;
    run(session).or_else(|e| {
        session.client.execute("ROLLBACK TO SAVEPOINT pgkeep")?;
        Err(e)
    })
}
