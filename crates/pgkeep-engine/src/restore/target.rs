//! What is in a target before a restore, and what of it stands in the way.

use std::collections::HashSet;

use pgkeep_archive::{DumpId, Toc};

use super::RestoreSource;
use super::entry::{bytes, desc, display, is_table_data, qualified, tag};
use super::options::RestoreOptions;
use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo, quote_literal};
use crate::error::{EngineError, ErrorKind, Result};
use crate::session::{encoding_of, prepare};

/// What a target was found to be.
#[derive(Debug, Clone, Default)]
pub struct TargetState {
    /// Version of the server.
    pub server_version: String,
    /// Its major version.
    pub server_major: u32,
    /// Tables, views and sequences that are there and belong to no extension.
    pub relations: u64,
    /// Entries of the archive whose objects are there already; `clean` would drop them.
    pub conflicts: Vec<String>,
    /// Whether a restore was interrupted here that can go on.
    pub interrupted: bool,
    /// Objects that the chosen ones need, which are there already and are left as they are.
    pub left: Vec<String>,
}

impl TargetState {
    /// Whether a restore would not begin: in a target that holds something only a part of a database goes beside it, and
    /// only where nothing of its names is.
    ///
    /// # Errors
    /// `Other`, naming what is in the way.
    pub fn refuse(&self, target: &ConnInfo, options: &RestoreOptions, part: bool) -> Result<()> {
        if options.clean || options.force || options.keep_going || options.resume {
            return Ok(());
        }
        let why = match (self.conflicts.as_slice(), self.relations) {
            ([first], _) => format!("{first} already exists"),
            ([first, others @ ..], _) => format!("{first} already exists, and {} others", others.len()),
            ([], n) if n > 0 && !part => {
                format!("it is not empty: it has {n} tables, views and sequences")
            }
            _ => return Ok(()),
        };
        let what = format!("restoring into {target}");
        if self.interrupted {
            let why = format!("a restore was interrupted here: {why}");
            let hint = "--resume goes on with it, --clean --if-exists begins anew";
            return Err(EngineError::new(ErrorKind::Other, what, why).hint(hint));
        }
        Err(EngineError::new(ErrorKind::Other, what, why).hint(
            "--plan lists what is in the way; restore into a new database (--create), drop what the archive holds with \
             --clean --if-exists, or try all the same with --force",
        ))
    }
}

/// Looks at a target; what the chosen entries merely need and the target has is taken out of the source's table of
/// contents.
///
/// # Errors
/// Those of the connection.
pub fn examine(
    source: &mut RestoreSource<'_>,
    needed: &HashSet<DumpId>,
    target: &ConnInfo,
    options: &RestoreOptions,
    cancel: &Cancel,
) -> Result<TargetState> {
    let mut client = Client::connect(target, cancel)?;
    prepare(&mut client, &encoding_of(&source.toc)?)?;
    if options.create {
        return to_be_created(&mut client, &source.toc);
    }
    let there = There::look(&mut client).map_err(|e| e.during("looking at what the target has"))?;
    let mut state = TargetState {
        server_version: client.server_version().into(),
        server_major: client.server_major(),
        relations: there.own,
        interrupted: there.relations.contains(&(b"pgkeep_restore".to_vec(), b"done".to_vec())),
        ..TargetState::default()
    };
    let entries = &source.toc.entries;
    let mut left = HashSet::new();
    for entry in entries.iter().filter(|e| there.has(e)) {
        match needed.contains(&entry.id) {
            true => {
                left.insert(entry.id);
                state.left.push(entry.display().to_string());
            }
            false => state.conflicts.push(display(entry)),
        }
    }
    // Rows alone go into tables that are there, and should be the only ones in them.
    let made: HashSet<DumpId> = entries.iter().map(|e| e.id).collect();
    let mut seen = HashSet::new();
    for entry in entries.iter().filter(|e| is_table_data(e) && e.has_data) {
        let bare = entry.dependencies.first().is_none_or(|table| !made.contains(table));
        if !bare || !there.has_relation(entry) || !seen.insert(qualified(entry)) {
            continue;
        }
        let sql = [b"SELECT EXISTS (SELECT FROM ONLY ".as_slice(), &qualified(entry), b")"].concat();
        if client.query_one(sql)?.bool(0) {
            state.conflicts.push(format!("rows of {}", display(entry)));
        }
    }
    let goes = |about: &pgkeep_archive::Entry| {
        let about_it = matches!(
            desc(about),
            b"COMMENT" | b"ACL" | b"SECURITY LABEL" | b"SEQUENCE OWNED BY" | b"SEQUENCE SET"
        );
        about_it && about.dependencies.first().is_some_and(|of| left.contains(of))
    };
    source.toc.entries.retain(|e| !left.contains(&e.id) && !goes(e));
    Ok(state)
}

/// How many tables, views and sequences the session's database has that belong to no extension.
pub(super) fn relations(client: &mut Client) -> Result<u64> {
    There::look(client).map(|there| there.own).map_err(|e| e.during("looking at what the target has"))
}

/// The database is not there yet, and so nothing is in its way but one of its name.
fn to_be_created(client: &mut Client, toc: &Toc) -> Result<TargetState> {
    let mut state = TargetState {
        server_version: client.server_version().into(),
        server_major: client.server_major(),
        ..TargetState::default()
    };
    for entry in toc.entries.iter().filter(|e| desc(e) == b"DATABASE") {
        let name = quote_literal(tag(entry));
        let sql =
            [b"SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = ".as_slice(), &name, b")"];
        if client.query_one(sql.concat())?.bool(0) {
            state.conflicts.push(display(entry));
        }
    }
    Ok(state)
}

type Name = (Vec<u8>, Vec<u8>);

/// Names of what a database has.
#[derive(Default)]
struct There {
    schemas: HashSet<Vec<u8>>,
    relations: HashSet<Name>,
    types: HashSet<Name>,
    /// With the types of their arguments, as a table of contents names them.
    functions: HashSet<Name>,
    own: u64,
}

impl There {
    /// The session's search path is empty, so that types are named with their schemas.
    fn look(client: &mut Client) -> Result<There> {
        let mut there = There::default();
        client.query_each(
            "WITH s AS (SELECT oid, nspname FROM pg_catalog.pg_namespace \
                        WHERE nspname !~ '^pg_' AND nspname <> 'information_schema') \
             SELECT 's', nspname, '', false FROM s WHERE nspname <> 'public' \
             UNION ALL SELECT 'r', nspname, relname, relkind NOT IN ('i', 'I', 'c') AND nspname <> 'pgkeep_restore' AND NOT EXISTS ( \
                 SELECT FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
                   AND objid = c.oid AND deptype = 'e') \
               FROM pg_catalog.pg_class c JOIN s ON s.oid = relnamespace \
             UNION ALL SELECT 't', nspname, typname, false FROM pg_catalog.pg_type t JOIN s ON s.oid = typnamespace \
             UNION ALL SELECT 'f', nspname, proname || '(' || pg_catalog.oidvectortypes(proargtypes) || ')', false \
               FROM pg_catalog.pg_proc p JOIN s ON s.oid = pronamespace",
            |row| {
                let text = |i: usize| row.bytes(i).unwrap_or_default().to_vec();
                match row.bytes(0) {
                    Some(b"s") => {
                        there.schemas.insert(text(1));
                    }
                    Some(b"r") => {
                        there.own += u64::from(row.bool(3));
                        there.relations.insert((text(1), text(2)));
                    }
                    Some(b"t") => {
                        there.types.insert((text(1), text(2)));
                    }
                    _ => {
                        there.functions.insert((text(1), text(2)));
                    }
                }
                Ok(())
            },
        )?;
        Ok(there)
    }

    /// Whether what the entry makes is there.
    fn has(&self, entry: &pgkeep_archive::Entry) -> bool {
        let name = || (bytes(&entry.namespace).to_vec(), tag(entry).to_vec());
        match desc(entry) {
            b"SCHEMA" => self.schemas.contains(tag(entry)),
            b"TABLE" | b"VIEW" | b"MATERIALIZED VIEW" | b"FOREIGN TABLE" | b"SEQUENCE" | b"INDEX" => {
                self.has_relation(entry)
            }
            b"TYPE" | b"DOMAIN" => self.types.contains(&name()),
            b"FUNCTION" | b"PROCEDURE" | b"AGGREGATE" => self.functions.contains(&name()),
            _ => false,
        }
    }

    fn has_relation(&self, entry: &pgkeep_archive::Entry) -> bool {
        self.relations.contains(&(bytes(&entry.namespace).to_vec(), tag(entry).to_vec()))
    }
}
