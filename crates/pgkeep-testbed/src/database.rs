//! A database of a test's own.

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
