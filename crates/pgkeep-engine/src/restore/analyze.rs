//! Statistics for the planner: without them the first queries on a restored database go the wrong way.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

use pgkeep_archive::DumpId;

use super::entry::{desc, display, is_table_data, qualified};
use super::settings::Session;
use super::workers::Crew;
use crate::error::{ErrorKind, Result};

/// Analyzes what has rows, over the crew's sessions, and says how many tables that were. Where the archive brings
/// statistics of its own (pg_dump 18 and later), nothing is left to do.
pub(super) fn analyze(crew: &Crew<'_>, session: &mut Session) -> Result<u64> {
    let entries = &crew.source.toc.entries;
    if !crew.options.analyze || entries.iter().any(|e| desc(e) == b"STATISTICS DATA") {
        return Ok(0);
    }
    let parents: HashSet<DumpId> =
        entries.iter().filter(|e| desc(e) == b"TABLE ATTACH").flat_map(|e| e.dependencies.clone()).collect();
    let mut seen = HashSet::new();
    let mut commands = Vec::new();
    for entry in entries {
        let has_rows = is_table_data(entry) && entry.has_data || desc(entry) == b"MATERIALIZED VIEW DATA";
        // Nobody analyzes a partitioned table by itself: what it needs is gathered from its partitions.
        let is_parent =
            desc(entry) == b"TABLE" && parents.contains(&entry.id) && entry.relkind != Some(i32::from(b'r'));
        if (has_rows || is_parent) && seen.insert(qualified(entry)) {
            let only: &[u8] = if is_parent && session.client.server_major() >= 18 { b"ONLY " } else { b"" };
            commands.push(([b"ANALYZE ".as_slice(), only, &qualified(entry)].concat(), display(entry)));
        }
    }
    let count = commands.len();
    let queue = Mutex::new(commands.into_iter());
    thread::scope(|scope| {
        let queue = &queue;
        let others: Vec<_> = (1..crew.options.jobs.clamp(1, count.max(1)))
            .map(|_| {
                scope.spawn(move || {
                    let mut session = Session::open(crew.target, crew.settings, crew.stop)?;
                    some(crew, &mut session, queue)
                })
            })
            .collect();
        let mut result = some(crew, session, queue);
        for other in others {
            result = result.and(other.join().unwrap_or(Ok(())));
        }
        result
    })?;
    Ok(count as u64)
}

fn some(
    crew: &Crew<'_>,
    session: &mut Session,
    queue: &Mutex<impl Iterator<Item = (Vec<u8>, String)>>,
) -> Result<()> {
    loop {
        crew.stop.check()?;
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some((sql, table)) = next else { return Ok(()) };
        match session.client.execute(sql) {
            Ok(()) => {}
            Err(e) if e.kind != ErrorKind::Server => return Err(e.during(format!("analyzing {table}"))),
            // undefined_table: that it could not be made was told.
            Err(e) if crew.options.keep_going && e.sqlstate.as_deref() == Some("42P01") => {}
            // All rows are there; a foreign partition whose server is not to be reached is reason enough for this.
            Err(e) => crew.progress.note(format!("{table} has no statistics for the planner: {}", e.why)),
        }
    }
}
