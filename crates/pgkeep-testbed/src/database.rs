//! A database of a test's own.

use std::fs::File;
use std::path::PathBuf;

use crate::Server;
use crate::run::unique;

/// A database that is dropped with this value.
#[derive(Debug)]
pub struct Database {
    server: Server,
    name: String,
}

impl Database {
    /// A new, empty UTF-8 database. The name contains the hint, which may be odd (spaces, quotes, `ü`).
    #[must_use]
    pub fn create(server: &Server, hint: &str) -> Self {
        Self::create_with(server, hint, "TEMPLATE template0")
    }

    /// A new database with options of `CREATE DATABASE`, such as
    /// `TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`.
    #[must_use]
    pub fn create_with(server: &Server, hint: &str, options: &str) -> Self {
        let database = Self { server: server.clone(), name: unique(hint, "_") };
        server.psql("postgres", &format!("CREATE DATABASE {} {options}", quote(&database.name)));
        database
    }

    /// Takes over a database that something else creates (a restore, say): it too is dropped with this value.
    #[must_use]
    pub fn adopt(server: &Server, name: &str) -> Self {
        Self { server: server.clone(), name: name.to_owned() }
    }

    /// A name for a database that is not created: for what creates it itself. Dropped like any other.
    #[must_use]
    pub fn reserve(server: &Server, hint: &str) -> Self {
        Self::adopt(server, &unique(hint, "_"))
    }

    /// Fills it from `testbed/fixtures/<name>.sql`.
    pub fn load_fixture(&self, name: &str) {
        let file = crate::testbed_file(&format!("fixtures/{name}.sql"));
        self.server.psql_file(&self.name, &file);
    }

    /// A new UTF-8 database with a fixture in it: much faster than [`Database::load_fixture`], as the fixture is
    /// loaded once for each server and then copied. Subscriptions are not copied.
    #[must_use]
    pub fn with_fixture(server: &Server, fixture: &str) -> Self {
        let file = crate::testbed_file(&format!("fixtures/{fixture}.sql"));
        let changed = std::fs::metadata(&file).and_then(|file| file.modified()).expect("the fixture's file");
        let changed = changed.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
        let template = format!("fixture_{fixture}_{changed}");
        let lock =
            PathBuf::from(crate::env("PGKEEP_TEST_DIR")).join(format!("{}-{template}.lock", server.port()));
        let lock = File::create(lock).expect("a lock file");
        lock.lock().expect("a lock");
        let there = format!("select from pg_database where datname = '{template}' and not datallowconn");
        if server.psql("postgres", &format!("select exists ({there})")) == "f" {
            server.psql("postgres", &format!("DROP DATABASE IF EXISTS {template} WITH (FORCE)"));
            server.psql("postgres", &format!("CREATE DATABASE {template} TEMPLATE template0"));
            server.psql_file(&template, &file);
            // Marks it complete, and keeps away sessions, which would stand in the way of a copy.
            server.psql("postgres", &format!("ALTER DATABASE {template} ALLOW_CONNECTIONS false"));
        }
        drop(lock);
        Self::create_with(server, fixture, &format!("TEMPLATE {template}"))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its server.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Its URL through a proxy in front of the server.
    #[must_use]
    pub fn url_via(&self, port: u16) -> String {
        self.server.url_via(port, &self.name)
    }

    /// Runs SQL with psql and returns its rows, columns separated by `|`. Panics with the server's message.
    pub fn psql(&self, sql: &str) -> String {
        self.server.psql(&self.name, sql)
    }

    /// Runs SQL with psql and returns its rows, or what went wrong.
    ///
    /// # Errors
    /// psql's message, if any statement fails.
    pub fn try_psql(&self, sql: &str) -> Result<String, String> {
        self.server.try_psql(&self.name, sql)
    }
}

const DROP_SUBSCRIPTIONS: &str = r"
select unnest(array[
    format('alter subscription %I disable', subname),
    format('alter subscription %I set (slot_name = none)', subname),
    format('drop subscription %I', subname)])
from pg_subscription where subdbid = (select oid from pg_database where datname = current_database())
\gexec
";

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(&self.name));
        let dropped = self.server.try_psql("postgres", &sql).or_else(|_| {
            // A subscription holds its database, whatever the force.
            self.try_psql(DROP_SUBSCRIPTIONS)?;
            self.server.try_psql("postgres", &sql)
        });
        if let Err(error) = dropped {
            // A test may have stopped its server; a second panic would hide the first.
            eprintln!("database {} stays behind: {error}", self.name);
        }
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
