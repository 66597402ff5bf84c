//! A PostgreSQL server that a test has to itself, to stop, restart and kill.

use std::net::TcpListener;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::Server;
use crate::run::run;

/// A throwaway server; gone with this value. Everything of [`Server`] works on it.
#[derive(Debug)]
pub struct OwnServer {
    server: Server,
    data: PathBuf,
    // Holds the data directory for as long as the server may run.
    _dir: TempDir,
}

/// Starts a server with settings of its own, such as `&[("max_connections", "5")]`. Takes about two seconds.
#[must_use]
pub fn private_server(major: u32, settings: &[(&str, &str)]) -> OwnServer {
    let own = OwnServer::place(major);

    let password_file = own.data.with_file_name("password");
    std::fs::write(&password_file, Server::PASSWORD).expect("a password file");
    let mut initdb = as_server_user(&own.bin_dir().join("initdb"));
    initdb.args([
        "--no-sync",
        "--username=postgres",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
    ]);
    initdb.arg(format!("--pwfile={}", password_file.display())).arg("-D").arg(&own.data);
    run(&mut initdb, b"").unwrap_or_else(|error| panic!("{error}"));

    let mut conf = String::from(
        "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\nfull_page_writes = off\n\
         shared_buffers = 32MB\njit = off\n",
    );
    conf.push_str(&lines(settings));
    own.append("postgresql.conf", &conf);
    own.start();
    own
}

fn lines(settings: &[(&str, &str)]) -> String {
    settings.iter().map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''"))).collect()
}

impl OwnServer {
    /// A port and a directory.
    fn place(major: u32) -> OwnServer {
        let parent = PathBuf::from(crate::env("PGKEEP_TEST_DIR"));
        let dir = tempfile::Builder::new().prefix(&format!("pg{major}-")).tempdir_in(&parent);
        let dir = dir.unwrap_or_else(|error| panic!("a directory in {}: {error}", parent.display()));
        give_to_server_user(dir.path());
        let data = dir.path().join("data");
        OwnServer { server: Server::at(major, free_port()), data, _dir: dir }
    }

    /// A hot standby of this server, streaming from it, with settings of its own. The server is restarted for it.
    #[must_use]
    pub fn standby(&self, settings: &[(&str, &str)]) -> OwnServer {
        let own = OwnServer::place(self.version());
        // A copy at rest needs no backup label.
        self.stop();
        run(as_server_user(Path::new("cp")).arg("-a").arg(&self.data).arg(&own.data), b"").expect("a copy");
        self.start();
        let primary =
            format!("host=127.0.0.1 port={} user=postgres password={}", self.port(), Server::PASSWORD);
        own.append("postgresql.conf", &lines(&[("primary_conninfo", &primary)]));
        own.append("postgresql.conf", &lines(settings));
        own.append("standby.signal", "");
        own.start();
        own
    }

    /// Appends to a file in the data directory.
    pub fn append(&self, file: &str, text: &str) {
        let mut append = as_server_user(Path::new("tee"));
        run(append.arg("-a").arg(self.data.join(file)), text.as_bytes())
            .expect("writing into the data directory");
    }

    /// Replaces `pg_hba.conf` and has the server read it.
    pub fn set_hba(&self, text: &str) {
        let mut write = as_server_user(Path::new("tee"));
        run(write.arg(self.data.join("pg_hba.conf")), text.as_bytes()).expect("writing pg_hba.conf");
        let status = self.pg_ctl().arg("reload").status();
        assert!(status.is_ok_and(|status| status.success()), "does not reload");
    }

    /// Starts it again after [`stop`](Self::stop) or [`kill`](Self::kill), on the same port.
    pub fn start(&self) {
        let log = self.log_file();
        let options = format!("-p {}", self.port());
        // pg_ctl hands its standard output on to the server, which would keep a pipe open for ever.
        let status =
            self.pg_ctl().args(["-w", "-t", "60", "-o", &options, "-l"]).arg(&log).arg("start").status();
        if !status.is_ok_and(|status| status.success()) {
            panic!("PostgreSQL {} does not start:\n{}", self.version(), self.log());
        }
    }

    /// Stops it in order: open sessions are ended, their transactions undone.
    pub fn stop(&self) {
        let status = self.pg_ctl().args(["-w", "-t", "60", "-m", "fast", "stop"]).status();
        assert!(status.is_ok_and(|status| status.success()), "does not stop:\n{}", self.log());
    }

    /// Stops and starts it.
    pub fn restart(&self) {
        self.stop();
        self.start();
    }

    /// Kills it as a crash or an out-of-memory killer would: SIGKILL to the postmaster and its children.
    pub fn kill(&self) {
        let Some(pid) = self.postmaster() else { return };
        let children = run(Command::new("ps").args(["-o", "pid=", "--ppid", &pid]), b"").unwrap_or_default();
        let children = String::from_utf8_lossy(&children).into_owned();
        // The postmaster first, or it would see its children crash and start over.
        run(Command::new("kill").arg("-KILL").arg(&pid).args(children.split_whitespace()), b"").ok();
        while Path::new("/proc").join(&pid).join("exe").exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        std::fs::remove_file(self.data.join("postmaster.pid")).ok();
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// What the server logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log_file()).unwrap_or_default()).into_owned()
    }

    fn log_file(&self) -> PathBuf {
        self.data.with_file_name("log")
    }

    fn postmaster(&self) -> Option<String> {
        let file = std::fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        file.lines().next().map(str::to_owned)
    }

    fn pg_ctl(&self) -> Command {
        let mut command = as_server_user(&self.bin_dir().join("pg_ctl"));
        // Extensions such as postgres_fdw would otherwise find the system's libpq, or none.
        command.env("LD_LIBRARY_PATH", self.bin_dir().with_file_name("lib"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.arg("-D").arg(&self.data);
        command
    }
}

impl Deref for OwnServer {
    type Target = Server;
    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        if self.postmaster().is_some() {
            self.pg_ctl().args(["-w", "-t", "30", "-m", "immediate", "stop"]).status().ok();
        }
    }
}

fn is_root() -> bool {
    run(Command::new("id").arg("-u"), b"").is_ok_and(|out| out.trim_ascii() == b"0")
}

/// PostgreSQL refuses to run as root.
pub(crate) fn as_server_user(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    // The checkout may be where that user cannot go.
    command.current_dir("/");
    command
}

/// Makes a file or folder, with all in it, the servers' user's.
pub(crate) fn give_to_server_user(path: &Path) {
    if is_root() {
        run(Command::new("chown").args(["-R", "postgres"]).arg(path), b"").expect("chown to postgres");
    }
}

/// A port on the loopback interface that nobody listens on.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a loopback port").local_addr().expect("bound").port()
}
