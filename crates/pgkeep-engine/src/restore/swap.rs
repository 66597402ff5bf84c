//! Putting a restored database in a live one's place: two renames in one transaction.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo, quote_ident, quote_literal};
use crate::error::{EngineError, ErrorKind, Result};

/// The longest name that PostgreSQL keeps, in bytes (`NAMEDATALEN` - 1).
const LONGEST: usize = 63;
/// How often sessions of the live database are ended, until no new one gets in.
const AGAIN: Duration = Duration::from_millis(100);

/// A database to be replaced, and its server.
pub struct Swap {
    live: String,
    client: Client,
}

impl Swap {
    /// Looks the live database up, over a session in the server's `postgres`.
    ///
    /// # Errors
    /// `Config` where there is no such database.
    pub fn prepare(live: &ConnInfo, cancel: &Cancel) -> Result<Swap> {
        let mut client = Client::connect(&live.with_database("postgres"), cancel).map_err(|e| {
            e.hint("--swap renames databases from within the database postgres, and must get in there")
        })?;
        client.execute("SET standard_conforming_strings = on; SET statement_timeout = 0; SET client_min_messages = warning")?;
        let mut swap = Swap { live: live.database.clone(), client };
        let name = swap.live.clone();
        if !swap.exists(&name)? {
            return Err(EngineError::new(
                ErrorKind::Config,
                format!("swapping {live}"),
                "there is no such database",
            )
            .hint("there is nothing to replace: restore with --create-as instead"));
        }
        Ok(swap)
    }

    /// The live database's name.
    pub fn live(&self) -> &str {
        &self.live
    }

    /// Where this session is connected.
    pub fn server(&self) -> &ConnInfo {
        self.client.info()
    }

    /// A name beside the live one's: its own, as far as there is room, with an end.
    pub fn name_with(&self, end: &str) -> String {
        let mut room = LONGEST.saturating_sub(end.len()).min(self.live.len());
        while !self.live.is_char_boundary(room) {
            room -= 1;
        }
        format!("{}{end}", &self.live[..room])
    }

    /// Makes sure that no database has this name.
    ///
    /// # Errors
    /// `Config` where one has.
    pub fn must_be_free(&mut self, name: &str) -> Result<()> {
        match self.exists(name)? {
            false => Ok(()),
            true => {
                let what = format!("restoring beside {}", self.live);
                Err(EngineError::new(ErrorKind::Config, what, format!("there is a database {name} already"))
                    .hint("it is left from an earlier --swap: rename or drop it"))
            }
        }
    }

    /// Removes a restored database that is not to take the live one's place.
    pub fn drop(&mut self, name: &str) -> Result<()> {
        let sql = [b"DROP DATABASE IF EXISTS ".as_slice(), &quote_ident(name.as_bytes()), b" WITH (FORCE)"];
        self.client.execute(sql.concat()).map_err(|e| e.during(format!("dropping database {name}")))
    }

    /// Renames the live database to `old` and the restored one to its name: both or none.
    ///
    /// With `terminate`, sessions in the live database are ended meanwhile. The first rename holds the lock that every
    /// new session takes before it waits for the others to go, 5 s at most (`RenameDatabase`,
    /// src/backend/commands/dbcommands.c), so that nobody gets in again. Nothing is set that would have to be undone.
    ///
    /// # Errors
    /// `Other` where somebody is connected, and the server's.
    pub fn swap(&mut self, restored: &str, old: &str, terminate: bool, cancel: &Cancel) -> Result<()> {
        let [live, restored, old] = [&self.live, restored, old].map(|name| quote_ident(name.as_bytes()));
        let rename =
            |from: &[u8], to: &[u8]| [b"ALTER DATABASE ".as_slice(), from, b" RENAME TO ", to, b";"].concat();
        let sql = [b"BEGIN;".as_slice(), &rename(&live, &old), &rename(&restored, &live), b"COMMIT"].concat();
        let mut ender = terminate.then(|| Client::connect(self.client.info(), cancel)).transpose()?;
        let renamed = AtomicBool::new(false);
        let done = thread::scope(|scope| {
            let (live, renamed) = (&self.live, &renamed);
            let ending =
                ender.as_mut().map(|client| scope.spawn(move || end_sessions(client, live, renamed)));
            let done = self.client.execute(sql);
            renamed.store(true, Ordering::Relaxed);
            match ending.map(thread::ScopedJoinHandle::join) {
                // Whom it could not end is why the others waited in vain.
                Some(Ok(Err(e))) if done.is_err() => Err(e),
                _ => done,
            }
        });
        let Err(e) = done else { return Ok(()) };
        self.client.execute("ROLLBACK")?;
        // 55006: object_in_use.
        if e.sqlstate.as_deref() != Some("55006") {
            return Err(e.during("renaming the databases"));
        }
        let who = self.sessions()?;
        Err(EngineError { kind: ErrorKind::Other, ..e }
            .during(format!("renaming the databases ({who})"))
            .hint("end those sessions and rename by hand, or swap again with --terminate"))
    }

    /// Who is connected to the live database, in words.
    fn sessions(&mut self) -> Result<String> {
        let sql = [
            b"SELECT pg_catalog.count(*), coalesce(pg_catalog.string_agg(DISTINCT usename::pg_catalog.text, ', '), '') \
              FROM pg_catalog.pg_stat_activity WHERE datname = "
                .as_slice(),
            &quote_literal(self.live.as_bytes()),
        ];
        let row = self.client.query_one(sql.concat())?;
        Ok(format!("sessions in {}: {} of {}", self.live, row.text(0), row.text(1)))
    }

    fn exists(&mut self, name: &str) -> Result<bool> {
        let sql = [
            b"SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = ".as_slice(),
            &quote_literal(name.as_bytes()),
            b")",
        ];
        Ok(self.client.query_one(sql.concat())?.bool(0))
    }
}

/// Ends the sessions in this database, again and again until it is renamed.
fn end_sessions(client: &mut Client, live: &str, renamed: &AtomicBool) -> Result<()> {
    let sql = [
        b"SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
          WHERE backend_type <> 'autovacuum worker' AND datname = "
            .as_slice(),
        &quote_literal(live.as_bytes()),
    ]
    .concat();
    while !renamed.load(Ordering::Relaxed) {
        client.execute(&sql).map_err(|e| e.during("ending the sessions of the live database"))?;
        thread::sleep(AGAIN);
    }
    Ok(())
}
