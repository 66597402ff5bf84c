//! What of a restore is done, kept in the target itself: each mark is made in the transaction that did the work, so that a
//! restore that was killed at any point can go on exactly there.

use std::collections::HashMap;

use pgkeep_archive::{DumpId, Toc};
use xxhash_rust::xxh3::Xxh3;

use super::options::RestoreOptions;
use super::settings::Session;
use crate::conn::Client;
use crate::error::{EngineError, ErrorKind, Result};
use crate::fingerprint::Fingerprint;

/// What of an entry was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// All of it.
    Whole = 0,
    /// The index of a constraint.
    Index = 1,
}

/// Marks of one restore. Without a place to keep them every mark is empty and nothing is done yet.
#[derive(Debug, Default)]
pub(super) struct State {
    is_kept: bool,
    done: HashMap<(DumpId, Step), Option<Fingerprint>>,
}

const TABLE: &str = "pgkeep_restore.done";

impl State {
    /// Begins to keep marks, or takes up those of the restore that was interrupted.
    ///
    /// # Errors
    /// `Config` where there is nothing to go on with, or where that was another archive or other options.
    pub(super) fn begin(session: &mut Session, toc: &Toc, options: &RestoreOptions) -> Result<State> {
        let mut state = State::default();
        if !options.resumable && !options.resume {
            return Ok(state);
        }
        let client = &mut session.client;
        let identity = identity(toc, options);
        let is_there =
            client.query_one(format!("SELECT pg_catalog.to_regclass('{TABLE}') IS NOT NULL"))?.bool(0);
        if options.resume {
            state.take_up(client, is_there, &identity)?;
            return Ok(state);
        }
        let sql = format!(
            "DROP SCHEMA IF EXISTS pgkeep_restore CASCADE; CREATE SCHEMA pgkeep_restore; \
             CREATE TABLE {TABLE} (entry pg_catalog.int4, step pg_catalog.int4, rows pg_catalog.text, \
               bytes pg_catalog.text, sum pg_catalog.text, PRIMARY KEY (entry, step)); \
             INSERT INTO {TABLE} VALUES (0, 0, NULL, NULL, '{identity}')"
        );
        match client.execute(sql) {
            Ok(()) => state.is_kept = true,
            // Such a role restores all the same, but not in two goes.
            Err(e) if e.kind == ErrorKind::Permission => {}
            Err(e) => return Err(e.during("preparing to be resumed")),
        }
        Ok(state)
    }

    fn take_up(&mut self, client: &mut Client, is_there: bool, identity: &str) -> Result<()> {
        let cannot = |why: &str, hint: &str| {
            EngineError::new(ErrorKind::Config, "going on with an interrupted restore", why).hint(hint)
        };
        if !is_there {
            let hint = "restore without --resume; what can go on has a schema pgkeep_restore";
            return Err(cannot("none was interrupted in this database", hint));
        }
        for row in client.query(format!("SELECT entry, step, rows, bytes, sum FROM {TABLE}"))? {
            let step = if row.parse(1) == Some(1) { Step::Index } else { Step::Whole };
            match row.parse(0) {
                Some(0) if row.bytes(4) != Some(identity.as_bytes()) => {
                    let hint = "give the same backup and the same options, or restore anew";
                    return Err(cannot("that was another archive or had other options", hint));
                }
                Some(id) => {
                    let sum = u128::from_str_radix(&row.text(4), 16).unwrap_or_default();
                    let content = row.parse(2).zip(row.parse(3));
                    let content = content.map(|(rows, bytes)| Fingerprint { rows, bytes, sum });
                    self.done.insert((DumpId(id), step), content);
                }
                None => {}
            }
        }
        self.is_kept = true;
        Ok(())
    }

    /// What an earlier go did of an entry: `Some` with the content that it loaded, if that is known.
    pub(super) fn done(&self, id: DumpId, step: Step) -> Option<Option<Fingerprint>> {
        self.done.get(&(id, step)).copied()
    }

    /// The statement that marks a step, to be run in the step's own transaction.
    pub(super) fn mark(&self, id: DumpId, step: Step, content: Option<&Fingerprint>) -> Vec<u8> {
        if !self.is_kept {
            return Vec::new();
        }
        let content = content
            .map_or("NULL, NULL, NULL".into(), |f| format!("'{}', '{}', '{:032x}'", f.rows, f.bytes, f.sum));
        format!("INSERT INTO {TABLE} VALUES ({}, {}, {content});", id.0, step as i32).into_bytes()
    }

    /// The statement that removes the marks.
    pub(super) fn end(&self) -> &'static str {
        if self.is_kept { "DROP SCHEMA pgkeep_restore CASCADE" } else { "" }
    }
}

/// Tells archives, choices and options apart by all that is restored.
fn identity(toc: &Toc, options: &RestoreOptions) -> String {
    let mut hash = Xxh3::new();
    for entry in &toc.entries {
        hash.update(format!("{entry:?}").as_bytes());
    }
    let RestoreOptions { no_owner, no_privileges, no_tablespaces, .. } = options;
    hash.update(&[u8::from(*no_owner), u8::from(*no_privileges), u8::from(*no_tablespaces)]);
    format!("{:032x}", hash.digest128())
}
