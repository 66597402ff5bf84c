//! pgbouncer in front of a server.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Server;
use crate::own_server::{as_server_user, free_port, give_to_server_user};

/// A pooler of a test's own, gone with this value. It takes the server's superuser with its password.
#[derive(Debug)]
pub struct Pgbouncer {
    process: Child,
    port: u16,
    dir: TempDir,
}

impl Pgbouncer {
    /// Starts one; `mode` is `session`, `transaction` or `statement`.
    #[must_use]
    pub fn start(server: &Server, mode: &str) -> Self {
        let parent = crate::env("PGKEEP_TEST_DIR");
        let dir = tempfile::Builder::new().prefix("pgbouncer-").tempdir_in(parent).expect("a directory");
        let port = free_port();
        let file = |name: &str| dir.path().join(name);
        let conf = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = {mode}\n\
             default_pool_size = 20\nlogfile = {}\n",
            server.port(),
            file("users").display(),
            file("log").display(),
        );
        std::fs::write(file("users"), format!("\"postgres\" \"{}\"\n", Server::PASSWORD)).expect("users");
        std::fs::write(file("conf"), conf).expect("its configuration");
        give_to_server_user(dir.path());
        let process = as_server_user(Path::new("pgbouncer"))
            .arg(file("conf"))
            .env("PATH", "/usr/sbin:/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pgbouncer starts (testbed/install installs it)");
        let bouncer = Self { process, port, dir };
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = std::fs::read_to_string(bouncer.dir.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "pgbouncer does not answer: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        bouncer
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Pgbouncer {
    fn drop(&mut self) {
        // As root the child is runuser, which hands a request to end on to pgbouncer.
        Command::new("kill").arg(self.process.id().to_string()).status().ok();
        self.process.wait().ok();
    }
}
