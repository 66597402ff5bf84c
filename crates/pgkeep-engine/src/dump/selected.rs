//! What a selection asks of pg_dump, what it must leave, and by which rules rows are read.

use pgkeep_archive::Toc;

use super::coordinator::Coordinator;
use super::work::oid_of;
use super::{DumpOptions, catalog};
use crate::error::{EngineError, ErrorKind, Result};
use crate::progress::Progress;
use crate::rules::{self, Rules, Scope};
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

/// The rules for the tables that are read, looked at under the dump's locks. Tells what a restore may trip over.
pub(super) fn read_rules(
    toc: &Toc,
    options: &DumpOptions,
    coordinator: &mut Coordinator,
    progress: &Progress,
) -> Result<Rules> {
    let read = toc.entries.iter().filter(|e| e.desc_is("TABLE DATA")).filter_map(oid_of).collect();
    let no_rows = options.selection.leaves_rows_out();
    let scope = Scope {
        time: coordinator.snapshot.time,
        read: (!no_rows).then_some(&read),
        lock_timeout: options.lock_timeout.map_or(0, |t| t.as_millis()),
    };
    let found = rules::resolve(&mut coordinator.client, &options.selection, &scope)?;
    let mut problems = found.problems.into_iter();
    if let Some(first) = problems.next() {
        let others: String = problems.map(|e| format!("\n  {e}")).collect();
        return Err(EngineError { why: format!("{}{others}", first.why), ..first });
    }
    found.notes.into_iter().for_each(|note| progress.note(note));
    Ok(found.rules)
}
