//! Running a program to its end with input.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};

/// Runs the command with `input` on its standard input: its standard output, or what it said as it failed.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Result<Vec<u8>, String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{command:?} does not start: {error}"))?;
    let mut stdin = child.stdin.take().expect("piped");
    let output = std::thread::scope(|scope| {
        // A program that ends early does not read the rest; that is told by its exit code.
        scope.spawn(move || stdin.write_all(input).ok());
        child.wait_with_output().map_err(|error| error.to_string())
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{} ({}): {}", command.get_program().to_string_lossy(), output.status, said.trim()))
}

/// The same name is never given out twice, also not to two test processes at once.
pub(crate) fn unique(hint: &str, separator: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_micros();
    format!("{hint}{separator}{:x}{separator}{now:x}{separator}{count}", std::process::id())
}

/// Runs the test of this name again in a process of its own that finds PostgreSQL's programs in these folders; whether
/// this is that process.
#[must_use]
pub fn with_programs(test: &str, folders: &OsStr) -> bool {
    if std::env::var_os("PGKEEP_PG_BIN").is_some() {
        return true;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    let status = again.args(["--exact", test, "--nocapture"]).env("PGKEEP_PG_BIN", folders).status();
    assert!(status.unwrap().success());
    false
}
