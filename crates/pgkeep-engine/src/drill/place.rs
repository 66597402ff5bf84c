//! Where a drill restores to, and cleaning up there.

use std::path::Path;

use bstr::BString;
use pgkeep_archive::Toc;

use super::database::create_database;
use super::limits::Usage;
use super::roles::create_roles;
use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo, major_of, quote_ident};
use crate::error::{EngineError, ErrorKind, Result};
use crate::globals::restore_globals;
use crate::throwaway::{Kept, Throwaway, find_server};

/// How the names of a drill's databases on a scratch server begin.
const PREFIX: &str = "pgkeep_drill_";

/// Where to restore to.
#[derive(Debug, Clone, Copy)]
pub enum DrillPlace<'a> {
    /// A server that is started in a new folder below this one, and removed.
    Throwaway {
        /// Where the folder is made; it needs room for the whole database.
        work_dir: &'a Path,
    },
    /// A running server: the drill makes databases of its own there, and drops them.
    Server(&'a ConnInfo),
}

/// A place that is cleaned up when dropped.
pub struct Place {
    throwaway: Option<Throwaway>,
    /// Its `application_name` is the name of the drill's databases: those without such a session are leftovers.
    admin: Client,
    name: String,
    /// Databases to be dropped, of a scratch server.
    databases: Vec<String>,
    roles: Vec<BString>,
    /// What one should know of it.
    pub notes: Vec<String>,
}

impl Place {
    /// Opens the place for an archive of a server of this version.
    ///
    /// # Errors
    /// No fitting server here, one that does not start, or a scratch server that is not reached or is older.
    pub fn open(place: DrillPlace<'_>, version: &str, cancel: &Cancel) -> Result<Place> {
        let major = major_of(version);
        match place {
            DrillPlace::Throwaway { work_dir } => {
                let throwaway = Throwaway::start(find_server(major)?, work_dir, cancel)?;
                let admin = Client::connect(throwaway.info(), cancel)?;
                let notes = throwaway.removed.iter().map(|dir| {
                    format!("{}: a throwaway server that a killed run had left was removed", dir.display())
                });
                let notes = notes.collect();
                let name = "restored".to_owned();
                Ok(Place { throwaway: Some(throwaway), admin, name, databases: vec![], roles: vec![], notes })
            }
            DrillPlace::Server(info) => {
                let name = format!("{PREFIX}{:012x}", fastrand::u64(..) >> 16);
                let info = ConnInfo { application_name: name.clone(), ..info.clone() };
                let mut admin = Client::connect(&info, cancel)?;
                if admin.server_major() < major {
                    let why = format!(
                        "it is PostgreSQL {}, older than the backup's {major}, and could not take everything of it",
                        admin.server_version()
                    );
                    return Err(EngineError::new(ErrorKind::Config, format!("scratch server {info}"), why)
                        .hint(format!("name one of version {major} or newer")));
                }
                let notes = drop_leftovers(&mut admin)?;
                Ok(Place { throwaway: None, admin, name, databases: vec![], roles: vec![], notes })
            }
        }
    }

    /// The server in words.
    pub(super) fn server(&self) -> String {
        match &self.throwaway {
            Some(_) => "throwaway".into(),
            None => format!("{}:{}", self.admin.info().host, self.admin.info().port),
        }
    }

    /// Version of the server.
    pub(super) fn server_version(&self) -> &str {
        self.admin.server_version()
    }

    /// Where its disk is used.
    pub(super) fn usage(&self) -> Usage {
        match &self.throwaway {
            Some(throwaway) => Usage::Folder(throwaway.dir().to_owned()),
            None => {
                Usage::Databases { server: Box::new(self.admin.info().clone()), begin: self.name.clone() }
            }
        }
    }

    /// Makes the roles that the archive names: in a throwaway server as the backup has them, everywhere stand-ins for
    /// those that are missing.
    ///
    /// # Errors
    /// `Permission` on a scratch server whose user may not create roles; the connection's.
    pub fn make_roles(&mut self, toc: &Toc, globals: Option<&[u8]>, cancel: &Cancel) -> Result<()> {
        if let (Some(throwaway), Some(sql)) = (&self.throwaway, globals) {
            let report = restore_globals(throwaway.info(), sql, false, cancel)?;
            let told = |e: &crate::globals::GlobalsError| format!("{}: {}", e.object, e.error.why);
            self.notes.extend(report.errors.iter().map(told));
        }
        self.roles = create_roles(&mut self.admin, toc)?;
        if !self.roles.is_empty() {
            let names: Vec<String> = self.roles.iter().map(ToString::to_string).collect();
            self.notes.push(format!("roles: empty stand-ins were made for {}", names.join(", ")));
        }
        Ok(())
    }

    /// Makes an empty database like the archive's; `suffix` tells it from others of this place.
    ///
    /// # Errors
    /// What the server says to it.
    pub fn make_database(&mut self, suffix: &str, toc: &Toc) -> Result<ConnInfo> {
        let name = format!("{}{suffix}", self.name);
        let note = create_database(&mut self.admin, &name, toc).map_err(|e| match e.kind {
            ErrorKind::Permission => {
                e.hint("the user of a scratch server must be allowed to create databases")
            }
            _ => e,
        })?;
        self.notes.extend(note);
        self.databases.push(name.clone());
        Ok(self.admin.info().with_database(&name))
    }

    /// Leaves a throwaway server running; a scratch server is cleaned up all the same.
    ///
    /// # Errors
    /// Where it cannot be marked as kept: then it is gone.
    pub fn keep(mut self, database: &str) -> Result<Option<Kept>> {
        let Some(throwaway) = self.throwaway.take() else { return Ok(None) };
        self.databases.clear();
        self.roles.clear();
        throwaway.keep(database).map(Some)
    }

    /// Bytes of a database on disk.
    pub(super) fn size_of(&mut self, database: &ConnInfo) -> Result<u64> {
        let name = crate::conn::quote_literal(database.database.as_bytes());
        let sql = [b"SELECT pg_catalog.pg_database_size(".as_slice(), &name, b"::pg_catalog.name)"].concat();
        Ok(self.admin.query_one(sql)?.parse(0).unwrap_or(0))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.throwaway.is_some() {
            return;
        }
        // What cannot be dropped now, because the server is gone, the next drill drops.
        for name in &self.databases {
            let _ = drop_database(&mut self.admin, name);
        }
        for role in &self.roles {
            let _ = self.admin.execute([b"DROP ROLE IF EXISTS ".as_slice(), &quote_ident(role)].concat());
        }
    }
}

fn drop_database(admin: &mut Client, name: &str) -> Result<()> {
    let sql =
        [b"DROP DATABASE IF EXISTS ".as_slice(), &quote_ident(name.as_bytes()), b" WITH (FORCE)"].concat();
    let Err(e) = admin.execute(&sql) else { return Ok(()) };
    // A subscription holds its database, whatever the force; a restored one is disabled and has no slot to drop.
    let mut inside = Client::connect(&admin.info().with_database(name), &Cancel::new())?;
    let subscriptions = inside.query(
        "SELECT pg_catalog.quote_ident(subname) FROM pg_catalog.pg_subscription WHERE subdbid = \
         (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())",
    )?;
    if subscriptions.is_empty() {
        return Err(e);
    }
    for row in subscriptions {
        let name = row.bytes(0).unwrap_or_default();
        for (before, after) in [("ALTER", " DISABLE"), ("ALTER", " SET (slot_name = NONE)"), ("DROP", "")] {
            inside.execute([before.as_bytes(), b" SUBSCRIPTION ", name, after.as_bytes()].concat())?;
        }
    }
    drop(inside);
    admin.execute(&sql)
}

/// Drops databases of drills that were killed: no session bears their name.
fn drop_leftovers(admin: &mut Client) -> Result<Vec<String>> {
    let rows = admin.query(format!(
        "SELECT d.datname FROM pg_catalog.pg_database d \
         WHERE d.datname ~ '^{PREFIX}[0-9a-f]{{12}}' AND pg_catalog.pg_has_role(d.datdba, 'USAGE') \
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a \
                           WHERE a.application_name = pg_catalog.left(d.datname, {}))",
        PREFIX.len() + 12
    ))?;
    let mut notes = Vec::new();
    for row in rows {
        let name = row.text(0);
        if drop_database(admin, &name).is_ok() {
            notes.push(format!("{name}: a database that a killed drill had left was dropped"));
        }
    }
    Ok(notes)
}
