//! Runs.

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::History;
use crate::error::Result;
use crate::fleet::TaskKind;
use crate::run::{Run, RunId, RunState, RunTrigger};

/// Which runs are asked for. What is left out does not matter.
#[derive(Debug, Clone, Default)]
pub struct RunFilter<'f> {
    /// Those of this task.
    pub task: Option<&'f str>,
    /// Those about this database.
    pub database: Option<&'f str>,
    /// Those of this kind.
    pub kind: Option<TaskKind>,
    /// Those due at this time or later.
    pub since: Option<Timestamp>,
    /// Those due before this time.
    pub until: Option<Timestamp>,
    /// Only those that are over, or only those that are not.
    pub over: Option<bool>,
    /// No more than so many, the newest; 0 for all.
    pub limit: usize,
}

impl History {
    /// Writes a run, or what has become of it.
    ///
    /// # Errors
    /// SQLite's.
    pub fn put_run(&self, run: &Run) -> Result<()> {
        let done = self.lock().execute(
            "INSERT OR REPLACE INTO runs (id, task, kind, database, cause, who, scheduled, attempt, state, started,
             finished, exit_code, error_kind, error, backup, result, command, log)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
            params![
                run.id.0,
                run.task,
                run.kind.as_str(),
                run.database,
                run.trigger.as_str(),
                run.by,
                run.scheduled.as_millisecond(),
                run.attempt,
                run.state.as_str(),
                run.started.map(Timestamp::as_millisecond),
                run.finished.map(Timestamp::as_millisecond),
                run.exit_code,
                run.error_kind,
                run.error,
                run.backup,
                run.result.as_ref().map(ToString::to_string),
                run.command,
                run.log,
            ],
        );
        self.told(done).map(drop)
    }

    /// One run.
    ///
    /// # Errors
    /// SQLite's.
    pub fn run(&self, id: &RunId) -> Result<Option<Run>> {
        let found = {
            let connection = self.lock();
            let mut statement = self.told(connection.prepare_cached("SELECT * FROM runs WHERE id = ?1"))?;
            let rows = statement.query_map(params![id.0], of_row);
            self.told(rows.and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>))?
        };
        Ok(found.into_iter().flatten().next())
    }

    /// Runs, the newest first.
    ///
    /// # Errors
    /// SQLite's.
    pub fn runs(&self, filter: &RunFilter<'_>) -> Result<Vec<Run>> {
        let limit = if filter.limit == 0 { -1 } else { i64::try_from(filter.limit).unwrap_or(i64::MAX) };
        let connection = self.lock();
        let mut statement = self.told(connection.prepare_cached(
            "SELECT * FROM runs WHERE (?1 IS NULL OR task = ?1) AND (?2 IS NULL OR database = ?2)
             AND (?3 IS NULL OR kind = ?3) AND (?4 IS NULL OR scheduled >= ?4) AND (?5 IS NULL OR scheduled < ?5)
             AND (?6 IS NULL OR ?6 = (state NOT IN ('scheduled', 'in_progress')))
             ORDER BY scheduled DESC, attempt DESC, id DESC LIMIT ?7",
        ))?;
        let rows = statement.query_map(
            params![
                filter.task,
                filter.database,
                filter.kind.map(TaskKind::as_str),
                filter.since.map(Timestamp::as_millisecond),
                filter.until.map(Timestamp::as_millisecond),
                filter.over,
                limit,
            ],
            of_row,
        );
        let found = self.told(rows.and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>))?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The last run of each task that is over and was not skipped.
    ///
    /// # Errors
    /// SQLite's.
    pub fn last_runs(&self) -> Result<Vec<Run>> {
        let connection = self.lock();
        let mut statement = self.told(connection.prepare_cached(
            "SELECT r.* FROM runs r JOIN (
                 SELECT task, max(scheduled || printf('%09d', attempt) || id) AS newest FROM runs
                 WHERE state IN ('completed', 'degraded', 'failed') GROUP BY task
             ) l ON l.task = r.task AND l.newest = r.scheduled || printf('%09d', r.attempt) || r.id ORDER BY r.task",
        ))?;
        let rows = statement.query_map([], of_row);
        let found = self.told(rows.and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>))?;
        Ok(found.into_iter().flatten().collect())
    }

    /// How many runs due since then are in which state, by database (empty where they are about none) and kind.
    ///
    /// # Errors
    /// SQLite's.
    pub fn run_counts(&self, since: Timestamp) -> Result<Vec<(String, String, String, u64)>> {
        let connection = self.lock();
        let mut statement = self.told(connection.prepare_cached(
            "SELECT coalesce(database, ''), kind, state, count(*) FROM runs WHERE scheduled >= ?1
             GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        ))?;
        let of_row = |row: &Row<'_>| {
            let many = u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0);
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, many))
        };
        let rows = statement.query_map(params![since.as_millisecond()], of_row);
        self.told(rows.and_then(Iterator::collect))
    }

    /// Forgets runs that were over before this time; each task keeps its last one.
    ///
    /// # Errors
    /// SQLite's.
    pub fn forget_runs(&self, before: Timestamp) -> Result<usize> {
        let done = self.lock().execute(
            "DELETE FROM runs WHERE finished < ?1 AND scheduled <
             (SELECT max(scheduled) FROM runs n WHERE n.task = runs.task)",
            params![before.as_millisecond()],
        );
        self.told(done)
    }
}

/// A run; nothing where a newer pgkeep wrote words that this one does not know.
fn of_row(row: &Row<'_>) -> rusqlite::Result<Option<Run>> {
    let time = |ms: Option<i64>| ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let word = |name: &str| row.get::<_, String>(name);
    let (kind, trigger) = (TaskKind::of(&word("kind")?), RunTrigger::of(&word("cause")?));
    let (state, scheduled) = (RunState::of(&word("state")?), time(row.get("scheduled")?));
    let (Some(kind), Some(trigger), Some(state), Some(scheduled)) = (kind, trigger, state, scheduled) else {
        return Ok(None);
    };
    Ok(Some(Run {
        id: RunId(row.get("id")?),
        task: row.get("task")?,
        kind,
        database: row.get("database")?,
        trigger,
        by: row.get("who")?,
        scheduled,
        attempt: row.get("attempt")?,
        state,
        started: time(row.get("started")?),
        finished: time(row.get("finished")?),
        exit_code: row.get("exit_code")?,
        error_kind: row.get("error_kind")?,
        error: row.get("error")?,
        backup: row.get("backup")?,
        result: row.get::<_, Option<String>>("result")?.and_then(|json| serde_json::from_str(&json).ok()),
        command: row.get("command")?,
        log: row.get("log")?,
    }))
}
