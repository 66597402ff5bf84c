//! The definitions of a live database.

use pgkeep_archive::Toc;

use crate::cancel::Cancel;
use crate::conn::major_of;
use crate::error::Result;
use crate::schema_source::{PgDump, SchemaRequest, SchemaSource, find_tools, pick_tool};
use crate::select::Selection;
use crate::snapshot::Snapshot;

/// Reads a database's TOC with the pg_dump whose version is `like`, such as `17.11`, if its major is here and not older
/// than the server: definitions by one major are comparable word by word. Else with the nearest.
///
/// # Errors
/// No fitting pg_dump, or what pg_dump said.
pub fn read_definitions(snapshot: &Snapshot, like: Option<&str>, cancel: &Cancel) -> Result<Toc> {
    let server = snapshot.client.server_major();
    let tools = find_tools("pg_dump");
    let same =
        like.map(major_of).and_then(|major| tools.iter().find(|t| t.major == major && major >= server));
    let tool = match same {
        Some(tool) => tool.clone(),
        None => pick_tool(&tools, "pg_dump", server)?,
    };
    let request = SchemaRequest {
        info: snapshot.client.info(),
        snapshot: &snapshot.id,
        selection: &Selection::default(),
        lock_timeout: None,
        cancel,
    };
    PgDump::new(tool).read(&request, &mut |_| Ok(()))
}
