//! Putting a restored database in a live one's place: two renames in one transaction.

use bstr::ByteSlice;

use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo, quote_ident, quote_literal};
use crate::error::{EngineError, ErrorKind, Result};

/// The longest name that PostgreSQL keeps, in bytes (`NAMEDATALEN` - 1).
const LONGEST: usize = 63;

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
    /// With `terminate`, sessions in the live database are ended, and nobody gets in until it is done.
    ///
    /// # Errors
    /// `Other` where somebody is connected, and the server's.
    pub fn swap(&mut self, restored: &str, old: &str, terminate: bool) -> Result<()> {
        let live = self.live.clone();
        if terminate {
            self.allow(&live, false)?;
        }
        let done = self.rename_both(restored, old, terminate);
        if terminate {
            let name = if done.is_ok() { old } else { &live };
            self.allow(name, true)?;
        }
        done
    }

    fn rename_both(&mut self, restored: &str, old: &str, terminate: bool) -> Result<()> {
        if terminate {
            let sql = [
                b"SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = ".as_slice(),
                &quote_literal(self.live.as_bytes()),
            ];
            self.client
                .execute(sql.concat())
                .map_err(|e| e.during("ending the sessions of the live database"))?;
        }
        let [live, restored, old] = [&self.live, restored, old].map(|name| quote_ident(name.as_bytes()));
        let rename =
            |from: &[u8], to: &[u8]| [b"ALTER DATABASE ".as_slice(), from, b" RENAME TO ", to, b";"].concat();
        let sql = [b"BEGIN;".as_slice(), &rename(&live, &old), &rename(&restored, &live), b"COMMIT"].concat();
        let Err(e) = self.client.execute(sql) else { return Ok(()) };
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

    fn allow(&mut self, name: &str, allow: bool) -> Result<()> {
        let sql = format!(
            "ALTER DATABASE {} ALLOW_CONNECTIONS {allow}",
            quote_ident(name.as_bytes()).to_str_lossy()
        );
        self.client.execute(sql).map_err(|e| e.during(format!("allowing connections to {name}: {allow}")))
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
