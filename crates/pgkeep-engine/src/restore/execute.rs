//! Sending the statements of one entry.

use pgkeep_archive::Entry;

use super::collect::Collector;
use super::entry::{bytes, is_database};
use super::options::RestoreOptions;
use super::owner::alter_owner;
use super::settings::{Session, partitioned_table_am};
use super::state::{State, Step};
use super::statements;
use crate::error::{EngineError, ErrorKind, Result};

/// Makes what an entry describes, and marks it as done in the same transaction.
pub(super) fn execute(
    session: &mut Session,
    entry: &Entry,
    metadata: Option<&Entry>,
    options: &RestoreOptions,
    state: &State,
    collector: &Collector<'_>,
) -> Result<()> {
    session.select(entry)?;
    let own = statements::of(entry, metadata, options);
    let owner = alter_owner(entry).filter(|_| !options.no_owner);
    let after = partitioned_table_am(entry).filter(|_| !bytes(&entry.definition).is_empty());
    // CREATE DATABASE stands in no transaction; and who goes on after errors keeps what went well.
    if options.keep_going || is_database(entry) {
        return one_by_one(session, entry, own.into_iter().chain(owner).chain(after), options, collector);
    }
    let mark = state.mark(entry.id, Step::Whole, None);
    let together = |owner: &Option<Vec<u8>>| -> Vec<u8> {
        let all = own.iter().chain(owner).chain(&after).chain([&mark]);
        all.flat_map(|sql| [sql.as_slice(), b"\n;\n"]).collect::<Vec<_>>().concat()
    };
    match session.client.execute(together(&owner)) {
        // Whose it is matters less than that it is there.
        Err(e) if e.kind == ErrorKind::Permission && owner.is_some() => {
            session.client.execute(together(&None))?;
            collector.not_given(entry);
            Ok(())
        }
        done => done,
    }
}

fn one_by_one(
    session: &mut Session,
    entry: &Entry,
    statements: impl Iterator<Item = Vec<u8>>,
    options: &RestoreOptions,
    collector: &Collector<'_>,
) -> Result<()> {
    let mut first_error: Option<EngineError> = None;
    for sql in statements {
        let is_owner = alter_owner(entry).is_some_and(|owner| owner == sql);
        match session.client.execute(sql) {
            Err(e) if is_owner && e.kind == ErrorKind::Permission => collector.not_given(entry),
            Err(e) if !options.keep_going || e.is_connection_lost() || e.kind == ErrorKind::Cancelled => {
                return Err(e);
            }
            Err(e) => {
                first_error.get_or_insert(e);
            }
            Ok(()) => {}
        }
    }
    first_error.map_or(Ok(()), Err)
}
