//! Room on the disk where a server keeps its data, as far as it can be seen from here.

use std::path::Path;

use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo};
use crate::error::Result;

/// A server writes down when it began and asks for the time a moment later.
const MOMENT: u64 = 60;

/// Bytes that are free where this server's data lies; `None` where that cannot be known. No SQL function tells it, so
/// the server must run on this machine: it is reached over a Unix socket, or is the one whose `postmaster.pid` lies
/// here in its data directory. The role must be allowed to read the setting `data_directory` (`pg_read_all_settings`).
///
/// # Errors
/// Those of the connection.
pub fn free_space(server: &ConnInfo, cancel: &Cancel) -> Result<Option<u64>> {
    let mut client = Client::connect(server, cancel)?;
    let over_socket = client.info().host.starts_with(['/', '@']);
    let rows = client
        .query(
            "SELECT setting, pg_catalog.current_setting('port'), \
                    pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())::pg_catalog.int8 \
             FROM pg_catalog.pg_settings WHERE name = 'data_directory' AND setting IS NOT NULL",
        )
        .map_err(|e| e.during("looking for the server's data directory"))?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (directory, port, began) = (row.text(0), row.text(1), row.parse(2).unwrap_or(0));
    let directory = Path::new(&directory);
    if !over_socket && !is_of(directory, &port, began) {
        return Ok(None);
    }
    // Neither a path in another root nor one that may not be looked at is an error: it is not known, then.
    let Ok(disk) = rustix::fs::statvfs(directory) else { return Ok(None) };
    Ok(Some(disk.f_bavail * disk.f_frsize))
}

/// Whether this is the data directory of the server that listens on this port and began then: lines 3 and 4 of
/// `postmaster.pid` (src/include/utils/pidfile.h).
fn is_of(directory: &Path, port: &str, began: u64) -> bool {
    let Ok(pid) = std::fs::read_to_string(directory.join("postmaster.pid")) else { return false };
    let lines: Vec<&str> = pid.lines().map(str::trim).collect();
    let start: Option<u64> = lines.get(2).and_then(|line| line.parse().ok());
    lines.get(3) == Some(&port) && start.is_some_and(|start| start.abs_diff(began) <= MOMENT)
}
