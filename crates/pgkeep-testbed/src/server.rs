//! A PostgreSQL server, by its stock tools.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::run;

/// A running PostgreSQL server, reached over TCP as the superuser `postgres`.
#[derive(Debug, Clone)]
pub struct Server {
    major: u32,
    port: u16,
    bin: PathBuf,
}

impl Server {
    /// The majors that are always there. 13 has a server only (see [`Server::has`]).
    pub const MAJORS: [u32; 5] = [14, 15, 16, 17, 18];
    /// The superuser's password.
    pub const PASSWORD: &str = "secret";

    /// The shared server of this major. Panics when the test bed is not up.
    #[must_use]
    pub fn major(major: u32) -> Self {
        let url = crate::env(&format!("PGKEEP_TEST_PG{major}"));
        let port = url.rsplit_once(':').and_then(|(_, rest)| rest.split('/').next()?.parse().ok());
        let port = port.unwrap_or_else(|| panic!("PGKEEP_TEST_PG{major} has no port: {url}"));
        Self::at(major, port)
    }

    /// Whether the test bed has this major at all; only 13 may be missing.
    #[must_use]
    pub fn has(major: u32) -> bool {
        std::env::var_os(format!("PGKEEP_TEST_PG{major}")).is_some()
    }

    pub(crate) fn at(major: u32, port: u16) -> Self {
        Self { major, port, bin: PathBuf::from(crate::env(&format!("PGKEEP_TEST_PG{major}_BIN"))) }
    }

    /// The server's major version.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.major
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its programs are.
    #[must_use]
    pub fn bin_dir(&self) -> &Path {
        &self.bin
    }

    /// Where the TLS servers' CA certificate is (15 and later speak TLS, for `localhost` and `127.0.0.1`).
    #[must_use]
    pub fn ca_certificate() -> PathBuf {
        PathBuf::from(crate::env("PGKEEP_TEST_CA"))
    }

    /// The URL of one of its databases.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_via(self.port, database)
    }

    /// The URL of one of its databases, through a proxy's port.
    #[must_use]
    pub fn url_via(&self, port: u16, database: &str) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{port}/{}", Self::PASSWORD, percent_encode(database))
    }

    /// A stock client program of the server's major, told by its environment to connect to the server. 13 came
    /// without clients: those of 14 stand in.
    #[must_use]
    pub fn bin(&self, program: &str) -> Command {
        let mut path = self.bin.join(program);
        if !path.exists() && self.major == 13 {
            path = PathBuf::from(crate::env("PGKEEP_TEST_PG14_BIN")).join(program);
        }
        let mut command = Command::new(path);
        for name in
            ["PGDATABASE", "PGOPTIONS", "PGSERVICE", "PGSSLMODE", "PGCLIENTENCODING", "PGTZ", "PGPASSFILE"]
        {
            command.env_remove(name);
        }
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postgres")
            .env("PGPASSWORD", Self::PASSWORD);
        command
    }

    /// Runs SQL with psql and returns its rows, columns separated by `|`. Panics with the server's message.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        self.try_psql(database, sql).unwrap_or_else(|error| panic!("{error}\nin: {}", head(sql)))
    }

    /// Runs SQL with psql and returns its rows, or what went wrong.
    ///
    /// # Errors
    /// psql's message, if any statement fails.
    pub fn try_psql(&self, database: &str, sql: &str) -> Result<String, String> {
        let out = run(self.psql_command(database).args(["-f", "-"]), sql.as_bytes())?;
        Ok(String::from_utf8_lossy(&out).trim_end_matches('\n').to_owned())
    }

    /// Runs SQL with psql at another URL, such as a pooler's.
    pub fn psql_at(&self, url: &str, sql: &str) -> String {
        let mut command = self.bin("psql");
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", "-"]);
        let out = run(&mut command, sql.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        String::from_utf8_lossy(&out).trim_end_matches('\n').to_owned()
    }

    /// Runs a file with psql.
    pub fn psql_file(&self, database: &str, file: &Path) {
        if let Err(error) = run(self.psql_command(database).arg("-f").arg(file), b"") {
            panic!("{}: {error}", file.display());
        }
    }

    fn psql_command(&self, database: &str) -> Command {
        let mut command = self.bin("psql");
        // psql would take the database's, and what is printed here is read as UTF-8.
        command.env("PGCLIENTENCODING", "UTF8");
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"]).arg(self.url(database));
        command
    }
}

fn head(sql: &str) -> String {
    sql.chars().take(500).collect()
}

/// Database names in tests are odd on purpose.
fn percent_encode(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
