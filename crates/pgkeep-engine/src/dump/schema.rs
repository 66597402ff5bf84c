//! The schema under the snapshot, and a lock on every table in it, with no schema change between the two.

use std::collections::HashMap;

use pgkeep_archive::Toc;

use super::DumpOptions;
use super::catalog::{self, TableName};
use super::coordinator::{Coordinator, LockFailure, blockers, lock_pause};
use super::work::oid_of;
use crate::cancel::Cancel;
use crate::conn::ConnInfo;
use crate::error::{EngineError, ErrorKind, Result};
use crate::progress::Progress;
use crate::schema_source::{SchemaRequest, SchemaSource};
use crate::session::{self, encoding_of};

/// New starts with a fresh snapshot after DDL came between the schema and our locks.
const STARTS: u32 = 5;

/// Reads the TOC and takes our locks while its source still holds its own; starts again with a fresh snapshot
/// where DDL came between.
pub(super) fn read_schema(
    coordinator: &mut Coordinator,
    source: &dyn SchemaSource,
    info: &ConnInfo,
    options: &DumpOptions,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<(Toc, HashMap<u32, TableName>)> {
    for start in 1.. {
        let mut names = HashMap::new();
        let mut busy = None;
        let snapshot = coordinator.snapshot.id.clone();
        let request = SchemaRequest {
            info,
            snapshot: &snapshot,
            selection: &options.selection,
            lock_timeout: options.lock_timeout,
            cancel,
        };
        let read = source.read(&request, &mut |toc| {
            session::prepare(&mut coordinator.client, &encoding_of(toc)?)?;
            let oids: Vec<u32> =
                toc.entries.iter().filter(|e| e.desc_is("TABLE DATA")).filter_map(oid_of).collect();
            names = catalog::names(&mut coordinator.client, &oids)?;
            // LOCK TABLE takes tables and views only (RangeVarCallbackForLockTable, src/backend/commands/lockcmds.c).
            let lockable: Vec<TableName> =
                names.values().filter(|t| matches!(t.kind, b'r' | b'p')).cloned().collect();
            coordinator.lock(&lockable).map_err(|f| match f {
                LockFailure::Busy(e) => {
                    busy = Some(e.clone());
                    e
                }
                LockFailure::Other(e) => e,
            })
        });
        match (read, busy) {
            (Ok(toc), _) => return Ok((toc, names)),
            (Err(e), Some(_)) => {
                let who = blockers(info, cancel);
                if start == STARTS {
                    return Err(told(e, who));
                }
                progress.note(format!("a schema change came between: {}; starting again", e.why));
                std::thread::sleep(lock_pause(start));
                cancel.check()?;
                coordinator.renew()?;
            }
            (Err(e), None) if e.kind == ErrorKind::LockTimeout => {
                return Err(told(e, blockers(info, cancel)));
            }
            (Err(e), None) => return Err(e),
        }
    }
    Err(EngineError::cancelled())
}

fn told(e: EngineError, blockers: Option<String>) -> EngineError {
    let e = EngineError { kind: ErrorKind::LockTimeout, ..e };
    match blockers {
        Some(who) => e.hint(format!("{who}; wait for it to end, or give more time by --lock-timeout")),
        None => e.hint("give more time by --lock-timeout, or run when no schema change is under way"),
    }
}
