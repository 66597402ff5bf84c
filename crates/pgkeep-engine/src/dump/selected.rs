//! What a selection asks of pg_dump, and what it must leave.

use pgkeep_archive::Toc;

use super::coordinator::Coordinator;
use super::{DumpOptions, catalog};
use crate::error::{EngineError, ErrorKind, Result};
use crate::schema_source::{ClientTool, pick_tool};
use crate::select;

/// The pg_dump for a server, or a newer one where a filter needs it.
pub(super) fn pick_pg_dump(
    tools: &[ClientTool],
    server_major: u32,
    options: &DumpOptions,
) -> Result<ClientTool> {
    let Some((option, major)) = select::needed_major(&options.selection).filter(|(_, m)| *m > server_major)
    else {
        return pick_tool(tools, "pg_dump", server_major);
    };
    tools.iter().filter(|t| t.major >= major).min_by_key(|t| t.major).cloned().ok_or_else(|| {
        EngineError::new(
            ErrorKind::ClientTool,
            option,
            format!("it needs pg_dump {major}, and there is none here"),
        )
        .hint(format!("install postgresql-client-{major} or newer, or name its folder in PGKEEP_PG_BIN"))
    })
}

/// A selection that leaves nothing of a database that has something is a mistake, and no backup.
pub(super) fn refuse_nothing(toc: &Toc, options: &DumpOptions, coordinator: &mut Coordinator) -> Result<()> {
    if !options.selection.chooses()
        || !select::holds_nothing(toc)
        || !catalog::has_objects(&mut coordinator.client)?
    {
        return Ok(());
    }
    let words = options.selection.words();
    let what = format!("filters of {}", coordinator.client.info().database);
    let why = format!("nothing of the database is left to back up ({words})");
    Err(EngineError::new(ErrorKind::Config, what, why)
        .hint("`pg_dump --schema-only` with the same filters shows what they leave"))
}
