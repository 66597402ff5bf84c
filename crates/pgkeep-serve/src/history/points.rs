//! Recovery points.

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::History;
use crate::error::Result;
use crate::run::{PointState, RecoveryPoint};

impl History {
    /// Takes over what the stores have of this name now. What was known and is not among it is deleted.
    ///
    /// # Errors
    /// SQLite's.
    pub fn put_points(&self, name: &str, points: &[RecoveryPoint]) -> Result<()> {
        let mut connection = self.lock();
        let mut put = || -> rusqlite::Result<()> {
            let transaction = connection.transaction()?;
            transaction.execute("UPDATE points SET state = 'deleted' WHERE name = ?1", params![name])?;
            {
                let mut insert = transaction.prepare_cached(
                    "INSERT OR REPLACE INTO points (name, id, state, started, finished, size, row_count, proven,
                     drill_failed, held, stores, missing) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                )?;
                for point in points {
                    insert.execute(params![
                        name,
                        point.id,
                        point.state.as_str(),
                        point.started.as_millisecond(),
                        point.finished.as_millisecond(),
                        i64::try_from(point.size).unwrap_or(i64::MAX),
                        i64::try_from(point.rows).unwrap_or(i64::MAX),
                        point.proven.map(Timestamp::as_millisecond),
                        point.drill_failed.map(Timestamp::as_millisecond),
                        point.held,
                        serde_json::to_string(&point.stores).unwrap_or_default(),
                        serde_json::to_string(&point.missing).unwrap_or_default(),
                    ])?;
                }
            }
            transaction.commit()
        };
        self.told(put())
    }

    /// When the newest recovery point of a name was begun that a store has.
    ///
    /// # Errors
    /// SQLite's.
    pub fn newest_point(&self, name: &str) -> Result<Option<Timestamp>> {
        let newest = self.lock().query_row(
            "SELECT max(started) FROM points WHERE name = ?1 AND state != 'deleted'",
            params![name],
            |row| row.get::<_, Option<i64>>(0),
        );
        Ok(self.told(newest)?.and_then(|ms| Timestamp::from_millisecond(ms).ok()))
    }

    /// The recovery points of a name, or of all, the newest first.
    ///
    /// # Errors
    /// SQLite's.
    pub fn points(&self, name: Option<&str>) -> Result<Vec<RecoveryPoint>> {
        let connection = self.lock();
        let mut statement = self.told(connection.prepare_cached(
            "SELECT * FROM points WHERE (?1 IS NULL OR name = ?1) ORDER BY started DESC, id DESC",
        ))?;
        let rows = statement.query_map(params![name], of_row);
        let found = self.told(rows.and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>))?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Forgets deleted recovery points that were begun before this time; they are kept so long for trends alone.
    ///
    /// # Errors
    /// SQLite's.
    pub fn forget_points(&self, before: Timestamp) -> Result<usize> {
        let done = self.lock().execute(
            "DELETE FROM points WHERE state = 'deleted' AND started < ?1",
            params![before.as_millisecond()],
        );
        self.told(done)
    }
}

fn of_row(row: &Row<'_>) -> rusqlite::Result<Option<RecoveryPoint>> {
    let time = |ms: Option<i64>| ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let names = |json: String| serde_json::from_str(&json).unwrap_or_default();
    let state = PointState::of(&row.get::<_, String>("state")?);
    let times = (time(row.get("started")?), time(row.get("finished")?));
    let (Some(state), (Some(started), Some(finished))) = (state, times) else { return Ok(None) };
    Ok(Some(RecoveryPoint {
        name: row.get("name")?,
        id: row.get("id")?,
        state,
        started,
        finished,
        size: u64::try_from(row.get::<_, i64>("size")?).unwrap_or(0),
        rows: u64::try_from(row.get::<_, i64>("row_count")?).unwrap_or(0),
        proven: time(row.get("proven")?),
        drill_failed: time(row.get("drill_failed")?),
        held: row.get("held")?,
        stores: names(row.get("stores")?),
        missing: names(row.get("missing")?),
    }))
}
