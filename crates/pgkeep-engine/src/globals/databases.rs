//! The databases of a server.

use serde::Serialize;

use super::pattern::database_regex;
use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo, quote_literal};
use crate::error::Result;
use crate::select::{Kind, PRESETS};

/// A database that is not backed up, though it is no template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkippedDatabase {
    /// Its name.
    pub database: String,
    /// Why.
    pub why: String,
}

/// The databases of a server.
#[derive(Debug, Clone, Default)]
pub struct ServerDatabases {
    /// Name and oid of those that can be backed up, by name.
    pub databases: Vec<(String, u32)>,
    /// Those that cannot or shall not.
    pub skipped: Vec<SkippedDatabase>,
}

/// Lists all databases but templates. Left out are those that a pattern of `exclude` fits (as `pg_dumpall
/// --exclude-database` has it), those that allow no connection, and those that a managed service keeps for itself.
///
/// # Errors
/// The connection's, and a pattern that makes no sense.
pub fn server_databases(info: &ConnInfo, exclude: &[String], cancel: &Cancel) -> Result<ServerDatabases> {
    let mut excluded = vec!["false".to_owned()];
    for pattern in exclude {
        let regex = quote_literal(database_regex(pattern)?.as_bytes());
        excluded.push(format!("datname OPERATOR(pg_catalog.~) {}", String::from_utf8_lossy(&regex)));
    }
    let mut client = Client::connect(info, cancel)?;
    client.execute("SET client_encoding = 'UTF8'; SET standard_conforming_strings = on")?;
    let rows = client
        .query(format!(
            "SELECT datname, oid, datallowconn, pg_catalog.has_database_privilege(oid, 'CONNECT'), {}, \
                    datconnlimit = -2 \
             FROM pg_catalog.pg_database WHERE NOT datistemplate ORDER BY datname COLLATE \"C\"",
            excluded.join(" OR ")
        ))
        .map_err(|e| e.during("listing the databases"))?;
    let mut found = ServerDatabases::default();
    for row in rows {
        let name = row.text(0);
        let owned = PRESETS.iter().flat_map(|p| p.of(Kind::Database)).find(|o| o.name == name);
        let why = if row.bool(4) {
            Some("--exclude-database")
        } else if row.bool(5) {
            Some("a DROP DATABASE was interrupted, and it can only be dropped")
        } else if !row.bool(2) {
            Some("it allows no connections")
        } else if let Some(owned) = owned {
            Some(owned.why)
        } else if !row.bool(3) {
            Some("the role may not connect to it")
        } else {
            None
        };
        match why {
            None => found.databases.push((name, row.parse(1).unwrap_or(0))),
            Some(why) => found.skipped.push(SkippedDatabase { database: name, why: why.into() }),
        }
    }
    Ok(found)
}
