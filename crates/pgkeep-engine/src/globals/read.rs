//! Reading roles and tablespaces with stock pg_dumpall.

use std::fmt;
use std::io::Read;
use std::time::Duration;

use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo};
use crate::error::{EngineError, ErrorKind, Result};
use crate::schema_source::{client_command, find_tools, pick_tool};

/// Roles, role settings, memberships and tablespaces of a server as an SQL script. It can hold hashes of passwords and
/// so is never shown.
pub struct Globals {
    /// The script, as `pg_dumpall --globals-only` writes it.
    pub sql: Vec<u8>,
    /// What wrote it, such as `pg_dumpall 17.11`.
    pub source: String,
    /// Whether the hashes of passwords are in it.
    pub passwords: bool,
}

impl fmt::Debug for Globals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Globals({} bytes by {}, passwords: {})", self.sql.len(), self.source, self.passwords)
    }
}

/// Reads them. Where the role may not read `pg_authid`, as on every managed service, the script comes without hashes of
/// passwords.
///
/// # Errors
/// The connection's, no fitting pg_dumpall, or what pg_dumpall said.
pub fn read_globals(info: &ConnInfo, cancel: &Cancel) -> Result<Globals> {
    let mut client = Client::connect(info, cancel)?;
    let passwords = client
        .query_one("SELECT pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT')")
        .map_err(|e| e.during("looking at who may read pg_authid"))?
        .bool(0);
    let tool = pick_tool(&find_tools("pg_dumpall"), "pg_dumpall", client.server_major())?;
    // Of several hosts the one that was asked, and no other.
    let info = client.info().clone();
    drop(client);
    let (mut command, _connection) = client_command(&tool, &info)?;
    command
        .args(["--globals-only", "--no-password", "--encoding=UTF8"])
        .arg(format!("--database={}", as_conninfo(&info.database)));
    if !passwords {
        command.arg("--no-role-passwords");
    }
    let failed = |why: String| EngineError::new(ErrorKind::ClientTool, "reading roles with pg_dumpall", why);
    let mut child = command.spawn().map_err(|e| failed(e.to_string()))?;
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|e| failed(e.to_string()))? {
            break status;
        }
        if cancel.is_raised() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(EngineError::cancelled());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let text =
        |pipe: Option<std::thread::JoinHandle<Vec<u8>>>| pipe.and_then(|p| p.join().ok()).unwrap_or_default();
    let (sql, said) = (text(stdout), text(stderr));
    if !status.success() {
        return Err(failed(String::from_utf8_lossy(&said).trim().replace('\n', "; ")));
    }
    Ok(Globals { sql, source: format!("pg_dumpall {}", tool.version), passwords })
}

/// pg_dumpall takes a name with `=` in it for a connection string (`connectDatabase`, src/bin/pg_dump/pg_dumpall.c).
fn as_conninfo(database: &str) -> String {
    format!("dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn collect(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}
