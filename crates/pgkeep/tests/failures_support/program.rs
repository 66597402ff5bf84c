//! The program as its user runs it.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pgkeep_testbed::{Server, secret_in};

/// A password to be planted.
pub const PLANTED: &str = "pw-planted-7c1f@x/y";
/// The same as it is written in a URL.
pub const PLANTED_IN_URL: &str = "pw-planted-7c1f%40x%2Fy";

/// Nothing here takes longer, unless it hangs.
const LIMIT: Duration = Duration::from_secs(180);

/// The folders with every major's client programs, as `PGKEEP_PG_BIN` takes them.
pub fn all_clients() -> std::ffi::OsString {
    let dirs = Server::MAJORS.iter().filter_map(|m| std::env::var_os(format!("PGKEEP_TEST_PG{m}_BIN")));
    std::env::join_paths(dirs.map(std::path::PathBuf::from)).unwrap()
}

/// `pgkeep` with these arguments, in an environment that holds nothing but what a test puts there.
pub fn pgkeep(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgkeep"));
    command.args(arguments).env_clear();
    for name in ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("PGKEEP_PG_BIN", all_clients()).env("PGKEEP_CONFIG", "/dev/null").env("COLUMNS", "80");
    command
}

/// Runs a command to its end.
pub fn run(mut command: Command) -> Ran {
    Running::start(&mut command).wait()
}

/// Runs `pgkeep` with these arguments to its end.
pub fn ran(arguments: &[&str]) -> Ran {
    run(pgkeep(arguments))
}

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Ran {
    /// The exit code; a signal counts as 128 + its number, as a shell has it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// It went well.
    #[track_caller]
    pub fn ok(self) -> Ran {
        assert_eq!(self.code(), 0, "{self:#?}");
        self
    }

    /// It failed with this code and told these words.
    #[track_caller]
    pub fn failed(self, code: i32, words: &[&str]) -> Ran {
        assert_eq!(self.code(), code, "{self:#?}");
        assert!(self.stderr.contains("pgkeep: error: "), "no error was told: {self:#?}");
        self.says(words)
    }

    /// These words stand somewhere in what it printed.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Ran {
        for word in words {
            let there = self.stderr.contains(word) || self.stdout.contains(word);
            assert!(there, "\"{word}\" is not said: {self:#?}");
        }
        self
    }

    /// The last line of standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        let last = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }

    #[track_caller]
    fn checked(self) -> Ran {
        for text in [&self.stdout, &self.stderr] {
            assert_eq!(secret_in(text.as_bytes()), None, "a secret is printed: {self:#?}");
        }
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        self
    }
}

/// A program that runs; killed when dropped.
pub struct Running {
    child: Child,
    began: Instant,
    out: Option<JoinHandle<String>>,
    err: Option<JoinHandle<String>>,
}

impl Running {
    /// Starts it, its output kept.
    pub fn start(command: &mut Command) -> Running {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let (out, err) = (collect(child.stdout.take().unwrap()), collect(child.stderr.take().unwrap()));
        Running { child, began: Instant::now(), out: Some(out), err: Some(err) }
    }

    /// Starts `pgkeep` with these arguments.
    pub fn pgkeep(arguments: &[&str]) -> Running {
        Self::start(&mut pgkeep(arguments))
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).output();
        sent.expect("kill runs");
    }

    /// Its children's command lines.
    pub fn children(&self) -> Vec<Process> {
        processes().into_iter().filter(|p| p.parent == self.pid()).collect()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Ran {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.began.elapsed() > LIMIT {
                self.child.kill().ok();
                let err = self.err.take().unwrap().join().unwrap();
                panic!("it still runs after {LIMIT:?}; so far it said: {err}");
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let took = self.began.elapsed();
        let stdout = self.out.take().unwrap().join().unwrap();
        let stderr = self.err.take().unwrap().join().unwrap();
        Ran { status, stdout, stderr, took }.checked()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_alive() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).ok();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A process of this machine.
#[derive(Debug)]
pub struct Process {
    pub pid: u32,
    pub parent: u32,
    /// Its arguments, as every user of the machine can read them.
    pub arguments: String,
}

/// All processes that live (those that nobody has waited for do not).
pub fn processes() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(process).collect()
}

fn process(pid: u32) -> Option<Process> {
    let dir = Path::new("/proc").join(pid.to_string());
    let stat = std::fs::read_to_string(dir.join("stat")).ok()?;
    // The program's name may hold spaces and parentheses (proc(5)).
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let (state, parent) = (fields.next()?, fields.next()?.parse().ok()?);
    let arguments = String::from_utf8_lossy(&std::fs::read(dir.join("cmdline")).ok()?).replace('\0', " ");
    (state != "Z").then_some(Process { pid, parent, arguments })
}
