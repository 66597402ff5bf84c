//! Which databases must not be filled with masked or cut rows.

use pgkeep_keep::DatabaseIdentity;

use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo};
use crate::error::Result;

/// What a database's comment has in it when the database is marked: `COMMENT ON DATABASE shop IS 'pgkeep: production'`.
/// A comment its owner can set everywhere; a setting (`ALTER DATABASE … SET`) only a superuser.
pub const MARK: &str = "pgkeep: production";

/// Why a database counts as production, as far as it tells itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Production {
    /// It has the mark.
    Marked,
    /// It is the very one that was backed up.
    Original,
}

/// Asks the database. `original` is the one that a backup was made of. One that does not exist yet is none.
///
/// # Errors
/// Where it cannot be asked.
pub fn production(
    info: &ConnInfo,
    original: &DatabaseIdentity,
    cancel: &Cancel,
) -> Result<Option<Production>> {
    let mut client = match Client::connect(info, cancel) {
        Ok(client) => client,
        // invalid_catalog_name
        Err(e) if e.sqlstate.as_deref() == Some("3D000") => return Ok(None),
        Err(e) => return Err(e),
    };
    let row = client
        .query_one(
            "SELECT d.oid, pg_catalog.shobj_description(d.oid, 'pg_database') \
             FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()",
        )
        .map_err(|e| e.during("looking for a mark of production"))?;
    if row.text(1).contains(MARK) {
        return Ok(Some(Production::Marked));
    }
    // Where the role may not read the identifier, of either, the databases cannot be told apart by it.
    let system = client.query_one("SELECT system_identifier FROM pg_catalog.pg_control_system()").ok();
    let is_same =
        system.is_some_and(|s| Some(s.text(0)) == original.system_identifier) && row.parse(0) == original.oid;
    Ok(is_same.then_some(Production::Original))
}
