//! A consistent view of a database for several sessions.

use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo};
use crate::error::Result;

/// A transaction that only reads, and the name by which other sessions take its snapshot. Over when dropped.
pub struct Snapshot {
    /// The session that has it.
    pub client: Client,
    /// Its name, for `SET TRANSACTION SNAPSHOT`.
    pub id: String,
}

impl Snapshot {
    /// Connects, begins the transaction and exports its snapshot.
    ///
    /// # Errors
    /// The connection's, and where the server exports none.
    pub fn begin(info: &ConnInfo, cancel: &Cancel) -> Result<Snapshot> {
        let mut client = Client::connect(info, cancel)?;
        let row = client
            .execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .and_then(|()| client.query_one("SELECT pg_catalog.pg_export_snapshot()"))
            .map_err(|e| e.during("exporting a snapshot"))?;
        Ok(Snapshot { client, id: row.text(0) })
    }

    /// Has another session see what this one sees.
    pub(crate) fn give_to(&self, other: &mut Client) -> Result<()> {
        let sql = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT '{}'",
            self.id
        );
        other.execute(sql).map_err(|e| e.during("taking over the snapshot"))
    }
}
