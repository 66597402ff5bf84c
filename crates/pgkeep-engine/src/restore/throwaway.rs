//! A throwaway server as the target of a restore.

use std::path::Path;

use bstr::ByteSlice;
use pgkeep_archive::Toc;

use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo, major_of};
use crate::drill::{create_database, create_roles};
use crate::error::{EngineError, ErrorKind, Result};
use crate::throwaway::{Throwaway, find_server};

/// The database in it.
pub const DATABASE: &str = "restored";

/// Starts a server of the archive's major in a new folder below `parent`, with an empty database of its encoding and
/// locale, and stand-ins for the roles that it names. Gives the database and what the user should know.
///
/// # Errors
/// `ClientTool` where there are no programs of such a server on this machine.
pub fn throwaway_for(
    toc: &Toc,
    parent: &Path,
    cancel: &Cancel,
) -> Result<(Throwaway, ConnInfo, Vec<String>)> {
    let version = toc.header.server_version.as_ref().map(|v| v.to_str_lossy()).unwrap_or_default();
    let major = major_of(&version);
    if major == 0 {
        let why = "the archive does not say of which version it is";
        return Err(EngineError::new(ErrorKind::Archive, "starting a throwaway server", why)
            .hint("name a database to restore into"));
    }
    let server = Throwaway::start(find_server(major)?, parent, cancel)?;
    let mut client = Client::connect(server.info(), cancel)?;
    let roles = create_roles(&mut client, toc)?;
    let mut notes: Vec<String> = create_database(&mut client, DATABASE, toc)?.into_iter().collect();
    if !roles.is_empty() {
        let names: Vec<String> = roles.iter().map(ToString::to_string).collect();
        notes.push(format!("roles: empty stand-ins were made for {}", names.join(", ")));
    }
    let database = server.info().with_database(DATABASE);
    Ok((server, database, notes))
}
