//! The server programs on this machine.

use std::path::PathBuf;

use crate::error::Result;
use crate::schema_source::{find_tools, pick_tool};

/// `initdb`, `pg_ctl` and `postgres` of one version, in one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPrograms {
    /// The folder.
    pub folder: PathBuf,
    /// Version, such as `17.11`.
    pub version: String,
    /// Major version.
    pub major: u32,
}

/// The oldest server on this machine that is not older than `major`: the same major wherever it is installed. Looked
/// for where client programs are, see [`find_tools`].
///
/// # Errors
/// `ClientTool`, naming what was found and what to install.
pub fn find_server(major: u32) -> Result<ServerPrograms> {
    let mut servers = find_tools("postgres");
    servers.iter_mut().for_each(|s| s.path = s.path.canonicalize().unwrap_or_else(|_| s.path.clone()));
    servers.retain(|s| ["initdb", "pg_ctl"].iter().all(|name| s.path.with_file_name(name).is_file()));
    let tool = pick_tool(&servers, "postgres", major).map_err(|e| {
        e.hint(format!(
            "install the server's programs (Debian, Ubuntu: apt-get install postgresql-{major} from \
             apt.postgresql.org) or name their folder in PGKEEP_PG_BIN; a drill also takes a scratch server: --into URL"
        ))
    })?;
    let folder = tool.path.parent().map(PathBuf::from).unwrap_or_default();
    Ok(ServerPrograms { folder, version: tool.version, major: tool.major })
}
